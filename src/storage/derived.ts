/**
 * Derived data beside the segments: snapshots of indexes, rebuilt by their owners when they are
 * missing, stale or damaged. A file says which generation of the store it was made from.
 *
 * File: magic, version u16, generation as two u32, size of each part, CRC-32C of everything else,
 * then ZSTD frames of up to 32 MB each.
 */

import { AppError } from "../errors.ts";
import { ByteReader, ByteWriter, concatBytes, crc32c } from "./bytes.ts";
import type { Zstd } from "./zstd.ts";

const MAGIC = 0x444d4c4c; // "LLMD"
const VERSION = 1;
const PART_BYTES = 32 * 1024 * 1024;
const MAX_PARTS = 64;
const LEVEL = 3;

export async function encodeDerived(
  zstd: Zstd,
  bytes: Uint8Array,
  generation: number,
): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += PART_BYTES) {
    parts.push(zstd.compress(bytes.subarray(at, at + PART_BYTES), LEVEL));
    await new Promise<void>((resolve) => setTimeout(resolve, 0));
  }
  if (parts.length > MAX_PARTS)
    throw new AppError("too_large", `Derived data of ${bytes.length} bytes is too large.`);
  const head = new ByteWriter()
    .u32(MAGIC)
    .u16(VERSION)
    .u32(generation >>> 0)
    .u32(Math.floor(generation / 2 ** 32))
    .u16(parts.length);
  for (const part of parts) head.u32(part.length);
  const body = concatBytes([head.finish(), ...parts]);
  return concatBytes([new ByteWriter().u32(crc32c(body)).finish(), body]);
}

/** Null when it is damaged, of another format version, or not of this generation. */
export function decodeDerived(
  zstd: Zstd,
  file: Uint8Array,
  generation: number | "any",
): Uint8Array | null {
  try {
    const reader = new ByteReader(file, "derived data");
    if (reader.u32() !== crc32c(file.subarray(4))) return null;
    if (reader.u32() !== MAGIC || reader.u16() !== VERSION) return null;
    const written = reader.u32() + reader.u32() * 2 ** 32;
    if (generation !== "any" && written !== generation) return null;
    const sizes = Array.from({ length: reader.u16() }, () => reader.u32());
    return concatBytes(
      sizes.map((size) => zstd.decompress(reader.bytes(size), { maxBytes: PART_BYTES })),
    );
  } catch (error) {
    if (error instanceof AppError) return null;
    throw error;
  }
}
