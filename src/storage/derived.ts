/**
 * Derived data beside the segments: snapshots of indexes, rebuilt by their owners when they are
 * missing or damaged, caught up when they are stale. A file says which generation of the store it
 * was made at, and is read in parts, so that an index larger than memory can stay on disk.
 *
 * File: parts, each one ZSTD frame or plain bytes; a directory (packed size u32 and CRC-32C u32 of
 * each part); a trailer (part size u32, sizes as two u32, generation as two u32, part count u32,
 * CRC-32C of directory and trailer so far, version u16, magic u32).
 */

import { AppError } from "../errors.ts";
import { nextTurn } from "../next-turn.ts";
import type { FileStore } from "../ports/file-store.ts";
import { ByteReader, ByteWriter, concatBytes, crc32c } from "./bytes.ts";
import type { DerivedFile } from "./memory-store.ts";
import type { Zstd } from "./zstd.ts";

const MAGIC = 0x444d4c4c; // "LLMD"
const VERSION = 2;
const TRAILER_BYTES = 34;
/** What the trailer's own check doesn't cover: itself, version, magic. */
const TRAILER_TAIL_BYTES = 10;
const LEVEL = 3;
/** A reader decodes whole parts. */
export const DEFAULT_PART_BYTES = 256 * 1024;
const MAX_PART_BYTES = 32 * 1024 * 1024;
/** Bytes of one append of a file that is written as it comes. */
const CHUNK_BYTES = 4 * 1024 * 1024;
/** How long making a file keeps the thread. */
const SLICE_MS = 8;

/** Makes a file's bytes piece by piece; the pieces in order are the file. */
export class DerivedEncoder {
  readonly #zstd: Zstd;
  readonly #generation: number;
  readonly #partBytes: number;
  readonly #directory = new ByteWriter();
  #rest: Uint8Array[] = [];
  #restBytes = 0;
  #sizeBytes = 0;
  #parts = 0;
  #turnSince = performance.now();

  constructor(zstd: Zstd, generation: number, partBytes = DEFAULT_PART_BYTES) {
    if (!(partBytes > 0 && partBytes <= MAX_PART_BYTES))
      throw new AppError("invalid_input", `Parts of ${partBytes} bytes can't be written.`);
    this.#zstd = zstd;
    this.#generation = generation;
    this.#partBytes = partBytes;
  }

  /** The parts that are full by now. Yields the thread between them when it had it for long. */
  async *add(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
    this.#sizeBytes += bytes.length;
    for (let at = 0; at < bytes.length;) {
      const room = this.#partBytes - this.#restBytes;
      const piece = bytes.subarray(at, at + room);
      this.#rest.push(piece);
      this.#restBytes += piece.length;
      at += piece.length;
      if (this.#restBytes < this.#partBytes) break;
      yield this.#flush();
      if (performance.now() - this.#turnSince < SLICE_MS) continue;
      await nextTurn();
      this.#turnSince = performance.now();
    }
    // The caller may change its buffer before the part is full.
    if (this.#restBytes > 0) this.#rest = [concatBytes(this.#rest)];
  }

  #flush(): Uint8Array {
    const part = this.#rest.length === 1 ? this.#rest[0]! : concatBytes(this.#rest);
    [this.#rest, this.#restBytes] = [[], 0];
    const packed = this.#zstd.compress(part, LEVEL);
    const stored = packed.length < part.length ? packed : part.slice();
    this.#directory.u32(stored.length).u32(crc32c(stored));
    this.#parts++;
    return stored;
  }

  /** The last part, the directory and the trailer. */
  finish(): Uint8Array {
    const last = this.#restBytes > 0 ? this.#flush() : new Uint8Array();
    const checked = new ByteWriter()
      .bytes(this.#directory.finish())
      .u32(this.#partBytes)
      .u32(this.#sizeBytes >>> 0)
      .u32(Math.floor(this.#sizeBytes / 2 ** 32))
      .u32(this.#generation >>> 0)
      .u32(Math.floor(this.#generation / 2 ** 32))
      .u32(this.#parts)
      .finish();
    return new ByteWriter()
      .bytes(last)
      .bytes(checked)
      .u32(crc32c(checked))
      .u16(VERSION)
      .u32(MAGIC)
      .finish();
  }
}

export async function encodeDerived(
  zstd: Zstd,
  bytes: Uint8Array,
  generation: number,
  partBytes?: number,
): Promise<Uint8Array> {
  const encoder = new DerivedEncoder(zstd, generation, partBytes);
  const parts: Uint8Array[] = [];
  for await (const part of encoder.add(bytes)) parts.push(part);
  return concatBytes([...parts, encoder.finish()]);
}

/** Writes a file as its bytes come, in bounded memory. It counts once its trailer is there. */
export async function appendDerived(
  files: FileStore,
  path: string,
  source: AsyncIterable<Uint8Array>,
  encoder: DerivedEncoder,
): Promise<void> {
  let waiting: Uint8Array[] = [];
  let size = 0;
  const append = async (): Promise<void> => {
    await files.append(path, concatBytes(waiting));
    [waiting, size] = [[], 0];
  };
  for await (const bytes of source)
    for await (const part of encoder.add(bytes)) {
      waiting.push(part);
      size += part.length;
      if (size >= CHUNK_BYTES) await append();
    }
  waiting.push(encoder.finish());
  await append();
}

/** Null when there is none, or when its directory is damaged or of another format version. */
export async function openDerived(
  files: FileStore,
  zstd: Zstd,
  path: string,
): Promise<DerivedFile | null> {
  const stat = await files.stat(path);
  if (!stat || stat.sizeBytes < TRAILER_BYTES) return null;
  const trailer = await files.read(path, stat.sizeBytes - TRAILER_BYTES, TRAILER_BYTES);
  const reader = new ByteReader(trailer, "derived data");
  const partBytes = reader.u32();
  const sizeBytes = reader.u32() + reader.u32() * 2 ** 32;
  const generation = reader.u32() + reader.u32() * 2 ** 32;
  const parts = reader.u32();
  const crc = reader.u32();
  if (reader.u16() !== VERSION || reader.u32() !== MAGIC) return null;
  const directoryBytes = 8 * parts;
  const from = stat.sizeBytes - TRAILER_BYTES - directoryBytes;
  if (from < 0 || partBytes > MAX_PART_BYTES || parts !== Math.ceil(sizeBytes / partBytes))
    return null;
  const directory = await files.read(path, from, directoryBytes);
  const checked = crc32c(
    trailer.subarray(0, TRAILER_BYTES - TRAILER_TAIL_BYTES),
    crc32c(directory),
  );
  if (checked !== crc) return null;
  const view = new DataView(directory.buffer, directory.byteOffset, directory.byteLength);
  const offsets = new Float64Array(parts + 1);
  for (let i = 0; i < parts; i++) offsets[i + 1] = offsets[i]! + view.getUint32(8 * i, true);
  if (offsets[parts] !== from) return null;

  const damaged = (part: number) =>
    new AppError("corrupt_data", `Part ${part} of "${path}" is damaged.`, {
      hint: "It is made anew from the memories.",
    });
  /** Parts [first, last], with one read. Whoever wants some again keeps them. */
  const readParts = async (first: number, last: number): Promise<Uint8Array[]> => {
    const start = offsets[first]!;
    const packed = await files.read(path, start, offsets[last + 1]! - start);
    return Array.from({ length: last - first + 1 }, (_, i) => {
      const number = first + i;
      const own = packed.subarray(offsets[number]! - start, offsets[number + 1]! - start);
      if (crc32c(own) !== view.getUint32(8 * number + 4, true)) throw damaged(number);
      const size = Math.min(partBytes, sizeBytes - number * partBytes);
      const bytes = own.length === size ? own : zstd.decompress(own, { maxBytes: size });
      if (bytes.length !== size) throw damaged(number);
      return bytes;
    });
  };
  return {
    generation,
    sizeBytes,
    async read(offset = 0, length = sizeBytes - offset) {
      const end = Math.min(sizeBytes, offset + length);
      if (!(offset >= 0 && end > offset)) return new Uint8Array();
      const first = Math.floor(offset / partBytes);
      const last = Math.floor((end - 1) / partBytes);
      const out = new Uint8Array(end - offset);
      // Some at a time, so that reading all needs no second copy of it.
      const step = Math.max(1, Math.floor(CHUNK_BYTES / partBytes));
      for (let at = first; at <= last; at += step)
        for (const [i, part] of (await readParts(at, Math.min(last, at + step - 1))).entries()) {
          const start = (at + i) * partBytes;
          const own = part.subarray(Math.max(0, offset - start), end - start);
          out.set(own, Math.max(0, start - offset));
        }
      return out;
    },
  };
}
