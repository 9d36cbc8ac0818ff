import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ColumnRounding } from "../../../src/quantization/kernels/kernels.ts";
import { referenceKernels } from "../../../src/quantization/kernels/reference-kernels.ts";
import { WasmKernels } from "../../../src/quantization/kernels/wasm-kernels.ts";
import type {
  QuantizationBits,
  QuantizationScheme,
} from "../../../src/quantization/quantized-tensor.ts";

const wasm = (await WasmKernels.create())!;

/** Weights as they come: most of them small, some outliers, zeros, ties, numbers that devices take for zero. */
const weight = fc.oneof(
  { weight: 6, arbitrary: fc.float({ min: -1, max: 1, noNaN: true }) },
  { weight: 2, arbitrary: fc.constantFrom(0, -0, 0.5, 1.5, -2.5, 1e-40, -1e-38) },
  { weight: 1, arbitrary: fc.float({ min: -(2 ** 126), max: 2 ** 126, noNaN: true }) },
);
const scheme = fc.record({
  bits: fc.constantFrom<QuantizationBits>(2, 4, 8),
  symmetric: fc.boolean(),
  group: fc.oneof(
    fc.constantFrom<QuantizationScheme["group"]>("tensor", "channel", 32, 128),
    fc.integer({ min: 1, max: 70 }),
  ),
});
const matrix = fc
  .tuple(fc.integer({ min: 1, max: 7 }), fc.integer({ min: 1, max: 150 }))
  .chain(([rows, columns]) =>
    fc.record({
      rows: fc.constant(rows),
      columns: fc.constant(columns),
      values: fc
        .array(weight, { minLength: rows * columns, maxLength: rows * columns })
        .map((values) => Float32Array.from(values)),
    }),
  );

function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32 - 0.5;
  };
}

function randomFloats(count: number, next: () => number): Float32Array {
  return Float32Array.from({ length: count }, next);
}

describe("the SIMD kernels give what the reference gives, bit for bit", () => {
  it("quantizes and dequantizes any matrix by any scheme, with and without search", () => {
    fc.assert(
      fc.property(matrix, scheme, fc.boolean(), fc.boolean(), (given, by, clipSearch, weighted) => {
        const { values, rows, columns } = given;
        const weights = Float32Array.from({ length: columns }, (_, i) => (i % 5) / 3);
        const options = { clipSearch, ...(weighted && { weights }) };
        const tensor = wasm.quantize(values, rows, columns, by, options);
        expect(tensor).toEqual(referenceKernels.quantize(values, rows, columns, by, options));
        const factors = weighted && { columnFactors: weights.map((one) => one + 0.3) };
        const whole = { ...tensor, ...factors };
        expect(wasm.dequantize(whole)).toEqual(referenceKernels.dequantize(whole));
      }),
      { numRuns: 300 },
    );
  });

  it("packs rows of any length", () => {
    fc.assert(
      fc.property(
        fc.constantFrom<QuantizationBits>(2, 4, 8),
        fc.integer({ min: 1, max: 3 }),
        fc.uint8Array({ minLength: 1, maxLength: 200 }),
        (bits, rows, bytes) => {
          const row = bytes.map((byte) => byte % 2 ** bits);
          const codes = new Uint8Array(rows * row.length);
          for (let i = 0; i < rows; i++) codes.set(row, i * row.length);
          expect(wasm.pack(codes, rows, bits)).toEqual(referenceKernels.pack(codes, rows, bits));
        },
      ),
    );
    expect(() => wasm.pack(Uint8Array.of(1, 4), 1, 2)).toThrow(/Code 4 at 1 does not fit/);
  });

  it("multiplies by codes and makes cross products of any shape", () => {
    const next = random(1);
    for (const [count, rows, columns] of [
      [1, 1, 1],
      [3, 5, 7],
      [9, 8, 64],
      [300, 6, 260],
    ] as const) {
      const inputs = randomFloats(count * columns, next);
      const weights = randomFloats(rows * columns, next);
      for (const group of ["tensor", "channel", 32] as const)
        for (const bits of [2, 4, 8] as const) {
          const by = { bits, symmetric: false, group };
          const tensor = referenceKernels.quantize(weights, rows, columns, by);
          expect(wasm.multiply(inputs, count, tensor)).toEqual(
            referenceKernels.multiply(inputs, count, tensor),
          );
        }
      const other = randomFloats(count * rows, next);
      const sizes = { k: count, m: columns, n: rows };
      expect(wasm.crossProduct(inputs, other, sizes)).toEqual(
        referenceKernels.crossProduct(inputs, other, sizes),
      );
      const square = { k: count, m: columns, n: columns };
      expect(wasm.crossProduct(inputs, inputs, square)).toEqual(
        referenceKernels.crossProduct(inputs, inputs, square),
      );
    }
  });

  it("rounds columns one after the other", () => {
    const next = random(2);
    for (const [rows, columns, groupColumns] of [
      [4, 5, 5],
      [20, 70, 32],
      [8, 64, 16],
    ] as const) {
      const groups = Uint32Array.from({ length: columns }, (_, i) => Math.floor(i / groupColumns));
      const groupCount = Math.ceil(columns / groupColumns);
      const make = (): ColumnRounding => ({
        rows,
        columns,
        open: new Float32Array(columns * rows),
        factor: new Float32Array(columns * columns),
        groups,
        scales: new Float32Array(groupCount * rows).fill(0.25),
        zeroPoints: new Float32Array(groupCount * rows).fill(1),
        lowest: 0,
        highest: 3,
        codes: new Uint8Array(columns * rows),
      });
      const jobs = [make(), make()] as const;
      const open = randomFloats(columns * rows, next);
      const factor = randomFloats(columns * columns, next).map((value, at) =>
        at % (columns + 1) === 0 ? 1 + value : value / columns,
      );
      for (const job of jobs) {
        job.open.set(open);
        job.factor.set(factor);
      }
      const half = columns >> 1;
      for (const [from, to] of [
        [0, half],
        [half, columns],
      ] as const) {
        referenceKernels.roundColumns(jobs[0], from, to);
        wasm.roundColumns(jobs[1], from, to);
        expect(jobs[1].codes).toEqual(jobs[0].codes);
        expect(jobs[1].open).toEqual(jobs[0].open);
      }
    }
  });

  it("factors the inverse of a positive definite matrix", () => {
    const next = random(3);
    for (const n of [1, 2, 7, 33, 64, 101]) {
      const inputs = randomFloats(2 * n * n, next);
      const sizes = { k: 2 * n, m: n, n };
      const gram = Float64Array.from(referenceKernels.crossProduct(inputs, inputs, sizes));
      for (let i = 0; i < n; i++) gram[i * n + i]! += 0.1;
      const expected = referenceKernels.inverseUpperFactor(gram.slice(), n);
      const factor = wasm.inverseUpperFactor(gram.slice(), n);
      const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      factor.forEach((value, i) => {
        expect(Math.abs(value - expected[i]!)).toBeLessThan(1e-10 * largest);
      });
      gram[0] = -1;
      for (const kernels of [referenceKernels, wasm])
        expect(() => kernels.inverseUpperFactor(gram.slice(), n)).toThrow(/can't be inverted/);
    }
  });

  it("names the weight that can't be one", () => {
    const values = new Float32Array(600).fill(0.5);
    for (const bad of [NaN, Infinity, -Infinity, 2e38]) {
      values[431] = bad;
      for (const kernels of [referenceKernels, wasm])
        for (const group of ["tensor", "channel", 7] as const)
          expect(() =>
            kernels.quantize(values, 6, 100, { bits: 4, symmetric: false, group }),
          ).toThrow(/The weight at 431 is/);
    }
  });
});
