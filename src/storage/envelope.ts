/**
 * What must be kept beside a memory's text to give back the exact source: the raw mail around a
 * body, a Latin-1 file, a JavaScript string with lone surrogates.
 *
 * Original bytes are coded as copies out of the text's UTF-8 and the bytes between them: a mail
 * costs its headers, a file with CRLF its line ends. Where the text doesn't help (Base64) they are
 * kept whole. Either way a CRC-32C proves what comes back.
 *
 * Layout: 0xE1, flags, [surrogates: count, (gap, unit u16)…, crc u32], [original: size, crc u32,
 * payload]. Numbers are LEB128, fixed widths little-endian.
 */

import { AppError } from "../errors.ts";
import { ByteReader, ByteWriter, concatBytes, crc32c, equalBytes } from "./bytes.ts";

const MAGIC = 0xe1;
const FLAG_SURROGATES = 1;
const FLAG_PATCH = 2;
const FLAG_WHOLE = 4;

/** Shorter copies cost as much as their bytes. */
const MIN_COPY = 12;
/** Decoded originals are bounded: a damaged size must not exhaust memory. */
const MAX_ORIGINAL_BYTES = 256 * 1024 * 1024;

const utf8 = new TextEncoder();

/**
 * The envelope of a text, or null when `text` is well-formed and `original` is absent or its UTF-8.
 * The text that is stored as `content` is `text.toWellFormed()`.
 */
export function encodeEnvelope(text: string, original: Uint8Array | undefined): Uint8Array | null {
  const surrogates = findLoneSurrogates(text);
  const content = utf8.encode(text); // lone surrogates become U+FFFD, as in toWellFormed()
  const needsOriginal = original !== undefined && !equalBytes(original, content);
  if (surrogates.length === 0 && !needsOriginal) return null;

  const patch = needsOriginal ? encodePatch(content, original) : null;
  const usePatch = patch !== null && patch.length < original!.length;
  const writer = new ByteWriter().u8(MAGIC);
  writer.u8(
    (surrogates.length > 0 ? FLAG_SURROGATES : 0) |
      (needsOriginal ? (usePatch ? FLAG_PATCH : FLAG_WHOLE) : 0),
  );
  if (surrogates.length > 0) {
    writer.varint(surrogates.length);
    let last = 0;
    for (const at of surrogates) {
      writer.varint(at - last).u16(text.charCodeAt(at));
      last = at;
    }
    writer.u32(crc32c(utf16Bytes(text)));
  }
  if (needsOriginal)
    writer
      .varint(original.length)
      .u32(crc32c(original))
      .bytes(usePatch ? patch : original);
  return writer.finish();
}

/**
 * The exact source: `text` where it has lone surrogates that `content` can't hold, `original`
 * where the bytes were not the text's UTF-8. `corrupt_data` when a check fails.
 *
 * @param text the stored content; null when it faded, then only a whole original comes back
 */
export function decodeEnvelope(
  text: string | null,
  envelope: Uint8Array | null,
): { text?: string; original?: Uint8Array } {
  if (!envelope) return {};
  const reader = new ByteReader(envelope, "envelope of a memory");
  if (reader.u8() !== MAGIC) throw reader.fail("it has a wrong mark");
  const flags = reader.u8();
  if (flags === 0 || flags > 7 || (flags & 6) === 6)
    throw new AppError("unsupported_version", "The envelope of a memory is of an unknown kind.", {
      hint: "It was written by a newer version of this program; update.",
    });
  const result: { text?: string; original?: Uint8Array } = {};
  if (flags & FLAG_SURROGATES) {
    const exact = readSurrogates(reader, text);
    if (exact !== null) result.text = exact;
  }
  if (flags & (FLAG_PATCH | FLAG_WHOLE)) {
    const size = reader.varint();
    const crc = reader.u32();
    if (size > MAX_ORIGINAL_BYTES) throw reader.fail(`it declares ${size} bytes`);
    const payload = reader.bytes(reader.remaining);
    if (flags & FLAG_PATCH && text === null) return result;
    const original =
      flags & FLAG_WHOLE ? payload.slice() : decodePatch(utf8.encode(text!), payload, size);
    if (original.length !== size || crc32c(original) !== crc)
      throw reader.fail("the original's bytes fail their check");
    result.original = original;
  }
  return result;
}

function findLoneSurrogates(text: string): number[] {
  if (text.isWellFormed()) return [];
  const found: number[] = [];
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0xd800 || unit > 0xdfff) continue;
    const next = text.charCodeAt(i + 1);
    if (unit < 0xdc00 && next >= 0xdc00 && next <= 0xdfff) i++;
    else found.push(i);
  }
  return found;
}

function readSurrogates(reader: ByteReader, text: string | null): string | null {
  const count = reader.varint();
  const parts: string[] = [];
  let from = 0;
  let at = 0;
  for (let i = 0; i < count; i++) {
    at += reader.varint();
    const unit = reader.u16();
    if (text === null) continue;
    if (at >= text.length) throw reader.fail("a surrogate lies outside of the text");
    parts.push(text.slice(from, at), String.fromCharCode(unit));
    from = at + 1;
  }
  const crc = reader.u32();
  if (text === null) return null;
  const exact = parts.join("") + text.slice(from);
  if (crc32c(utf16Bytes(exact)) !== crc) throw reader.fail("the text fails its check");
  return exact;
}

function utf16Bytes(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length * 2);
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    bytes[2 * i] = unit;
    bytes[2 * i + 1] = unit >> 8;
  }
  return bytes;
}

function hashAt(bytes: Uint8Array, at: number, mask: number): number {
  const a = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
  const b =
    bytes[at + 4]! | (bytes[at + 5]! << 8) | (bytes[at + 6]! << 16) | (bytes[at + 7]! << 24);
  return ((Math.imul(a, 0x9e3779b1) ^ Math.imul(b, 0x85ebca6b)) >>> 7) & mask;
}

/** Operations (insert length, inserted bytes, copy offset, copy length)… that rebuild `target` from `base`. */
function encodePatch(base: Uint8Array, target: Uint8Array): Uint8Array {
  const bits = Math.min(18, Math.max(8, Math.ceil(Math.log2(base.length + 1))));
  const mask = (1 << bits) - 1;
  const table = new Int32Array(1 << bits).fill(-1);
  for (let i = 0; i + 8 <= base.length; i += 2) table[hashAt(base, i, mask)] = i;
  const writer = new ByteWriter();
  let inserted = 0;
  /** The source that continues the last copy is tried first: text mostly goes on after a gap. */
  let expected = 0;
  const match = (from: number, at: number): number => {
    let length = 0;
    while (
      from + length < base.length &&
      at + length < target.length &&
      base[from + length] === target[at + length]
    )
      length++;
    return length;
  };
  for (let at = 0; at + 8 <= target.length;) {
    let from = -1;
    let length = 0;
    for (let gap = 0; gap < 4 && length < MIN_COPY; gap++) {
      const candidate = expected + gap;
      const found = candidate < base.length ? match(candidate, at) : 0;
      if (found > length) [from, length] = [candidate, found];
    }
    if (length < MIN_COPY) {
      const candidate = table[hashAt(target, at, mask)]!;
      const found = candidate < 0 ? 0 : match(candidate, at);
      if (found > length) [from, length] = [candidate, found];
    }
    if (length < MIN_COPY) {
      at++;
      continue;
    }
    while (at > inserted && from > 0 && base[from - 1] === target[at - 1]) {
      from--;
      at--;
      length++;
    }
    writer.varint(at - inserted).bytes(target.subarray(inserted, at));
    // Offset relative to where the last copy ended, signed: almost always a small number.
    const step = from - expected;
    writer.varint(step >= 0 ? step * 2 : -step * 2 - 1).varint(length);
    expected = from + length;
    at += length;
    inserted = at;
  }
  writer.varint(target.length - inserted).bytes(target.subarray(inserted));
  return writer.finish();
}

function decodePatch(base: Uint8Array, payload: Uint8Array, size: number): Uint8Array {
  const reader = new ByteReader(payload, "envelope of a memory");
  const parts: Uint8Array[] = [];
  let total = 0;
  let expected = 0;
  for (;;) {
    const inserted = reader.bytes(reader.varint());
    parts.push(inserted);
    total += inserted.length;
    if (reader.remaining === 0) break;
    const step = reader.varint();
    const from = expected + (step % 2 === 0 ? step / 2 : -(step + 1) / 2);
    const length = reader.varint();
    if (from < 0 || from + length > base.length || total + length > size)
      throw reader.fail("it refers to text that isn't there");
    parts.push(base.subarray(from, from + length));
    total += length;
    expected = from + length;
  }
  return concatBytes(parts);
}
