/**
 * Between points in time and what clocks on the wall show then, in the time zone of the device: people
 * mean their own days, months and years. Shown time is kept as if it were UTC, so that one can reckon
 * with it without regard to summer time.
 */

/** What clocks show at a point in time. */
export function shownAt(timestamp: number): number {
  if (!Number.isFinite(timestamp)) return timestamp;
  const local = new Date(timestamp);
  const shown = new Date(timestamp);
  // Field by field: offsets of long ago aren't whole minutes.
  shown.setUTCFullYear(local.getFullYear(), local.getMonth(), local.getDate());
  shown.setUTCHours(
    local.getHours(),
    local.getMinutes(),
    local.getSeconds(),
    local.getMilliseconds(),
  );
  return shown.getTime();
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

/** The day that calendars show: "2024-05-01". */
export function shownDay(timestamp: number): string {
  return new Date(shownAt(timestamp)).toISOString().slice(0, 10);
}
