/** Wall and monotonic time, so that tests can hold it. */
export interface Clock {
  /** ms since epoch. */
  now(): number;
  /** ms of a monotonic clock, for durations. */
  elapsed(): number;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  elapsed: () => performance.now(),
};
