/** Codes of 2, 4 or 8 bits to bytes and back: four, two or one to a byte, first code in the lowest bits. */

import { AppError } from "../errors.ts";
import type { QuantizationBits } from "./quantized-tensor.ts";

export function packedBytes(count: number, bits: QuantizationBits): number {
  return Math.ceil((count * bits) / 8);
}

/** Codes must fit in `bits`; throws `invalid_input` naming the first that doesn't. */
export function packCodes(codes: Uint8Array, bits: QuantizationBits): Uint8Array {
  const packed = new Uint8Array(packedBytes(codes.length, bits));
  const perByte = 8 / bits;
  const limit = 2 ** bits;
  for (let index = 0, byte = 0; index < codes.length; byte++) {
    let value = 0;
    for (let part = 0; part < perByte && index < codes.length; part++, index++) {
      const code = codes[index]!;
      if (code >= limit)
        throw new AppError(
          "invalid_input",
          `Code ${code} at ${index} does not fit in ${bits} bits.`,
        );
      value |= code << (part * bits);
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
