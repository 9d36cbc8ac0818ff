/**
 * Cuts a text file of any size into sections that together are the file, byte for byte.
 *
 * The file is decoded window by window; a cutter says where a window may be cut, the last section of
 * a window is held back and joined to the next. A file larger than one window is read twice: once to
 * check its encoding and count the sections, once to yield them ("part 3/17").
 */

import type { Span } from "./segmentation.ts";
import { concatBytes, readSample, readSlices, SLICE_BYTES } from "./blob-reader.ts";
import {
  assertText,
  decodeBytes,
  detectEncoding,
  fixWindows1252,
  sameAsUtf8,
  type FileEncoding,
} from "./decoding.ts";
import { AppError } from "../../errors.ts";

/** Spans that cover the whole text without gap or overlap. */
export type Cutter = (text: string) => Span[];

export interface TextSection {
  text: string;
  /** The source bytes when they aren't the UTF-8 of `text`. */
  original?: Uint8Array;
  /** 1-based. */
  part: number;
  partCount: number;
}

/** Encodings in which one UTF-16 unit is one byte. */
const SINGLE_BYTE =
  /^(?:windows-125\d|windows-874|iso-8859-\d+i?|koi8-[ru]|macintosh|x-mac-cyrillic|ibm866)$/;

const isBlank = (text: string): boolean => !/\S/.test(text);

/** Checks the encoding against the whole file, because a sample may be plain ASCII. */
export async function fileEncoding(
  blob: Blob,
  name: string,
  options: { signal?: AbortSignal | undefined; charset?: string | undefined } = {},
): Promise<FileEncoding> {
  const sample = await readSample(blob);
  assertText(sample, name);
  const complete = sample.length === blob.size;
  const detected = detectEncoding(sample, { complete, charset: options.charset });
  if (complete || detected.encoding !== "utf-8") return detected;
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let lastSlice = sample;
  try {
    for await (const slice of readSlices(blob, options.signal)) {
      lastSlice = slice;
      decoder.decode(slice, { stream: true });
    }
    decoder.decode();
    return detected;
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    if (detected.bomBytes > 0) return { ...detected, strict: false };
    return { ...detectEncoding(lastSlice, { complete: false, ...options }), bomBytes: 0 };
  }
}

/** A text file as UTF-8, for readers that look for bytes: the file itself where it is that already. */
export async function asUtf8(blob: Blob, name: string, signal?: AbortSignal): Promise<Blob> {
  const { encoding } = await fileEncoding(blob, name, { signal });
  if (encoding === "utf-8") return blob;
  const decoder = new TextDecoder(encoding);
  const clean = (text: string): string =>
    encoding === "windows-1252" ? fixWindows1252(text) : text;
  const parts: Blob[] = [];
  for await (const slice of readSlices(blob, signal))
    parts.push(new Blob([clean(decoder.decode(slice, { stream: true }))]));
  parts.push(new Blob([clean(decoder.decode())]));
  return new Blob(parts);
}

/** Where a window of bytes may end without cutting a character: after a line break, else a space, else anywhere safe. */
function windowEnd(bytes: Uint8Array, encoding: string): number {
  if (encoding.startsWith("utf-16")) {
    const low = encoding === "utf-16le" ? 0 : 1;
    const even = bytes.length & ~1;
    for (let i = even - 2; i >= 0; i -= 2)
      if (bytes[i + low] === 10 && bytes[i + 1 - low] === 0) return i + 2;
    const high = bytes[even - 1 - low]!;
    return high >= 0xd8 && high < 0xdc ? even - 2 : even;
  }
  const lineBreak = bytes.lastIndexOf(10);
  if (lineBreak >= 0) return lineBreak + 1;
  const space = bytes.lastIndexOf(32);
  if (space >= 0) return space + 1;
  let end = bytes.length;
  while (end > bytes.length - 4 && end > 1 && (bytes[end - 1]! & 0xc0) === 0x80) end--;
  if (end > 1 && bytes[end - 1]! >= 0xc0) end--;
  return end;
}

/** Byte offsets of ascending UTF-16 offsets in a decoded window. */
function byteOffsets(
  text: string,
  bytes: Uint8Array,
  ends: number[],
  file: FileEncoding,
): number[] {
  const { encoding, strict } = file;
  if (SINGLE_BYTE.test(encoding)) return ends;
  if (encoding.startsWith("utf-16")) return ends.map((end) => end * 2);
  const encoder = new TextEncoder();
  let at = 0;
  let from = 0;
  if (encoding === "utf-8" && strict)
    return ends.map((end) => {
      at += encoder.encode(text.slice(from, end)).length;
      from = end;
      return at;
    });
  // Multi-byte or damaged text: walk whole lines in both, then the rest of a line byte by byte.
  let lineText = 0;
  let lineByte = 0;
  return ends.map((end) => {
    for (;;) {
      const next = text.indexOf("\n", lineText);
      const nextByte = bytes.indexOf(10, lineByte);
      if (next < 0 || next + 1 > end || nextByte < 0) break;
      lineText = next + 1;
      lineByte = nextByte + 1;
    }
    const decoder = new TextDecoder(encoding, { ignoreBOM: true });
    let produced = lineText;
    let byte = lineByte;
    while (produced < end && byte < bytes.length) {
      produced += decoder.decode(bytes.subarray(byte, byte + 1), { stream: true }).length;
      byte++;
    }
    return byte;
  });
}

/** Joins sections of white space to their neighbour: an item has to say something. */
function joinBlanks(text: string, spans: readonly Span[]): Span[] {
  const joined: Span[] = [];
  for (const span of spans) {
    const last = joined[joined.length - 1];
    if (
      last &&
      (isBlank(text.slice(span.start, span.end)) || isBlank(text.slice(last.start, last.end)))
    )
      last.end = span.end;
    else joined.push({ ...span });
  }
  return joined;
}

interface RawSection {
  text: string;
  bytes: Uint8Array;
}

async function* rawSections(
  blob: Blob,
  file: FileEncoding,
  cut: Cutter,
  signal: AbortSignal | undefined,
): AsyncGenerator<RawSection> {
  let held: Uint8Array = new Uint8Array();
  let mark = file.bomBytes;
  let readTotal = 0;
  for await (const slice of readSlices(blob, signal)) {
    readTotal += slice.length;
    const last = readTotal >= blob.size;
    const buffer = held.length === 0 ? slice : concatBytes([held, slice]);
    const usable = last ? buffer.length : windowEnd(buffer, file.encoding);
    const window = buffer.subarray(mark, usable);
    const text = decodeBytes(window, file.encoding);
    const spans = joinBlanks(text, cut(text));
    if (!last) spans.pop();
    const ends = byteOffsets(
      text,
      window,
      spans.map((span) => span.end),
      file,
    );
    let from = 0;
    for (let i = 0; i < spans.length; i++) {
      const end = last && i === spans.length - 1 ? window.length : ends[i]!;
      yield {
        text: text.slice(spans[i]!.start, spans[i]!.end),
        bytes: i === 0 && mark > 0 ? buffer.subarray(0, mark + end) : window.subarray(from, end),
      };
      from = end;
    }
    if (spans.length > 0) {
      held = buffer.subarray(mark + from);
      mark = 0;
    } else held = buffer;
  }
}

/**
 * The sections of a text file, in order. Their bytes (`original`, else the UTF-8 of `text`) put
 * together are the file.
 *
 * @param makeCutter called once per pass over the file, so that a cutter may keep state
 * @throws AppError `invalid_input` (empty, only white space), `unsupported_input` (binary)
 */
export async function* textSections(
  blob: Blob,
  name: string,
  makeCutter: () => Cutter,
  signal?: AbortSignal,
): AsyncGenerator<TextSection> {
  const file = await fileEncoding(blob, name, { signal });
  const plain = file.encoding === "utf-8" && file.strict;
  const finish = (raw: RawSection, part: number, partCount: number): TextSection => {
    const same = plain && !(part === 1 && file.bomBytes > 0);
    return {
      text: raw.text,
      ...(same || sameAsUtf8(raw.text, raw.bytes) ? {} : { original: raw.bytes.slice() }),
      part,
      partCount,
    };
  };
  const checked = (raw: RawSection): RawSection => {
    if (isBlank(raw.text))
      throw new AppError("invalid_input", `${name} holds only white space.`, {
        hint: "There is nothing to remember in it; leave it out.",
      });
    return raw;
  };
  if (blob.size <= SLICE_BYTES) {
    const all: RawSection[] = [];
    for await (const raw of rawSections(blob, file, makeCutter(), signal)) all.push(checked(raw));
    for (const [i, raw] of all.entries()) yield finish(raw, i + 1, all.length);
    return;
  }
  let count = 0;
  for await (const raw of rawSections(blob, file, makeCutter(), signal)) {
    checked(raw);
    count++;
  }
  let part = 0;
  for await (const raw of rawSections(blob, file, makeCutter(), signal))
    yield finish(raw, ++part, count);
}
