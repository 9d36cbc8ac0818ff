/** Walks one posting list in the order of its documents, over whole blocks where nothing is wanted of them. */

import { getU32 } from "./byte-sink.ts";
import { BLOCK, blockCount, decodeBlock, SKIP_BYTES, skipBytes } from "./posting-codec.ts";
import type { Span } from "./segment.ts";

/** No document: after the last. */
export const END = 0xffff_ffff;

export class ListCursor {
  /** The current document; `END` after the last. Before the first `next` it is none. */
  doc = -1;
  readonly #bytes: Uint8Array;
  readonly #at: number;
  readonly #count: number;
  readonly #blocksAt: number;
  readonly #positionsAt: number;
  readonly #docs = new Uint32Array(BLOCK);
  readonly #frequencies = new Uint8Array(BLOCK);
  #block = -1;
  #inBlock = 0;
  #blockSize = 0;
  /** Where the positions of posting `#positionOf` of the block begin. */
  #positionAt = 0;
  #positionOf = 0;

  constructor(span: Span, count: number, docBytes: number) {
    this.#bytes = span.bytes;
    this.#at = span.at;
    this.#count = count;
    this.#blocksAt = span.at + skipBytes(count);
    this.#positionsAt = span.at + docBytes;
  }

  get frequency(): number {
    return this.#frequencies[this.#inBlock]!;
  }

  next(): number {
    if (++this.#inBlock < this.#blockSize) return (this.doc = this.#docs[this.#inBlock]!);
    return this.#open(this.#block + 1);
  }

  /** Goes to the first document that is `target` or after it, if it isn't there yet. */
  advance(target: number): number {
    if (this.doc >= target) return this.doc;
    if (this.#blockSize === 0 || this.#docs[this.#blockSize - 1]! < target) {
      const block = this.#blockWith(target);
      if (block < 0) return this.#end();
      this.#open(block);
    }
    const docs = this.#docs;
    let i = this.#inBlock;
    while (i < this.#blockSize && docs[i]! < target) i++;
    // A list of one block has no table to say beforehand that it ends before the target.
    if (i === this.#blockSize) return this.#end();
    this.#inBlock = i;
    return (this.doc = docs[i]!);
  }

  /** Writes the current document's word positions into `out`, which grows; returns how many there are. */
  positions(out: { at: Uint32Array }): number {
    const bytes = this.#bytes;
    let at = this.#positionAt;
    for (; this.#positionOf < this.#inBlock; this.#positionOf++)
      for (let last = 0; last === 0;) {
        last = bytes[at]! & 1;
        while (bytes[at++]! >= 0x80);
      }
    this.#positionAt = at;
    let count = 0;
    let position = 0;
    for (let last = 0; last === 0 && at < bytes.length;) {
      let byte = bytes[at++]!;
      last = byte & 1;
      let value = byte & 0x7f;
      for (let shift = 7; byte >= 0x80; shift += 7) {
        byte = bytes[at++]!;
        value |= (byte & 0x7f) << shift;
      }
      position += value >>> 1;
      if (count === out.at.length) {
        const larger = new Uint32Array(count * 2);
        larger.set(out.at);
        out.at = larger;
      }
      out.at[count++] = position;
    }
    return count;
  }

  /** The first block from the current one on whose last document is not before `target`; −1 without one. */
  #blockWith(target: number): number {
    let low = this.#block + 1;
    let high = blockCount(this.#count) - 1;
    if (low > high) return -1;
    if (this.#count <= BLOCK) return low;
    if (this.#lastOf(high) < target) return -1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#lastOf(middle) < target) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #lastOf(block: number): number {
    return getU32(this.#bytes, this.#at + block * SKIP_BYTES);
  }

  #open(block: number): number {
    const from = block * BLOCK;
    if (from >= this.#count) return this.#end();
    const before = this.#at + (block - 1) * SKIP_BYTES;
    const hasBefore = block > 0;
    const at = hasBefore ? this.#blocksAt + getU32(this.#bytes, before + 4) : this.#blocksAt;
    const previous = hasBefore ? getU32(this.#bytes, before) : -1;
    this.#blockSize = Math.min(BLOCK, this.#count - from);
    decodeBlock(this.#bytes, at, this.#blockSize, previous, this.#docs, this.#frequencies, 0);
    this.#positionAt = this.#positionsAt + (hasBefore ? getU32(this.#bytes, before + 8) : 0);
    this.#positionOf = 0;
    this.#block = block;
    this.#inBlock = 0;
    return (this.doc = this.#docs[0]!);
  }

  #end(): number {
    this.#blockSize = this.#inBlock = 0;
    this.#block = blockCount(this.#count);
    return (this.doc = END);
  }
}
