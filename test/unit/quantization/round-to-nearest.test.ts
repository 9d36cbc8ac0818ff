import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AppError } from "../../../src/errors.ts";
import { roundTiesToEven } from "../../../src/model/rounding.ts";
import { packCodes, unpackCodes } from "../../../src/quantization/packing.ts";
import type { QuantizationBits } from "../../../src/quantization/quantized-tensor.ts";
import { dequantizeTensor, quantizeTensor } from "../../../src/quantization/round-to-nearest.ts";

const anyBits = fc.constantFrom<QuantizationBits>(2, 4, 8);

describe("roundTiesToEven", () => {
  it("rounds ties to the even neighbour on both sides of zero", () => {
    expect([0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 0.49, 126.5].map(roundTiesToEven)).toEqual([
      0, 2, 2, 0, -2, -2, 0, 126,
    ]);
  });
});

describe("packCodes", () => {
  it("gives back every code, four, two or one to a byte", () => {
    fc.assert(
      fc.property(anyBits, fc.uint8Array({ maxLength: 200 }), (bits, bytes) => {
        const codes = bytes.map((byte) => byte % 2 ** bits);
        const packed = packCodes(codes, bits);
        expect(packed.length).toBe(Math.ceil((codes.length * bits) / 8));
        expect(unpackCodes(packed, bits, codes.length)).toEqual(codes);
      }),
    );
  });

  it("puts the first code in the lowest bits", () => {
    expect([...packCodes(Uint8Array.of(1, 2, 3, 0), 2)]).toEqual([0b00_11_10_01]);
  });

  it("refuses codes that do not fit and bytes that are missing", () => {
    expect(() => packCodes(Uint8Array.of(4), 2)).toThrow(AppError);
    expect(() => unpackCodes(new Uint8Array(1), 4, 3)).toThrow(/need 2 bytes/);
  });
});

describe("quantizeTensor", () => {
  it("is off by at most half a step of its group, for any matrix and scheme", () => {
    fc.assert(
      fc.property(
        anyBits,
        fc.boolean(),
        fc.constantFrom<number | "channel" | "tensor">("channel", "tensor", 1, 3, 8),
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 1, max: 20 }),
        fc.infiniteStream(fc.float({ min: -10, max: 10, noNaN: true })),
        (bits, symmetric, group, rows, columns, stream) => {
          const values = Float32Array.from(
            { length: rows * columns },
            () => stream.next().value as number,
          );
          const tensor = quantizeTensor(values, rows, columns, { bits, symmetric, group });
          const restored = dequantizeTensor(tensor);
          const largestStep = Math.max(...tensor.scales);
          // Half a step by rounding the value, and up to half by rounding the zero point.
          values.forEach((value, i) =>
            expect(Math.abs(value - restored[i]!)).toBeLessThanOrEqual(largestStep * 1.001 + 1e-6),
          );
        },
      ),
    );
  });

  it("keeps zeros exact and quantizes what it gave back to the same codes", () => {
    const values = Float32Array.from({ length: 256 }, (_, i) => (i % 5 === 0 ? 0 : Math.sin(i)));
    for (const symmetric of [true, false]) {
      const scheme = { bits: 4, symmetric, group: 32 } as const;
      const once = quantizeTensor(values, 4, 64, scheme);
      const restored = dequantizeTensor(once);
      values.forEach((value, i) => value === 0 && expect(restored[i]).toBeCloseTo(0, 10));
      expect(quantizeTensor(restored, 4, 64, scheme).packed).toEqual(once.packed);
    }
  });

  it("says which weight is damaged and which shape does not fit", () => {
    const scheme = { bits: 8, symmetric: true, group: "channel" } as const;
    expect(() => quantizeTensor(Float32Array.of(1, NaN), 1, 2, scheme)).toThrow(
      /weight at 1 is NaN/,
    );
    expect(() => quantizeTensor(Float32Array.of(1, 2, 3), 1, 2, scheme)).toThrow(/not a 1 x 2/);
    expect(() => quantizeTensor(Float32Array.of(1, 2), 1, 2, { ...scheme, group: 0 })).toThrow(
      /group of 0/,
    );
  });
});
