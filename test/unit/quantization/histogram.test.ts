import { describe, expect, it } from "vitest";
import { compareHistograms } from "../../../src/quantization/histogram.ts";
import { dequantizeTensor, quantizeTensor } from "../../../src/quantization/round-to-nearest.ts";
import { seeded } from "./support/tiny-bert.ts";

const [rows, columns] = [64, 96];
const next = seeded(11);
/** About normal, as weights are. */
const weights = Float32Array.from(
  { length: rows * columns },
  () => 0.1 * (next() + next() + next() + next() - 2),
);

function histogramOf(values: Float32Array, bits: 2 | 4 | 8) {
  const scheme = { bits, symmetric: false, group: 32 } as const;
  const tensor = quantizeTensor(values, rows, columns, scheme);
  return compareHistograms("w", values, dequantizeTensor(tensor), tensor);
}

const sum = (counts: readonly number[]): number => counts.reduce((total, one) => total + one, 0);

describe("histograms of a tensor", () => {
  it("draw nearly all values before and after, on the same bins", () => {
    for (const bits of [2, 4, 8] as const) {
      const { before, after, from, to, min, max } = histogramOf(weights, bits);
      expect(before.length).toBe(after.length);
      expect(sum(before)).toBeGreaterThan(0.998 * weights.length);
      expect(sum(after)).toBeGreaterThan(0.9 * weights.length);
      expect(min).toBeLessThanOrEqual(from);
      expect(max).toBeGreaterThanOrEqual(to);
    }
  });

  it("count every weight's code and say what the codes of a group stand for", () => {
    const { codes, levels } = histogramOf(weights, 2);
    expect(sum(codes!)).toBe(weights.length);
    expect(levels).toHaveLength(4);
    expect([...levels!]).toEqual([...levels!].sort((a, b) => a - b));
    expect(histogramOf(weights, 8)).toMatchObject({ codes: null, levels: null });
  });

  it("are not flattened by a single value far out", () => {
    const outlier = weights.slice();
    outlier[7] = 50;
    const { to, max, before } = histogramOf(outlier, 8);
    expect(max).toBeGreaterThan(49);
    expect(to).toBeLessThan(1);
    expect(Math.max(...before)).toBeLessThan(0.2 * weights.length);
  });

  it("hold a tensor of one value", () => {
    const { before, from, to } = histogramOf(new Float32Array(rows * columns).fill(0.25), 8);
    expect(sum(before)).toBe(rows * columns);
    expect(to - from).toBeLessThan(0.3);
  });
});
