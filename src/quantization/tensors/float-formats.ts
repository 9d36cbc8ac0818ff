/**
 * Little-endian floats of weights files as float32. Half precision: IEEE 754 binary16; brain floats:
 * the upper half of a binary32. Every value of both is exact in float32; float64 is rounded.
 */

import { AppError } from "../../errors.ts";
import type { FloatDtype } from "./tensor-file.ts";

export const FLOAT_BYTES: Readonly<Record<FloatDtype, number>> = {
  F32: 4,
  F16: 2,
  BF16: 2,
  F64: 8,
};

export function isFloatDtype(dtype: string): dtype is FloatDtype {
  return dtype in FLOAT_BYTES;
}

/** `bytes` holds whole values; it may start at any offset of its buffer and is not changed. */
export function decodeFloats(bytes: Uint8Array, dtype: FloatDtype): Float32Array {
  const width = FLOAT_BYTES[dtype];
  if (bytes.length % width !== 0)
    throw new AppError(
      "corrupt_data",
      `${bytes.length} bytes are no whole number of ${dtype} values.`,
    );
  const count = bytes.length / width;
  // A copy is aligned, and the caller's bytes may be a view of something larger.
  const copy = new Uint8Array(bytes).buffer;
  switch (dtype) {
    case "F32":
      return new Float32Array(copy);
    case "F64":
      return Float32Array.from(new Float64Array(copy));
    case "F16": {
      const table = halfTable();
      const halves = new Uint16Array(copy);
      const values = new Float32Array(count);
      for (let i = 0; i < count; i++) values[i] = table[halves[i]!]!;
      return values;
    }
    case "BF16": {
      const halves = new Uint16Array(copy);
      const bits = new Uint32Array(count);
      for (let i = 0; i < count; i++) bits[i] = halves[i]! << 16;
      return new Float32Array(bits.buffer);
    }
  }
}

/** One binary16 as a number. */
export function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >>> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 0x1f) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

let halves: Float32Array | null = null;

/** All 65,536 of them: a look-up is several times faster than the arithmetic. */
function halfTable(): Float32Array {
  halves ??= Float32Array.from({ length: 65_536 }, (_, bits) => halfToNumber(bits));
  return halves;
}
