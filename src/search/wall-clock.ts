/**
 * Between points in time and what clocks on the wall show then, in the time zone of the device: people
 * mean their own days, months and years. Shown time is kept as if it were UTC, so that one can reckon
 * with it without regard to summer time.
 */

const MINUTE_MS = 60_000;

/** What clocks show at a point in time. */
export function shownAt(timestamp: number): number {
  return Number.isFinite(timestamp)
    ? timestamp - new Date(timestamp).getTimezoneOffset() * MINUTE_MS
    : timestamp;
}

/** When clocks show that; the first time where they show it twice, and where they skip it, as if they didn't. */
export function whenShown(shown: number): number {
  if (!Number.isFinite(shown)) return shown;
  const date = new Date(shown);
  const local = new Date(shown);
  local.setFullYear(date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate());
  local.setHours(
    date.getUTCHours(),
    date.getUTCMinutes(),
    date.getUTCSeconds(),
    date.getUTCMilliseconds(),
  );
  return local.getTime();
}
