/**
 * Points in time as people and programs write them.
 *
 * A time without a zone is read in the zone of the machine that imports it: a chat line "10:15 PM"
 * then shows as 10:15 PM again. A date without a time is midnight of that day.
 */

const MONTH_NAMES = "jan feb mar apr may jun jul aug sep oct nov dec".split(" ");

const DAY_MS = 24 * 3600 * 1000;
/** What a machine can have stamped on a mail or a chat line; others are typing errors or spam. */
const EARLIEST_STAMP_MS = Date.UTC(1970, 0, 2);
/** After 0001-01-01, which programs write for "no date", in every time zone. */
const EARLIEST_DATE_MS = Date.parse("0001-01-03T00:00:00Z");
const FUTURE_TOLERANCE_MS = 2 * DAY_MS;

/** A machine's time stamp: the value when it lies between 1970 and two days from now, else undefined. */
export function saneTimestamp(value: number | undefined, nowMs = Date.now()): number | undefined {
  if (value === undefined || !Number.isFinite(value)) return undefined;
  return value >= EARLIEST_STAMP_MS && value <= nowMs + FUTURE_TOLERANCE_MS
    ? Math.trunc(value)
    : undefined;
}

/**
 * A date that was written out, of any time from the year 1 to two days from now (before 1970 it is
 * negative), else undefined. Not the day 1970-01-01, which is a zero that was taken for a date.
 */
export function historicTimestamp(
  value: number | undefined,
  nowMs = Date.now(),
): number | undefined {
  if (value === undefined || !(Math.abs(value) >= DAY_MS)) return undefined;
  return value >= EARLIEST_DATE_MS && value <= nowMs + FUTURE_TOLERANCE_MS
    ? Math.trunc(value)
    : undefined;
}

/** Seconds, milliseconds, microseconds or nanoseconds since 1970, told apart by size. */
export function timestampFromNumber(value: number): number | undefined {
  if (!Number.isFinite(value) || value <= 0) return undefined;
  if (value < 1e8) return undefined;
  if (value < 1e11) return Math.round(value * 1000);
  if (value < 1e14) return Math.round(value);
  if (value < 1e17) return Math.round(value / 1e3);
  return Math.round(value / 1e6);
}

export interface ClockTime {
  hours: number;
  minutes: number;
  seconds: number;
}

const CLOCK = /^(\d{1,2})[:.](\d{2})(?:[:.](\d{2}))?(?:[.,]\d+)?\s*(?:([ap])\.?\s?m\.?)?$/i;

/** "9:05", "21:05:30", "9:05 p.m."; null when it is none. */
export function parseClock(value: string): ClockTime | null {
  const match = CLOCK.exec(value.replaceAll(/[\u202f\u00a0]/g, " ").trim());
  if (!match) return null;
  let hours = Number(match[1]);
  const minutes = Number(match[2]);
  const seconds = Number(match[3] ?? 0);
  const half = match[4]?.toLowerCase();
  if (half && (hours < 1 || hours > 12)) return null;
  if (half === "p" && hours < 12) hours += 12;
  if (half === "a" && hours === 12) hours = 0;
  if (hours > 23 || minutes > 59 || seconds > 60) return null;
  return { hours, minutes, seconds };
}

export function localTime(
  year: number,
  month: number,
  day: number,
  clock?: ClockTime | null,
): number {
  const date = new Date(
    year,
    month - 1,
    day,
    clock?.hours ?? 0,
    clock?.minutes ?? 0,
    clock?.seconds ?? 0,
  );
  if (year < 100) date.setFullYear(year);
  return date.getMonth() === month - 1 && date.getDate() === day ? date.getTime() : Number.NaN;
}

/** "23" → 2023, "99" → 1999. */
export function fullYear(year: string): number {
  const value = Number(year);
  if (year.length > 2) return value;
  return value < 70 ? 2000 + value : 1900 + value;
}

function monthOf(name: string): number {
  return MONTH_NAMES.indexOf(name.slice(0, 3).toLowerCase()) + 1;
}

const ISO_LOCAL =
  /^(\d{4})([-/])(\d{2})\2(\d{2})(?:\s\([a-z]{3,9}\))?(?:[T ](\d{1,2}:\d{2}(?::\d{2})?(?:[.,]\d+)?))?$/i;
/** "20230508": digits alone are a day only in the years in which programs wrote it so. */
const COMPACT_DAY = /^((?:19|20)\d{2})(\d{2})(\d{2})$/;
const MIDNIGHT_AT_END = /^24:00(?::00(?:[.,]0+)?)?$/;
const CLOCK_ON_DATE =
  /^(.{4,12}?)\s+(?:on\s+)?(\d{1,2})(?:st|nd|rd|th)?\s+([a-z]{3,9})\.?,?\s+(\d{4})$/i;
const CLOCK_ON_MONTH =
  /^(.{4,12}?)\s+on\s+([a-z]{3,9})\.?\s+(\d{1,2})(?:st|nd|rd|th)?,?\s+(\d{4})$/i;
/** With a time zone, as programs write it. */
const ISO_INSTANT = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}/;
/** "May 8th, 2023", "8 May 2023 at 1:56 pm", with or without the time. */
const MONTH_DAY_CLOCK =
  /^([a-z]{3,9})\.?\s+(\d{1,2})(?:st|nd|rd|th)?,?\s+(\d{4})(?:,?\s+(?:at\s+)?(\d.*))?$/i;
const DAY_MONTH_CLOCK =
  /^(\d{1,2})(?:st|nd|rd|th)?\s+(?:of\s+)?([a-z]{3,9})\.?,?\s+(\d{4})(?:,?\s+(?:at\s+)?(\d.*))?$/i;
/** "January 8, 1790", "8 Jan 1790": nothing but a date, so that its year is one. */
const DAY_OF_MONTH =
  /^(?:[a-z]{3,9}\.?\s+\d{1,2},?|\d{1,2}\s+[a-z]{3,9}\.?,?)\s+\d{4}(?:[,\s]+\d{1,2}:\d{2}.*)?$/i;

/** A day with the time written behind it; undefined when either is none. */
function localDateTime(
  year: number,
  month: number,
  day: number,
  written?: string,
): number | undefined {
  const midnight = localTime(year, month, day);
  if (written && MIDNIGHT_AT_END.test(written)) {
    // Not 24 hours later: the day may be one on which the clock is set.
    const start = new Date(midnight);
    start.setDate(start.getDate() + 1);
    return historicTimestamp(start.getTime());
  }
  const clock = written ? parseClock(written) : null;
  if (written && !clock) return undefined;
  return historicTimestamp(clock ? localTime(year, month, day, clock) : midnight);
}

/** A date field of any common form as ms since epoch: ISO 8601, RFC 5322, epoch numbers, "1:56 pm on 8 May, 2023". */
export function parseDateValue(value: unknown): number | undefined {
  if (typeof value === "number")
    return COMPACT_DAY.test(String(value))
      ? parseDateValue(String(value))
      : saneTimestamp(timestampFromNumber(value));
  if (typeof value !== "string" || value.length > 64) return undefined;
  const text = value.trim();
  if (/^\d{9,19}(?:\.\d+)?$/.test(text)) return saneTimestamp(timestampFromNumber(Number(text)));
  const iso = ISO_LOCAL.exec(text);
  if (iso) return localDateTime(Number(iso[1]), Number(iso[3]), Number(iso[4]), iso[5]);
  const compact = COMPACT_DAY.exec(text);
  if (compact) return localDateTime(Number(compact[1]), Number(compact[2]), Number(compact[3]));
  const monthDay = MONTH_DAY_CLOCK.exec(text);
  const dayMonth = monthDay ? null : DAY_MONTH_CLOCK.exec(text);
  const month = monthOf(monthDay?.[1] ?? dayMonth?.[2] ?? "");
  const written = monthDay ?? dayMonth;
  if (written && month > 0) {
    const clock = written[4];
    // With a zone behind it, the time isn't this machine's.
    if (!clock || parseClock(clock))
      return localDateTime(
        Number(written[3]),
        month,
        Number(monthDay ? monthDay[2] : dayMonth![1]),
        clock,
      );
  }
  const dayFirst = CLOCK_ON_DATE.exec(text);
  if (dayFirst) {
    const clock = parseClock(dayFirst[1]!);
    const month = monthOf(dayFirst[3]!);
    if (clock && month > 0)
      return historicTimestamp(localTime(Number(dayFirst[4]), month, Number(dayFirst[2]), clock));
  }
  const monthFirst = CLOCK_ON_MONTH.exec(text);
  if (monthFirst) {
    const clock = parseClock(monthFirst[1]!);
    const month = monthOf(monthFirst[2]!);
    if (clock && month > 0)
      return historicTimestamp(
        localTime(Number(monthFirst[4]), month, Number(monthFirst[3]), clock),
      );
  }
  // Everything else must at least name a year, or `Date` invents one.
  if (!/\b\d{4}\b/.test(text) || !/\d/.test(text)) return undefined;
  const isWrittenOut = ISO_INSTANT.test(text) || DAY_OF_MONTH.test(text);
  return (isWrittenOut ? historicTimestamp : saneTimestamp)(Date.parse(text));
}
