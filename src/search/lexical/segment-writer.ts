/**
 * Writes one immutable segment of the word index, term by term in the order of their bytes. Bytes leave
 * by `emit` in pieces as they are made, so a segment may be larger than memory.
 *
 *   file    = pages of 16 KB, one stream: documents, groups, group table; then page checksums, footer
 *   documents = u8 length code each, then u32 ordinal each
 *   group   = up to 32 terms: LEB128 size of the entries, entries, posting lists (posting-codec.ts)
 *   entry   = LEB128 each: bytes shared with the term before, bytes of its own, those, documents,
 *             bytes of the list before its positions, bytes of the positions
 *   table   = per group LEB128: bytes of its first term, the term, bytes of the group
 *   checksums = u32 CRC-32C per page
 *   footer  = 64 bytes, see `FOOTER`
 */

import { crc32c } from "../../storage/bytes.ts";
import { ByteSink, putU32 } from "./byte-sink.ts";
import { encodeList, type PostingList } from "./posting-codec.ts";

export const PAGE_BYTES = 16_384;
export const GROUP_TERMS = 32;
export const FOOTER_BYTES = 64;
export const MAGIC = 0x5758_4c4c; // "LLXW"
export const VERSION = 1;
/** Offsets in the footer; those of 8 bytes are two u32, low first. */
export const FOOTER = {
  magic: 0,
  version: 4,
  documents: 8,
  terms: 12,
  groups: 16,
  tokens: 24,
  tableAt: 32,
  tableBytes: 40,
  crc: 60,
} as const;

/** The documents in their order. */
export interface SegmentDocuments {
  /** Length code each. */
  norms: Uint8Array;
  /** Ordinal of the memory each. */
  ordinals: Uint32Array;
  /** Words of all documents. */
  tokens: number;
}

export class SegmentWriter {
  readonly #emit: (bytes: Uint8Array) => void;
  readonly #entries = new ByteSink();
  readonly #lists = new ByteSink(PAGE_BYTES);
  readonly #table = new ByteSink();
  readonly #page = new ByteSink(PAGE_BYTES * 2);
  readonly #checksums = new ByteSink();
  readonly #footer = new Uint8Array(FOOTER_BYTES);
  readonly #first = new Uint8Array(256);
  readonly #last = new Uint8Array(256);
  #firstSize = 0;
  #lastSize = 0;
  #inGroup = 0;
  #terms = 0;
  #groups = 0;
  #written = 0;

  constructor(documents: SegmentDocuments, emit: (bytes: Uint8Array) => void) {
    this.#emit = emit;
    const { ordinals, norms, tokens } = documents;
    const sink = new ByteSink(norms.length * 5 + 64);
    sink.raw(norms);
    for (const ordinal of ordinals) sink.u32(ordinal);
    putU32(this.#footer, FOOTER.documents, norms.length);
    putWide(this.#footer, FOOTER.tokens, tokens);
    this.#write(sink);
  }

  /** Adds the postings of the term that is bytes [from, to): greater than the one before, at least one document. */
  add(term: Uint8Array, from: number, to: number, list: PostingList): void {
    const size = to - from;
    let shared = 0;
    if (this.#inGroup > 0)
      while (shared < size && shared < this.#lastSize && this.#last[shared] === term[from + shared])
        shared++;
    else {
      for (let i = 0; i < size; i++) this.#first[i] = term[from + i]!;
      this.#firstSize = size;
    }
    for (let i = shared; i < size; i++) this.#last[i] = term[from + i]!;
    this.#lastSize = size;
    const entries = this.#entries;
    entries.varint(shared);
    entries.varint(size - shared);
    entries.raw(term, from + shared, to);
    entries.varint(list.count);
    const at = this.#lists.size;
    const docBytes = encodeList(list, this.#lists);
    entries.varint(docBytes);
    entries.varint(this.#lists.size - at - docBytes);
    this.#terms++;
    if (++this.#inGroup === GROUP_TERMS) this.#endGroup();
  }

  /** Ends the file; returns its size. */
  finish(): number {
    this.#endGroup();
    const tableAt = this.#written;
    putWide(this.#footer, FOOTER.tableAt, tableAt);
    putWide(this.#footer, FOOTER.tableBytes, this.#table.size);
    this.#write(this.#table);
    this.#endPage();
    putU32(this.#footer, FOOTER.magic, MAGIC);
    putU32(this.#footer, FOOTER.version, VERSION);
    putU32(this.#footer, FOOTER.terms, this.#terms);
    putU32(this.#footer, FOOTER.groups, this.#groups);
    const checksums = this.#checksums.copy();
    const head = this.#footer.subarray(0, FOOTER.crc);
    putU32(this.#footer, FOOTER.crc, crc32c(head, crc32c(checksums)));
    this.#emit(checksums);
    this.#emit(this.#footer);
    return this.#written + checksums.length + FOOTER_BYTES;
  }

  #endGroup(): void {
    if (this.#inGroup === 0) return;
    const head = new ByteSink(8);
    head.varint(this.#entries.size);
    this.#table.varint(this.#firstSize);
    this.#table.raw(this.#first, 0, this.#firstSize);
    this.#table.varint(head.size + this.#entries.size + this.#lists.size);
    this.#write(head);
    this.#write(this.#entries);
    this.#write(this.#lists);
    this.#entries.clear();
    this.#lists.clear();
    this.#inGroup = 0;
    this.#groups++;
  }

  #write(sink: ByteSink): void {
    this.#written += sink.size;
    for (let from = 0; from < sink.size;) {
      const to = Math.min(sink.size, from + PAGE_BYTES - this.#page.size);
      this.#page.raw(sink.bytes, from, to);
      from = to;
      if (this.#page.size === PAGE_BYTES) this.#endPage();
    }
  }

  #endPage(): void {
    if (this.#page.size === 0) return;
    const page = this.#page.copy();
    this.#checksums.u32(crc32c(page));
    this.#emit(page);
    this.#page.clear();
  }
}

export function putWide(bytes: Uint8Array, at: number, value: number): void {
  putU32(bytes, at, value >>> 0);
  putU32(bytes, at + 4, Math.floor(value / 2 ** 32));
}
