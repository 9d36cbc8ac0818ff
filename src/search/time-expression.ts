/**
 * Times named in a query ("in May 2023", "last spring", "between March and June"), as a soft match on a
 * memory's time, in the device's time zone. `time-grammar.ts` knows the single periods; here they are
 * found in the text, bounded ("since …", "before …", "early …") and joined.
 */

import { DAY_MS, MAY_NAME_TIME, PERIOD_RULES, distantFrom, type Period } from "./time-grammar.ts";
import { shownAt, whenShown } from "../model/wall-clock.ts";

export interface TimeExpression {
  /** As found in the query, with the words that bound it. */
  text: string;
  /** ms since epoch, from ≤ t < to; infinite where it is open or returns every year. */
  from: number;
  to: number;
  /** Whether it was read from the present ("last week"). */
  relative: boolean;
  /** 1 inside; what was written up to a week (or half the period) after it still counts some; else 0. */
  score(timestamp: number): number;
}

interface Found extends Period {
  start: number;
  end: number;
}

/** Words of a query that are looked at. */
const MAX_UNITS = 2000;
/** People tell of what happened soon after it: that counts so much, fading to nothing. */
const AFTERWARDS = 0.7;
const AFTERWARDS_MS = 7 * DAY_MS;

const BETWEEN = /\b(?:between|from)\s+(?:the\s+)?$/i;
const JOINED = /^\s*(?:(?:and|to|until|till|through)\s|[–-])\s*(?:the\s+)?$/i;
/** Joins two without "from" before them. */
const UP_TO = /^\s*(?:(?:to|until|till|through)\s|[–-])\s*(?:the\s+)?$/i;
const AND = /^\s*(?:and|or|,)\s+(?:in\s+)?(?:the\s+)?$/i;
const ONWARDS =
  /^\s*(?:(?:to|until|till|through)\s+(?:now|the present)|onwards?|on(?=\s*[,.?!]|\s*$))(?!\p{L})/iu;
const UNTIL =
  /\b(?:before|until|till|prior to|by|up to|earlier than|no later than)\s+(?:the\s+)?$/i;
const AFTER = /\b(?:after|later than|following)\s+(?:the\s+)?$/i;
const SINCE = /\b(?:since|starting(?: in| on)?)\s+(?:the\s+)?$/i;
const PART =
  /\b(?:(?<early>early(?: in)?|(?:the )?(?:beginning|start) of|the first half of)|(?<mid>mid|(?:the )?middle of)|(?<late>late(?: in)?|(?:the )?end of|the second half of))(?:\s+|-)(?:the\s+)?$/i;

const EDGE = /(?<start>beginning|start) of|(?<end>end) of/i;

/** Every time that the query names, in its order; empty when there is none. */
export function findTimes(query: string, nowMs: number): TimeExpression[] {
  const text = query.slice(0, MAX_UNITS);
  if (!MAY_NAME_TIME.test(text)) return [];
  const now = shownAt(nowMs);
  const found = findPeriods(text, now);
  const times: TimeExpression[] = [];
  for (let i = 0; i < found.length; i++) {
    const first = found[i]!;
    const second = found[i + 1];
    const before = text.slice(0, first.start);
    const between = BETWEEN.exec(before)?.[0].length ?? 0;
    if (second !== undefined) {
      const link = text.slice(first.end, second.start);
      const joined = (between > 0 ? JOINED : UP_TO).test(link) ? join(first, second) : null;
      if (joined !== null) {
        times.push(expression(text.slice(first.start - between, second.end), joined));
        i++;
        continue;
      }
      // "May and June 2023" are both of that year.
      if (AND.test(link) && first.recurs !== undefined && second.recurs === undefined)
        Object.assign(first, lastBefore(first.recurs, second.from), { recurs: undefined });
    }
    const onwards = between > 0 ? ONWARDS.exec(text.slice(first.end)) : null;
    if (onwards !== null) {
      const { from, relative = false } = first.recurs === undefined ? first : latest(first, now);
      const whole = text.slice(first.start - between, first.end + onwards[0].length);
      times.push(expression(whole, { from, to: Infinity, relative }));
      continue;
    }
    const [bounded, prefix] = bound(first, before, now);
    times.push(expression(text.slice(first.start - prefix, first.end), bounded));
  }
  return times;
}

/** Periods that don't overlap, in the order of the text; what an earlier rule took is no later one's. */
function findPeriods(text: string, nowMs: number): Found[] {
  const found: Found[] = [];
  const isFree = (start: number, end: number): boolean =>
    found.every((other) => end <= other.start || start >= other.end);
  for (const { pattern, read } of PERIOD_RULES) {
    // The patterns themselves: `matchAll` would search with a copy, compiled anew for many a query.
    pattern.lastIndex = 0;
    for (let match; (match = pattern.exec(text)) !== null;) {
      const start = match.index;
      const end = start + match[0].length;
      if (!isFree(start, end)) continue;
      const period = read(match.groups ?? {}, nowMs);
      if (period === null) continue;
      found.push({ ...period, start, end });
    }
  }
  return found.sort((a, b) => a.start - b.start);
}

/** From the first period to the end of the second; a first month without a year is of the second's. */
function join(first: Found, second: Found): Period | null {
  if (second.recurs !== undefined)
    return first.recurs === undefined ? null : joinReturning(first.recurs, second.recurs);
  const from = first.recurs === undefined ? first.from : lastBefore(first.recurs, second.from).from;
  if (from >= second.to) return null;
  const relative = first.relative === true || second.relative === true;
  return { from, to: second.to, relative };
}

type Recurs = NonNullable<Period["recurs"]>;

/** The last time up to then that a returning period was on, to the day. */
function lastBefore(recurs: Recurs, timeMs: number): { from: number; to: number } {
  const then = Math.floor(timeMs / DAY_MS) * DAY_MS;
  let last = then;
  while (last > then - 366 * DAY_MS && !recurs(last)) last -= DAY_MS;
  let first = last;
  while (first > last - 366 * DAY_MS && recurs(first - DAY_MS)) first -= DAY_MS;
  return { from: first, to: last + DAY_MS };
}

/** "Between March and May", of every year, also over its end; null for what returns more often. */
function joinReturning(first: Recurs, second: Recurs): Period | null {
  const dayOfLeapYear = (day: number): number => Date.UTC(2024, 0, 1 + day);
  const days = Array.from({ length: 366 }, (_, day) => day);
  const isOn = (recurs: Recurs, day: number): boolean => recurs(dayOfLeapYear((day + 366) % 366));
  const starts = days.filter((day) => isOn(first, day) && !isOn(first, day - 1));
  const ends = days.filter((day) => isOn(second, day) && !isOn(second, day + 1));
  const [start, end] = [starts[0], ends[0]];
  if (starts.length !== 1 || ends.length !== 1 || start === undefined || end === undefined)
    return null;
  return {
    from: -Infinity,
    to: Infinity,
    recurs: (timestamp) => {
      const date = new Date(timestamp);
      const day =
        (Date.UTC(2024, date.getUTCMonth(), date.getUTCDate()) - dayOfLeapYear(0)) / DAY_MS;
      return start <= end ? day >= start && day <= end : day >= start || day <= end;
    },
  };
}

/** A period with the words before it; and how many units of them belong to it. */
function bound(found: Found, before: string, nowMs: number): [period: Period, prefixUnits: number] {
  const distance = distantFrom(found.recurs === undefined ? found : latest(found, nowMs), before);
  if (distance !== null) return [distance.period, distance.units];
  const part = found.recurs === undefined ? PART.exec(before) : null;
  const period: Period = part === null ? found : partOf(found, part.groups ?? {});
  const prefix = part?.[0].length ?? 0;
  const rest = before.slice(0, before.length - prefix);
  const until = UNTIL.exec(rest);
  const after = until === null ? AFTER.exec(rest) : null;
  const since = until === null && after === null ? SINCE.exec(rest) : null;
  const word = until ?? after ?? since;
  if (word === null) return [period, prefix];
  const {
    from,
    to,
    relative = false,
  } = period.recurs === undefined ? period : latest(period, nowMs);
  const length = prefix + word[0].length;
  // The very end or beginning, and not the last or first part.
  const edge = part === null ? null : EDGE.exec(part[0]);
  if (until !== null) {
    const isIncluded =
      /later/i.test(word[0]) ||
      (to - from <= DAY_MS && !/^(?:before|prior|earlier)/i.test(word[0]));
    const end = edge?.groups?.["end"] !== undefined ? found.to : isIncluded ? to : from;
    return [{ from: -Infinity, to: end, relative }, length];
  }
  const start = edge?.groups?.["start"] !== undefined ? found.from : since === null ? to : from;
  return [{ from: start, to: Infinity, relative }, length];
}

/** The last time up to now that a returning period was on, to the day. */
function latest({ recurs }: Period, nowMs: number): Period {
  return { ...lastBefore(recurs!, nowMs), relative: true };
}

/** Its first, middle or last third, generously. */
function partOf(period: Period, groups: Record<string, string | undefined>): Period {
  const length = period.to - period.from;
  if (groups["early"] !== undefined) return { ...period, to: period.from + 0.4 * length };
  if (groups["late"] !== undefined) return { ...period, from: period.to - 0.4 * length };
  return { ...period, from: period.from + 0.3 * length, to: period.to - 0.3 * length };
}

function expression(text: string, period: Period): TimeExpression {
  const { recurs } = period;
  const [from, to] = [whenShown(period.from), whenShown(period.to)];
  const afterwards = Math.max(AFTERWARDS_MS, Number.isFinite(to - from) ? (to - from) / 2 : 0);
  return {
    text: text.trim(),
    from,
    to,
    relative: period.relative === true,
    score(timestamp) {
      if (recurs !== undefined) return recurs(shownAt(timestamp)) ? 1 : 0;
      if (timestamp < from) return 0;
      if (timestamp < to) return 1;
      // "Before June" ends there.
      if (from === -Infinity) return 0;
      return AFTERWARDS * Math.max(0, 1 - (timestamp - to) / afterwards);
    },
  };
}
