/**
 * How one term's postings are written: for each document its number, how often it has the term, and
 * where. Documents and frequencies of 128 postings make a block that is read without the positions.
 *
 *   list  = skip table (more than one block only), blocks, positions
 *   skip  = per block: u32 last document, u32 end of its block, u32 end of its positions, both from
 *           where blocks and positions start
 *   block = u8 width in bits, 0x80 when a frequency isn't one occurrence in a full column;
 *           gaps − 1 packed at that width; with 0x80: u8 count, then (u8 place, u8 frequency) each
 *   positions = per document LEB128 of (gap << 1 | last)
 *
 * A frequency is in half units: 2 for an occurrence in a column of weight 1, 1 in one of weight ½;
 * 255 means that or more (BM25 has levelled off long before).
 */

import { AppError } from "../../errors.ts";
import { getU32, putU32, type ByteSink } from "./byte-sink.ts";

export const BLOCK = 128;
export const SKIP_BYTES = 12;
/** One occurrence in a column of weight 1. */
export const ONE = 2;
export const MAX_FREQUENCY = 255;
const EXCEPTIONS = 0x80;
/** Above it the packing loop would leave 32 bits. */
const MAX_PACKED_WIDTH = 24;

/** A term's postings, decoded. Document numbers ascend; `positionEnds` are offsets into `positions`. */
export interface PostingList {
  count: number;
  docs: Uint32Array;
  frequencies: Uint8Array;
  positions: Uint8Array;
  positionEnds: Uint32Array;
}

export function emptyList(): PostingList {
  return {
    count: 0,
    docs: new Uint32Array(BLOCK),
    frequencies: new Uint8Array(BLOCK),
    positions: new Uint8Array(BLOCK * 2),
    positionEnds: new Uint32Array(BLOCK),
  };
}

/** Makes room for `count` postings and `positionBytes` of positions; what is there stays. */
export function growList(list: PostingList, count: number, positionBytes: number): void {
  if (count > list.docs.length) {
    const capacity = Math.max(count, list.docs.length * 2);
    list.docs = grown(list.docs, new Uint32Array(capacity));
    list.frequencies = grown(list.frequencies, new Uint8Array(capacity));
    list.positionEnds = grown(list.positionEnds, new Uint32Array(capacity));
  }
  if (positionBytes > list.positions.length)
    list.positions = grown(
      list.positions,
      new Uint8Array(Math.max(positionBytes, list.positions.length * 2)),
    );
}

function grown<T extends Uint8Array | Uint32Array>(old: T, larger: T): T {
  larger.set(old);
  return larger;
}

export function blockCount(count: number): number {
  return (count + BLOCK - 1) >>> 7;
}

/** Bytes of the skip table before the blocks. */
export function skipBytes(count: number): number {
  return count > BLOCK ? blockCount(count) * SKIP_BYTES : 0;
}

/** Writes skip table and blocks, then positions; returns the bytes before the positions. */
export function encodeList(list: PostingList, out: ByteSink): number {
  const start = out.size;
  const skips = skipBytes(list.count);
  const skipAt = out.room(skips);
  const blocksAt = out.size;
  let previous = -1;
  for (let from = 0, block = 0; from < list.count; from += BLOCK, block++) {
    const to = Math.min(list.count, from + BLOCK);
    encodeBlock(list, from, to, previous, out);
    previous = list.docs[to - 1]!;
    if (skips === 0) continue;
    const at = skipAt + block * SKIP_BYTES;
    putU32(out.bytes, at, previous);
    putU32(out.bytes, at + 4, out.size - blocksAt);
    putU32(out.bytes, at + 8, list.positionEnds[to - 1]!);
  }
  const docBytes = out.size - start;
  out.raw(list.positions, 0, list.count === 0 ? 0 : list.positionEnds[list.count - 1]!);
  return docBytes;
}

function encodeBlock(
  { docs, frequencies }: PostingList,
  from: number,
  to: number,
  before: number,
  out: ByteSink,
): void {
  let all = 0;
  let exceptions = 0;
  for (let i = from, previous = before; i < to; i++) {
    const doc = docs[i]!;
    all |= doc - previous - 1;
    previous = doc;
    if (frequencies[i] !== ONE) exceptions++;
  }
  const bits = 32 - Math.clz32(all);
  const width = bits > MAX_PACKED_WIDTH ? 32 : bits;
  out.u8(width | (exceptions > 0 ? EXCEPTIONS : 0));
  let at = out.room(((to - from) * width + 7) >>> 3);
  const { bytes } = out;
  let held = 0;
  let have = 0;
  for (let i = from, previous = before; i < to; i++) {
    const doc = docs[i]!;
    const gap = doc - previous - 1;
    previous = doc;
    if (width === 32) {
      putU32(bytes, at, gap);
      at += 4;
      continue;
    }
    held |= gap << have;
    for (have += width; have >= 8; have -= 8) {
      bytes[at++] = held;
      held >>>= 8;
    }
  }
  if (have > 0) bytes[at] = held;
  if (exceptions === 0) return;
  out.u8(exceptions);
  for (let i = from; i < to; i++)
    if (frequencies[i] !== ONE) {
      out.u8(i - from);
      out.u8(frequencies[i]!);
    }
}

/** Whether the last decoded block had frequencies other than one. */
export const decoded = { end: 0, plain: true };

/**
 * Decodes the block of `count` postings at `at` into `docs` and `frequencies` from `into`; `previous`
 * is the last document of the block before it, −1 for the first. Sets `decoded`.
 */
export function decodeBlock(
  bytes: Uint8Array,
  at: number,
  count: number,
  previous: number,
  docs: Uint32Array,
  frequencies: Uint8Array,
  into: number,
): void {
  const head = bytes[at++]!;
  const width = head & 0x7f;
  let doc = previous;
  const end = into + count;
  if (width === 0) for (let i = into; i < end; i++) docs[i] = ++doc;
  else if (width === 32)
    for (let i = into; i < end; i++, at += 4) docs[i] = doc += getU32(bytes, at) + 1;
  else {
    const mask = (1 << width) - 1;
    let held = 0;
    let have = 0;
    for (let i = into; i < end; i++) {
      for (; have < width; have += 8) held |= bytes[at++]! << have;
      docs[i] = doc += (held & mask) + 1;
      held >>>= width;
      have -= width;
    }
  }
  frequencies.fill(ONE, into, end);
  decoded.plain = head < EXCEPTIONS;
  if (!decoded.plain) {
    const exceptions = bytes[at++]!;
    for (let i = 0; i < exceptions; i++, at += 2)
      // A damaged place must not write outside of the block.
      if (bytes[at]! < count) frequencies[into + bytes[at]!] = bytes[at + 1]!;
  }
  decoded.end = at;
}

/** Adds a whole list, its documents numbered by `renumber` (−1: left out), to what `into` has. */
export function appendList(
  bytes: Uint8Array,
  at: number,
  docBytes: number,
  count: number,
  renumber: Int32Array,
  into: PostingList,
): void {
  let blockAt = at + skipBytes(count);
  let positionAt = at + docBytes;
  let previous = -1;
  for (let from = 0; from < count; from += BLOCK) {
    const n = Math.min(BLOCK, count - from);
    growList(into, into.count + n, 0);
    const first = into.count;
    decodeBlock(bytes, blockAt, n, previous, into.docs, into.frequencies, first);
    blockAt = decoded.end;
    previous = into.docs[first + n - 1]!;
    let kept = first;
    for (let i = first; i < first + n; i++) {
      const doc = renumber[into.docs[i]!]!;
      let end = positionAt;
      // The last position of a document is odd in its first byte: the flag is the lowest bit.
      for (let last = 0; last === 0;) {
        if (end >= bytes.length) throw new AppError("corrupt_data", "The word index is damaged.");
        last = bytes[end]! & 1;
        while (bytes[end++]! >= 0x80);
      }
      if (doc >= 0) {
        const target = kept === 0 ? 0 : into.positionEnds[kept - 1]!;
        growList(into, kept + 1, target + end - positionAt);
        for (let p = positionAt, o = target; p < end; p++, o++) into.positions[o] = bytes[p]!;
        into.docs[kept] = doc;
        into.frequencies[kept] = into.frequencies[i]!;
        into.positionEnds[kept++] = target + end - positionAt;
      }
      positionAt = end;
    }
    into.count = kept;
  }
}
