/** Reads everything that a store's coded texts hold, the way someone would who looks for what was erased. */

import {
  MemoryFileStore,
  type MemoryVolume,
} from "../../../src/platform/memory/memory-file-store.ts";
import { ByteReader } from "../../../src/storage/bytes.ts";
import { readManifest } from "../../../src/storage/manifest.ts";
import { Segment } from "../../../src/storage/segment.ts";
import { PrimeStore } from "../../../src/storage/text-codec/prime-store.ts";
import { PRIME_PIECE_BYTES } from "../../../src/storage/text-codec/text-codec.ts";
import { WasmTextModel } from "../../../src/storage/text-codec/wasm-model.ts";
import { loadZstd } from "../../../src/storage/zstd.ts";

/** Texts of all blocks and of all primes that lie in the folder, as one string of Latin-1. */
export async function readCodedTexts(volume: MemoryVolume): Promise<string> {
  const copy = volume.clone();
  copy.opened = false;
  const files = new MemoryFileStore(copy);
  const zstd = await loadZstd();
  const { manifest } = await readManifest(files);
  const primes = new PrimeStore(files);
  for (const info of manifest!.primes ?? []) await primes.open(info);
  const parts: string[] = [];
  for (const info of manifest!.segments) {
    const segment = await Segment.open(files, zstd, info, primes);
    for (let number = 0; number < segment.blocks.length; number++)
      for (const text of await segment.readBlock(number)) parts.push(latin1(text));
  }
  for (const [path, bytes] of copy.files)
    if (/^prime-\d+$/.test(path)) parts.push(await primeText(bytes));
  return parts.join("\n");
}

/** The text of a prime, decoded piece by piece. */
async function primeText(file: Uint8Array): Promise<string> {
  const reader = new ByteReader(file, "prime", 10);
  const slotBits = reader.u8();
  const [sizeBytes, , count] = [reader.varint(), reader.varint(), reader.varint()];
  for (let i = 0; i < count; i++) reader.varint();
  const model = (await WasmTextModel.create(slotBits, sizeBytes))!;
  let text = "";
  for (let at = 0; at < sizeBytes; at += PRIME_PIECE_BYTES) {
    const packed = reader.bytes(reader.varint());
    text += latin1(model.decode(packed, Math.min(PRIME_PIECE_BYTES, sizeBytes - at)));
  }
  return text;
}

const latin1 = (bytes: Uint8Array) => Buffer.from(bytes).toString("latin1");
