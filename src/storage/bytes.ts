/** Growing byte writer, bounded reader and CRC-32C: the tools of every binary format in this layer. */

import { sha256 } from "@noble/hashes/sha2.js";
import { AppError } from "../errors.ts";
import { writeHex } from "../model/hex.ts";

const POLYNOMIAL = 0x82f63b78; // Castagnoli, reflected
/** Slicing-by-8 tables: eight bytes per step instead of one. */
const TABLES: Uint32Array[] = Array.from({ length: 8 }, () => new Uint32Array(256));
for (let i = 0; i < 256; i++) {
  let crc = i;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
  TABLES[0]![i] = crc;
}
for (let t = 1; t < 8; t++)
  for (let i = 0; i < 256; i++) {
    const previous = TABLES[t - 1]![i]!;
    TABLES[t]![i] = (previous >>> 8) ^ TABLES[0]![previous & 0xff]!;
  }

/** Bytes from which four parts side by side take less time than one after the other. */
const SIDE_BY_SIDE_BYTES = 16_384;
const IS_LITTLE_ENDIAN = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1;

/** CRC-32C (RFC 3720 §B.4) of `bytes`; pass the last result as `seed` to go on over several pieces. */
export function crc32c(bytes: Uint8Array, seed = 0): number {
  let register = ~seed;
  let at = 0;
  if (bytes.length >= SIDE_BY_SIDE_BYTES && IS_LITTLE_ENDIAN) {
    // Words begin at addresses that are multiples of four.
    at = -bytes.byteOffset & 3;
    register = pass(register, bytes, 0, at);
    while (bytes.length - at >= SIDE_BY_SIDE_BYTES) {
      // Powers of two: few tables of `skip` are needed.
      const partBytes = 2 ** (29 - Math.clz32(bytes.length - at));
      const words = new Int32Array(bytes.buffer, bytes.byteOffset + at, partBytes);
      register = passSideBySide(register, words, partBytes);
      at += 4 * partBytes;
    }
  }
  return ~pass(register, bytes, at, bytes.length) >>> 0;
}

function pass(register: number, bytes: Uint8Array, from: number, to: number): number {
  const [t0, t1, t2, t3, t4, t5, t6, t7] = TABLES as EightTables;
  let crc = register;
  let i = from;
  for (const end = to - 7; i < end; i += 8) {
    crc ^= bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24);
    crc =
      t7[crc & 0xff]! ^
      t6[(crc >>> 8) & 0xff]! ^
      t5[(crc >>> 16) & 0xff]! ^
      t4[crc >>> 24]! ^
      t3[bytes[i + 4]!]! ^
      t2[bytes[i + 5]!]! ^
      t1[bytes[i + 6]!]! ^
      t0[bytes[i + 7]!]!;
  }
  for (; i < to; i++) crc = (crc >>> 8) ^ t0[(crc ^ bytes[i]!) & 0xff]!;
  return crc;
}

type EightTables = [
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
];

/** Four parts of a quarter of the words: no step of one waits for another's, then they are joined. */
function passSideBySide(register: number, words: Int32Array, partBytes: number): number {
  const [t0, t1, t2, t3] = TABLES as EightTables;
  const count = partBytes >>> 2;
  let a = register;
  let b = 0;
  let c = 0;
  let d = 0;
  for (let i = 0; i < count; i++) {
    a ^= words[i]!;
    b ^= words[count + i]!;
    c ^= words[2 * count + i]!;
    d ^= words[3 * count + i]!;
    a = t3[a & 0xff]! ^ t2[(a >>> 8) & 0xff]! ^ t1[(a >>> 16) & 0xff]! ^ t0[a >>> 24]!;
    b = t3[b & 0xff]! ^ t2[(b >>> 8) & 0xff]! ^ t1[(b >>> 16) & 0xff]! ^ t0[b >>> 24]!;
    c = t3[c & 0xff]! ^ t2[(c >>> 8) & 0xff]! ^ t1[(c >>> 16) & 0xff]! ^ t0[c >>> 24]!;
    d = t3[d & 0xff]! ^ t2[(d >>> 8) & 0xff]! ^ t1[(d >>> 16) & 0xff]! ^ t0[d >>> 24]!;
  }
  const skip = skipOf(partBytes);
  return apply(skip, apply(skip, apply(skip, a) ^ b) ^ c) ^ d;
}

const SKIPS = new Map<number, Uint32Array>();

/** What `zeroBytes` zeros, a power of two, make of each bit of the register: a 32 x 32 matrix over GF(2). */
function skipOf(zeroBytes: number): Uint32Array {
  let skip = SKIPS.get(zeroBytes);
  if (skip === undefined) {
    const half = zeroBytes === 1 ? null : skipOf(zeroBytes / 2);
    skip = Uint32Array.from({ length: 32 }, (_, bit) => {
      if (half !== null) return apply(half, half[bit]!);
      const value = 2 ** bit;
      return (value >>> 8) ^ TABLES[0]![value & 0xff]!;
    });
    SKIPS.set(zeroBytes, skip);
  }
  return skip;
}

function apply(matrix: Uint32Array, register: number): number {
  let result = 0;
  for (let bit = 0; bit < 32; bit++) if ((register >>> bit) & 1) result ^= matrix[bit]!;
  return result;
}

export function concatBytes(parts: readonly Uint8Array[]): Uint8Array {
  let size = 0;
  for (const part of parts) size += part.length;
  const result = new Uint8Array(size);
  let offset = 0;
  for (const part of parts) {
    result.set(part, offset);
    offset += part.length;
  }
  return result;
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Character codes of the hash that is being written. */
const hexCodes = Array.from({ length: 64 }, () => 0);

/** Of a SHA-256. */
function hexOf(hash: Uint8Array): string {
  for (let i = 0; i < hash.length; i++) writeHex(hash[i]!, hexCodes, 2 * i);
  return String.fromCharCode(...hexCodes);
}

/** SHA-256 of bytes, or of the UTF-8 of a text, as lower-case hex. */
export async function sha256Hex(data: Uint8Array | string): Promise<string> {
  const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
  const digest = await crypto.subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>);
  return hexOf(new Uint8Array(digest));
}

/** Longer texts are hashed by the platform, where that may be waited for. */
const SHORT_TEXT_UNITS = 4096;
const scratch = new Uint8Array(3 * SHORT_TEXT_UNITS);
const utf8 = new TextEncoder();

/** SHA-256 of the UTF-8 of a well-formed text, in lower-case hex, and the bytes of it; without a promise. */
export function hashText(text: string): { sha256: string; sizeBytes: number } {
  const bytes =
    text.length > SHORT_TEXT_UNITS
      ? utf8.encode(text)
      : scratch.subarray(0, utf8.encodeInto(text, scratch).written);
  return { sha256: hexOf(sha256(bytes)), sizeBytes: bytes.length };
}

/** As `sha256Hex`; for short texts a promise is made only where one is needed. */
export function textSha256(text: string): string | Promise<string> {
  return text.length > SHORT_TEXT_UNITS ? sha256Hex(text) : hashText(text).sha256;
}

/** Little-endian writer that grows. */
export class ByteWriter {
  #bytes = new Uint8Array(256);
  #view = new DataView(this.#bytes.buffer);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  #room(count: number): number {
    const at = this.#size;
    if (at + count > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(at + count, this.#bytes.length * 2));
      grown.set(this.#bytes.subarray(0, at));
      this.#bytes = grown;
      this.#view = new DataView(grown.buffer);
    }
    this.#size += count;
    return at;
  }

  u8(value: number): this {
    const at = this.#room(1);
    this.#bytes[at] = value;
    return this;
  }

  u16(value: number): this {
    const at = this.#room(2);
    this.#view.setUint16(at, value, true);
    return this;
  }

  u32(value: number): this {
    const at = this.#room(4);
    this.#view.setUint32(at, value, true);
    return this;
  }

  /** Unsigned LEB128, up to 2^53. */
  varint(value: number): this {
    let rest = value;
    while (rest >= 0x80) {
      this.u8((rest % 0x80) | 0x80);
      rest = Math.floor(rest / 0x80);
    }
    return this.u8(rest);
  }

  bytes(value: Uint8Array): this {
    const at = this.#room(value.length);
    this.#bytes.set(value, at);
    return this;
  }

  /** The written bytes, as a copy. */
  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#size);
  }
}

/** Little-endian reader; reading past the end is `corrupt_data` naming `what`. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #what: string;
  offset: number;

  constructor(bytes: Uint8Array, what: string, offset = 0) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#what = what;
    this.offset = offset;
  }

  get remaining(): number {
    return this.#bytes.length - this.offset;
  }

  fail(why: string): AppError {
    return new AppError("corrupt_data", `The ${this.#what} is damaged: ${why}.`);
  }

  #take(count: number): number {
    if (count > this.remaining) throw this.fail("it ends too early");
    const at = this.offset;
    this.offset += count;
    return at;
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#take(2), true);
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  varint(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 0x80) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      if (!Number.isSafeInteger(value)) throw this.fail("a number is out of range");
      if (byte < 0x80) return value;
    }
  }

  /** A view, not a copy. */
  bytes(count: number): Uint8Array {
    const at = this.#take(count);
    return this.#bytes.subarray(at, at + count);
  }
}
