/**
 * Numbers with their units, and dates, in the reader's own language settings. Every figure the
 * pages show goes through here, so that the same quantity always looks the same.
 */

const UNITS = ["B", "kB", "MB", "GB", "TB"] as const;

const integer = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 });
const oneDigit = new Intl.NumberFormat(undefined, { maximumFractionDigits: 1 });
const exactlyOneDigit = new Intl.NumberFormat(undefined, {
  minimumFractionDigits: 1,
  maximumFractionDigits: 1,
});
const twoDigits = new Intl.NumberFormat(undefined, {
  minimumFractionDigits: 2,
  maximumFractionDigits: 2,
});

/** "1,204". */
export function formatCount(value: number): string {
  return integer.format(value);
}

/** "1 memory", "1,204 memories". */
export function formatPlural(count: number, one: string, many: string = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`;
}

/** Decimal units (1 kB = 1,000 B): "412 B", "1.2 kB", "23 MB". */
export function formatBytes(bytes: number): string {
  let value = Math.abs(bytes);
  let unit = 0;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit++;
  }
  const number = unit === 0 || value >= 99.95 ? integer : oneDigit;
  return `${bytes < 0 ? "−" : ""}${number.format(value)} ${UNITS[unit]}`;
}

/** Per second: "164", "2.4", "9.9 MB". */
export function formatSpeed(perSecond: number, inBytes: boolean): string {
  if (inBytes) return formatBytes(perSecond);
  return perSecond >= 9.95 ? integer.format(perSecond) : oneDigit.format(perSecond);
}

/** "3.4×"; a ratio that can't be computed (nothing stored) is "–". */
export function formatRatio(ratio: number): string {
  if (!Number.isFinite(ratio) || ratio <= 0) return "–";
  return `${ratio >= 99.95 ? integer.format(ratio) : exactlyOneDigit.format(ratio)}×`;
}

/** A share of 1 with two digits: "0.91"; "–" where it was not measured. */
export function formatShare(value: number | null): string {
  return value === null || !Number.isFinite(value) ? "–" : twoDigits.format(value);
}

/** "64 %". */
export function formatPercent(share: number): string {
  if (share > 0 && share < 0.005) return "under 1 %";
  return `${integer.format(Math.round(share * 100))} %`;
}

/** A measured time: "0.4 ms", "12 ms", "1.3 s". */
export function formatMs(ms: number): string {
  if (ms >= 999.5) return `${oneDigit.format(ms / 1000)} s`;
  if (ms < 0.05) return "under 0.1 ms";
  return ms >= 9.95 ? `${integer.format(ms)} ms` : `${oneDigit.format(ms)} ms`;
}

const cents = new Intl.NumberFormat("en-US", { style: "currency", currency: "USD" });
const smallUsd = new Intl.NumberFormat("en-US", {
  style: "currency",
  currency: "USD",
  maximumSignificantDigits: 2,
});

/** US dollars: "$1.20", "$0.0041", "$0", "under $0.0001". */
export function formatUsd(usd: number): string {
  if (!Number.isFinite(usd)) return "–";
  if (usd === 0) return "$0";
  if (Math.abs(usd) < 0.0001) return "under $0.0001";
  return Math.abs(usd) < 0.1 ? smallUsd.format(usd) : cents.format(usd);
}

/** A time to wait: "under a second", "12 s", "3 min", "1 h 20 min". */
export function formatDuration(ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (seconds < 1) return "under a second";
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60)
    return seconds < 600 && seconds % 60 !== 0 && seconds < 120
      ? `1 min ${seconds - 60} s`
      : `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`;
}

const day = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
const dayAndTime = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const monthUtc = new Intl.DateTimeFormat(undefined, {
  year: "numeric",
  month: "short",
  timeZone: "UTC",
});

function isValidTime(ms: number): boolean {
  return Number.isFinite(ms) && Math.abs(ms) <= 8.64e15;
}

/** "12 May 2024" in the reader's locale and time zone. */
export function formatDate(ms: number): string {
  return isValidTime(ms) ? day.format(ms) : "unknown date";
}

export function formatDateTime(ms: number): string {
  return isValidTime(ms) ? dayAndTime.format(ms) : "unknown date";
}

/** For the `datetime` attribute of `<time>`. */
export function isoTime(ms: number): string | undefined {
  return isValidTime(ms) ? new Date(ms).toISOString() : undefined;
}

/** "2024-05" → "May 2024"; the months of `Facets` are UTC. */
export function formatMonth(month: string): string {
  const ms = Date.parse(`${month}-01T00:00:00Z`);
  return Number.isNaN(ms) ? month : monthUtc.format(ms);
}

/** ms → the value of `<input type="datetime-local">`, in the reader's time zone, to the second. */
export function toLocalInput(ms: number): string {
  if (!isValidTime(ms)) return "";
  const date = new Date(ms);
  const year = date.getFullYear();
  if (year < 1 || year > 9999) return "";
  const two = (value: number): string => String(value).padStart(2, "0");
  const clock = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return `${String(year).padStart(4, "0")}-${two(date.getMonth() + 1)}-${two(date.getDate())}T${clock}`;
}

/** The reverse; null when it is no date. */
export function fromLocalInput(value: string): number | null {
  const ms = Date.parse(value);
  return Number.isNaN(ms) ? null : ms;
}

const encoder = new TextEncoder();

/** Bytes of a text in UTF-8. */
export function utf8Length(text: string): number {
  return encoder.encode(text).length;
}
