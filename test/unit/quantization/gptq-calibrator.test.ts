import { describe, expect, it } from "vitest";
import { dequantizeTensor, GptqCalibrator, quantizeTensor } from "../../../src/index.ts";

const ROWS = 24;
const COLUMNS = 48;

function floats(count: number, seed: number): Float32Array {
  let state = seed;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32 - 0.5;
  });
}

/** Inputs that go together in groups of four, as those of a network do. */
function inputs(count: number, seed: number): Float32Array {
  const own = floats(count * COLUMNS, seed);
  return own.map((value, i) => value + 3 * own[i - (i % 4)]!);
}

function outputError(values: Float32Array, rounded: Float32Array, seen: Float32Array): number {
  let error = 0;
  for (let at = 0; at < seen.length; at += COLUMNS)
    for (let row = 0; row < ROWS; row++) {
      let difference = 0;
      for (let i = 0; i < COLUMNS; i++)
        difference += seen[at + i]! * (values[row * COLUMNS + i]! - rounded[row * COLUMNS + i]!);
      error += difference ** 2;
    }
  return error;
}

describe("GptqCalibrator", () => {
  it("loses less of a layer's outputs than rounding does, on inputs that it hasn't seen", async () => {
    const weights = floats(ROWS * COLUMNS, 1);
    const scheme = { bits: 2, symmetric: false, group: 16 } as const;
    const calibrator = await GptqCalibrator.create(COLUMNS);
    for (let part = 0; part < 4; part++) calibrator.add(inputs(200, 10 + part));
    expect(calibrator.count).toBe(800);
    const fitted = dequantizeTensor(calibrator.quantize(weights, ROWS, scheme));
    const rounded = dequantizeTensor(
      quantizeTensor(weights, ROWS, COLUMNS, scheme, { clipSearch: true }),
    );
    const unseen = inputs(100, 99);
    expect(outputError(weights, fitted, unseen)).toBeLessThan(
      0.6 * outputError(weights, rounded, unseen),
    );
  });

  it("says what doesn't fit", async () => {
    const scheme = { bits: 4, symmetric: true, group: "channel" } as const;
    await expect(GptqCalibrator.create(0)).rejects.toThrow(/0 inputs/);
    const calibrator = await GptqCalibrator.create(COLUMNS);
    expect(() => calibrator.add(new Float32Array(COLUMNS + 1))).toThrow(/no rows of 48/);
    expect(() => calibrator.quantize(new Float32Array(COLUMNS), 1, scheme)).toThrow(/no text/);
    calibrator.add(inputs(10, 3));
    expect(() => calibrator.quantize(new Float32Array(7), 1, scheme)).toThrow(/not a 1 x 48/);
  });
});
