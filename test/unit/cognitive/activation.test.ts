import { describe, expect, it } from "vitest";
import { activationNow } from "../../../src/cognitive/activation.ts";

const DAY_MS = 86_400_000;
const NOW = Date.UTC(2024, 0, 1);

describe("activation now", () => {
  it("halves with every 180 days since the event", () => {
    const at = (days: number) =>
      activationNow({ activation: 0.8, timestamp: NOW - days * DAY_MS }, NOW);
    expect(at(0)).toBe(0.8);
    expect(at(180)).toBeCloseTo(0.4, 12);
    expect(at(360)).toBeCloseTo(0.2, 12);
    expect(at(90)).toBeCloseTo(0.8 / Math.SQRT2, 12);
  });

  it("of an event in the future is as stored, and never leaves 0 to 1", () => {
    expect(activationNow({ activation: 1, timestamp: NOW + DAY_MS }, NOW)).toBe(1);
    expect(activationNow({ activation: 1, timestamp: -8.64e15 }, NOW)).toBe(0);
  });
});
