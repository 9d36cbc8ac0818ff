import { describe, expect, it } from "vitest";
import {
  chooseThreads,
  storedThreads,
  threadCandidates,
} from "../../../../src/processing/embedding/calibration.ts";

const measured = (...speeds: [threads: number, tokensPerSecond: number][]) =>
  speeds.map(([threads, tokensPerSecond]) => ({ threads, tokensPerSecond }));

describe("the choice of threads", () => {
  it("takes more threads unless fewer are clearly faster", () => {
    expect(chooseThreads(measured([1, 950], [2, 1800]))).toBe(2);
    expect(chooseThreads(measured([1, 950], [2, 900]))).toBe(2);
    expect(chooseThreads(measured([1, 950], [2, 600]))).toBe(1);
    expect(chooseThreads(measured([4, 1000], [1, 900], [2, 1700]))).toBe(2);
    expect(chooseThreads([])).toBe(1);
  });

  it("measures no more threads than there are processors", () => {
    expect(threadCandidates(1)).toEqual([1]);
    expect(threadCandidates(2)).toEqual([1, 2]);
    expect(threadCandidates(12)).toEqual([1, 2, 4]);
  });

  it("asks again on another machine, and after a week when fewer won", () => {
    const week = 7 * 24 * 3600 * 1000;
    const slow = { processors: 2, measuredAt: 0, measurements: measured([1, 950], [2, 600]) };
    const fast = { processors: 2, measuredAt: 0, measurements: measured([1, 950], [2, 1800]) };
    expect(storedThreads(slow, 2, week)).toBe(1);
    expect(storedThreads(slow, 2, week + 1)).toBeNull();
    expect(storedThreads(fast, 2, 10 * week)).toBe(2);
    expect(storedThreads(fast, 8, 0)).toBeNull();
    expect(storedThreads(null, 2, 0)).toBeNull();
  });
});
