/**
 * What repairs a prime: everything that is coded with it depends on each of its bytes, so its file
 * is cut into stripes, and beside it lie their checksums and their exclusive or. Any one stripe that
 * was damaged, or lost at the end of the file, is what makes the others come out right.
 *
 * Parity file: magic, CRC-32C of each stripe, the exclusive or of all (the last filled up with zeros),
 * CRC-32C of what is before it.
 */

import { ByteWriter, crc32c } from "../bytes.ts";

const MAGIC = Uint8Array.of(0x4c, 0x4c, 0x4d, 0x43, 0x50, 0x41, 0x52, 0x1a); // "LLMCPAR" + SUB
/** The parity is a sixteenth of the prime. */
const STRIPES = 16;
const HEAD_BYTES = MAGIC.length + 4 * STRIPES;

/** Size of the parity of a file of this size. */
export function parityBytes(sizeBytes: number): number {
  return HEAD_BYTES + Math.ceil(sizeBytes / STRIPES) + 4;
}

function stripesOf(file: Uint8Array, sizeBytes: number): { stripes: Uint8Array[]; length: number } {
  const length = Math.ceil(sizeBytes / STRIPES);
  const whole = new Uint8Array(length * STRIPES);
  whole.set(file.subarray(0, sizeBytes));
  const stripes = Array.from({ length: STRIPES }, (_, i) =>
    whole.subarray(i * length, (i + 1) * length),
  );
  return { stripes, length };
}

function addTo(sum: Uint8Array, stripe: Uint8Array): void {
  for (let i = 0; i < sum.length; i++) sum[i]! ^= stripe[i]!;
}

export function makeParity(file: Uint8Array): Uint8Array {
  const { stripes, length } = stripesOf(file, file.length);
  const out = new ByteWriter().bytes(MAGIC);
  const sum = new Uint8Array(length);
  for (const stripe of stripes) {
    out.u32(crc32c(stripe));
    addTo(sum, stripe);
  }
  const bytes = out.bytes(sum).finish();
  return new ByteWriter().bytes(bytes).u32(crc32c(bytes)).finish();
}

/**
 * The file of `sizeBytes` bytes as it was written, or null when more than one stripe of what is left
 * of it, or the parity itself, is damaged. The caller checks the result as a whole.
 */
export function repair(
  damaged: Uint8Array,
  sizeBytes: number,
  parity: Uint8Array,
): Uint8Array | null {
  const { stripes, length } = stripesOf(damaged, sizeBytes);
  const end = HEAD_BYTES + length;
  if (parity.length !== end + 4 || MAGIC.some((byte, i) => parity[i] !== byte)) return null;
  const view = new DataView(parity.buffer, parity.byteOffset, parity.byteLength);
  if (view.getUint32(end, true) !== crc32c(parity.subarray(0, end))) return null;
  const wrong = stripes.filter(
    (stripe, i) => crc32c(stripe) !== view.getUint32(MAGIC.length + 4 * i, true),
  );
  if (wrong.length > 1) return null;
  const sum = parity.slice(HEAD_BYTES, end);
  for (const stripe of stripes) if (stripe !== wrong[0]) addTo(sum, stripe);
  wrong[0]?.set(sum);
  const whole = new Uint8Array(length * STRIPES);
  stripes.forEach((stripe, i) => whole.set(stripe, i * length));
  return whole.slice(0, sizeBytes);
}
