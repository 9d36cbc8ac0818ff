/** Codes of 2, 4 or 8 bits to bytes and back: four, two or one to a byte, first code in the lowest bits. */

import { AppError } from "../errors.ts";
import type { QuantizationBits } from "./quantized-tensor.ts";

export function packedBytes(count: number, bits: QuantizationBits): number {
  return Math.ceil((count * bits) / 8);
}

/** `invalid_input` naming the first code that doesn't fit in `bits`. */
export function checkCodes(codes: Uint8Array, bits: QuantizationBits): void {
  let all = 0;
  for (let i = 0; i < codes.length; i++) all |= codes[i]!;
  if (all < 2 ** bits) return;
  const at = codes.findIndex((code) => code >= 2 ** bits);
  throw new AppError("invalid_input", `Code ${codes[at]} at ${at} does not fit in ${bits} bits.`);
}

/** `invalid_input` when a code doesn't fit in `bits`. */
export function packCodes(codes: Uint8Array, bits: QuantizationBits): Uint8Array {
  checkCodes(codes, bits);
  const packed = new Uint8Array(packedBytes(codes.length, bits));
  const perByte = 8 / bits;
  for (let index = 0, byte = 0; index < codes.length; byte++) {
    let value = 0;
    for (let part = 0; part < perByte && index < codes.length; part++, index++) {
      value |= codes[index]! << (part * bits);
    }
    packed[byte] = value;
  }
  return packed;
}

export function unpackCodes(packed: Uint8Array, bits: QuantizationBits, count: number): Uint8Array {
  if (packed.length < packedBytes(count, bits))
    throw new AppError(
      "corrupt_data",
      `${count} codes of ${bits} bits need ${packedBytes(count, bits)} bytes; there are ${packed.length}.`,
    );
  const perByte = 8 / bits;
  const mask = 2 ** bits - 1;
  const codes = new Uint8Array(count);
  for (let index = 0, byte = 0; index < count; byte++) {
    let value = packed[byte]!;
    for (let part = 0; part < perByte && index < count; part++, index++) {
      codes[index] = value & mask;
      value >>= bits;
    }
  }
  return codes;
}
