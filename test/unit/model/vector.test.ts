import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { dequantizeVector, quantizeVector } from "../../../src/model/vector.ts";

const values = fc
  .array(fc.float({ min: -1, max: 1, noNaN: true }), { minLength: 384, maxLength: 384 })
  .map((list) => Float32Array.from(list));

describe("quantized vectors", () => {
  it("keep every value within half a step, with fine bits within a quarter", () => {
    fc.assert(
      fc.property(values, (vector) => {
        const plain = quantizeVector(vector);
        const fine = quantizeVector(vector, { fine: true });
        expect(fine.codes).toEqual(plain.codes);
        expect(fine.scale).toBe(plain.scale);
        const slack = 1e-4 * plain.scale;
        dequantizeVector(plain).forEach((value, i) =>
          expect(Math.abs(value - vector[i]!)).toBeLessThanOrEqual(0.5 * plain.scale + slack),
        );
        dequantizeVector(fine).forEach((value, i) =>
          expect(Math.abs(value - vector[i]!)).toBeLessThanOrEqual(0.25 * plain.scale + slack),
        );
      }),
    );
  });

  it("of zeros are zeros, and of what is not finite are refused", () => {
    const zero = quantizeVector(new Float32Array(384), { fine: true });
    expect(zero.scale).toBe(0);
    expect(dequantizeVector(zero).every((value) => Math.abs(value) === 0)).toBe(true);
    expect(() => quantizeVector(Float32Array.of(1, Number.NaN))).toThrow(RangeError);
  });
});
