/**
 * Reads one immutable segment of the word index (format: segment-writer.ts), from memory or from a
 * file by ranges. In memory are the length codes, the first term of each group, and what the source keeps.
 */

import { AppError } from "../../errors.ts";
import { crc32c } from "../../storage/bytes.ts";
import { getU32 } from "./byte-sink.ts";
import { termBytes } from "./tokenizer.ts";
import { FOOTER, FOOTER_BYTES, MAGIC, PAGE_BYTES, VERSION } from "./segment-writer.ts";

/** A piece of a segment's bytes: `bytes` from `at` on. */
export interface Span {
  bytes: Uint8Array;
  at: number;
}

/** Where a segment's bytes come from. A range is inside of the file. */
export interface SegmentSource {
  readonly sizeBytes: number;
  /** Bytes of it that are in memory now. */
  readonly memoryBytes: number;
  span(at: number, length: number): Span | Promise<Span>;
}

/** Where the postings of one term are. */
export interface TermEntry {
  segment: Segment;
  /** Documents that have the term, removed ones included. */
  count: number;
  at: number;
  docBytes: number;
  positionBytes: number;
}

/** What the end of a segment file says. */
interface Footer {
  documents: number;
  terms: number;
  groups: number;
  tokens: number;
  tableAt: number;
  tableBytes: number;
}

/** Length code and ordinal. */
const DOCUMENT_BYTES = 5;
const ENTRY_GUESS_BYTES = 2048;
const MAX_CACHED_ENTRIES = 4096;

export function damaged(why: string): AppError {
  return new AppError("corrupt_data", `The word index is damaged: ${why}.`, {
    hint: "It is built again from the memories.",
  });
}

/** Checks a whole image's page checksums; `corrupt_data` when one doesn't fit. */
export function verifyImage(image: Uint8Array): void {
  const footer = image.subarray(-FOOTER_BYTES);
  const { pages, checksumsAt } = layoutOf(footer, image.length);
  verifyFooter(image.subarray(checksumsAt, checksumsAt + pages * 4), footer);
  for (let page = 0; page < pages; page++) {
    const from = page * PAGE_BYTES;
    const sum = crc32c(image.subarray(from, Math.min(from + PAGE_BYTES, checksumsAt)));
    if (sum !== getU32(image, checksumsAt + page * 4)) throw damaged(`page ${page} is not whole`);
  }
}

function verifyFooter(checksums: Uint8Array, footer: Uint8Array): void {
  const sum = crc32c(footer.subarray(0, FOOTER.crc), crc32c(checksums));
  if (sum !== getU32(footer, FOOTER.crc)) throw damaged("its footer is not whole");
}

function wide(bytes: Uint8Array, at: number): number {
  return getU32(bytes, at) + getU32(bytes, at + 4) * 2 ** 32;
}

/** How many pages a file has, and where their checksums are. */
function layoutOf(footer: Uint8Array, sizeBytes: number): { pages: number; checksumsAt: number } {
  if (footer.length < FOOTER_BYTES || getU32(footer, FOOTER.magic) !== MAGIC)
    throw damaged("it has no footer");
  const version = getU32(footer, FOOTER.version);
  if (version !== VERSION) throw damaged(`its format version ${version} is unknown`);
  const checksumsAt = wide(footer, FOOTER.tableAt) + wide(footer, FOOTER.tableBytes);
  const pages = Math.ceil(checksumsAt / PAGE_BYTES);
  if (sizeBytes !== checksumsAt + pages * 4 + FOOTER_BYTES) throw damaged("its size is wrong");
  return { pages, checksumsAt };
}

/** A segment that is in memory whole. */
export class MemorySource implements SegmentSource {
  readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  get sizeBytes(): number {
    return this.bytes.length;
  }

  get memoryBytes(): number {
    return this.bytes.length;
  }

  span(at: number): Span {
    return { bytes: this.bytes, at };
  }
}

export class Segment {
  readonly source: SegmentSource;
  readonly documents: number;
  readonly tokens: number;
  readonly terms: number;
  readonly groups: number;
  /** Length code per document. */
  readonly norms: Uint8Array;
  readonly #heads: Uint8Array;
  readonly #headEnds: Uint32Array;
  /** Where each group begins; one more at the end. */
  readonly #groupAt: Float64Array;
  #found = new Map<string, TermEntry | null>();

  private constructor(source: SegmentSource, footer: Footer, norms: Uint8Array, table: Uint8Array) {
    this.source = source;
    this.documents = footer.documents;
    this.tokens = footer.tokens;
    this.terms = footer.terms;
    this.groups = footer.groups;
    this.norms = norms;
    this.#heads = new Uint8Array(table.length);
    this.#headEnds = new Uint32Array(footer.groups);
    this.#groupAt = new Float64Array(footer.groups + 1);
    let size = 0;
    let at = footer.documents * DOCUMENT_BYTES;
    const reader = new Varints(table, 0);
    for (let group = 0; group < footer.groups; group++) {
      const length = reader.next();
      for (let i = 0; i < length; i++) this.#heads[size++] = table[reader.at++]!;
      this.#headEnds[group] = size;
      this.#groupAt[group] = at;
      at += reader.next();
    }
    this.#groupAt[footer.groups] = at;
    if (at !== footer.tableAt) throw damaged("its table of terms is wrong");
    this.#heads = this.#heads.slice(0, size);
  }

  /** Opens a segment that is in memory. Its checksums are `verifyImage`'s matter. */
  static ofBytes(bytes: Uint8Array): Segment {
    const footerBytes = bytes.subarray(-FOOTER_BYTES);
    layoutOf(footerBytes, bytes.length);
    const footer = readFooter(footerBytes);
    return new Segment(
      new MemorySource(bytes),
      footer,
      bytes.subarray(0, footer.documents),
      bytes.subarray(footer.tableAt, footer.tableAt + footer.tableBytes),
    );
  }

  /** Opens a segment of a file: reads its footer, length codes and table of terms. */
  static async open(source: SegmentSource): Promise<Segment> {
    if (source.sizeBytes < FOOTER_BYTES) throw damaged("it has no footer");
    const tail = await source.span(source.sizeBytes - FOOTER_BYTES, FOOTER_BYTES);
    const footerBytes = tail.bytes.slice(tail.at, tail.at + FOOTER_BYTES);
    const { pages, checksumsAt } = layoutOf(footerBytes, source.sizeBytes);
    const sums = await source.span(checksumsAt, pages * 4);
    verifyFooter(sums.bytes.subarray(sums.at, sums.at + pages * 4), footerBytes);
    const footer = readFooter(footerBytes);
    const norms = await source.span(0, footer.documents);
    const table = await source.span(footer.tableAt, footer.tableBytes);
    return new Segment(
      source,
      footer,
      norms.bytes.slice(norms.at, norms.at + footer.documents),
      table.bytes.subarray(table.at, table.at + footer.tableBytes),
    );
  }

  get memoryBytes(): number {
    const norms = this.source instanceof MemorySource ? 0 : this.norms.length;
    return (
      this.source.memoryBytes +
      norms +
      this.#heads.length +
      this.#headEnds.byteLength +
      this.#groupAt.byteLength
    );
  }

  /** Postings of a term; null when no document has it. */
  find(term: string): TermEntry | null | Promise<TermEntry | null> {
    const known = this.#found.get(term);
    if (known !== undefined) return known;
    const bytes = termBytes(term);
    const group = this.#groupOf(bytes);
    if (group < 0) return null;
    const cursor = new GroupCursor(this);
    const opened = cursor.open(group);
    const search = (): TermEntry | null => {
      let entry: TermEntry | null = null;
      while (cursor.next()) {
        const order = cursor.compare(bytes);
        if (order === 0) entry = cursor.entry();
        if (order >= 0) break;
      }
      if (this.#found.size >= MAX_CACHED_ENTRIES) this.#found.clear();
      this.#found.set(term, entry);
      return entry;
    };
    return opened === undefined ? search() : opened.then(search);
  }

  /** Calls `visit` for each term that begins with `prefix`, in order. */
  prefixed(
    prefix: Uint8Array,
    visit: (entry: TermEntry, cursor: GroupCursor) => void,
  ): void | Promise<void> {
    const cursor = new GroupCursor(this);
    let group = Math.max(0, this.#groupOf(prefix));
    const walk = (): void | Promise<void> => {
      for (; group < this.groups; group++) {
        const opened = cursor.open(group);
        if (opened !== undefined) return opened.then(rest);
        if (!inGroup()) return;
      }
    };
    const inGroup = (): boolean => {
      while (cursor.next())
        if (cursor.startsWith(prefix)) visit(cursor.entry(), cursor);
        else if (cursor.compare(prefix) > 0) return false;
      return true;
    };
    const rest = (): void | Promise<void> => {
      if (!inGroup()) return;
      group++;
      return walk();
    };
    return walk();
  }

  /** The ordinal of each document. */
  ordinals(): Uint32Array | Promise<Uint32Array> {
    const read = ({ bytes, at }: Span): Uint32Array =>
      Uint32Array.from({ length: this.documents }, (_, doc) => getU32(bytes, at + doc * 4));
    const span = this.source.span(this.documents, this.documents * 4);
    return span instanceof Promise ? span.then(read) : read(span);
  }

  groupAt(group: number): number {
    return this.#groupAt[group]!;
  }

  /** The last group whose first term is not after `term`; −1 when all are. */
  #groupOf(term: Uint8Array): number {
    let low = 0;
    let high = this.groups - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      if (this.#compareHead(middle, term) <= 0) low = middle + 1;
      else high = middle - 1;
    }
    return high;
  }

  #compareHead(group: number, term: Uint8Array): number {
    const from = group === 0 ? 0 : this.#headEnds[group - 1]!;
    return compareBytes(this.#heads, from, this.#headEnds[group]!, term);
  }
}

function readFooter(bytes: Uint8Array): Footer {
  return {
    documents: getU32(bytes, FOOTER.documents),
    terms: getU32(bytes, FOOTER.terms),
    groups: getU32(bytes, FOOTER.groups),
    tokens: wide(bytes, FOOTER.tokens),
    tableAt: wide(bytes, FOOTER.tableAt),
    tableBytes: wide(bytes, FOOTER.tableBytes),
  };
}

/** Reads unsigned LEB128 numbers one after the other. */
class Varints {
  readonly bytes: Uint8Array;
  at: number;

  constructor(bytes: Uint8Array, at: number) {
    this.bytes = bytes;
    this.at = at;
  }

  next(): number {
    let byte = this.bytes[this.at++]!;
    if (byte < 0x80) return byte;
    let value = byte & 0x7f;
    for (let scale = 0x80; ; scale *= 0x80) {
      if (this.at >= this.bytes.length) throw damaged("a number has no end");
      byte = this.bytes[this.at++]!;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
  }
}

/** Walks the terms of one group after the other. */
export class GroupCursor {
  /** The current term: the first `size` bytes. */
  readonly term = new Uint8Array(256);
  size = 0;
  readonly #segment: Segment;
  #reader = new Varints(new Uint8Array(0), 0);
  #end = 0;
  /** Where the current term's list is. */
  listAt = 0;
  /** Documents in it. */
  count = 0;
  docBytes = 0;
  positionBytes = 0;

  constructor(segment: Segment) {
    this.#segment = segment;
  }

  /** Goes before the first term of a group; a promise when its bytes must be read first. */
  open(group: number): undefined | Promise<void> {
    const at = this.#segment.groupAt(group);
    const bytes = this.#segment.groupAt(group + 1) - at;
    const span = this.#segment.source.span(at, Math.min(bytes, ENTRY_GUESS_BYTES));
    if (!(span instanceof Promise)) {
      const needed = this.#begin(span, at);
      if (this.#fits(span, needed)) return undefined;
    }
    return this.#openSlowly(span, at);
  }

  /** Goes to the next term of the group; false at its end. */
  next(): boolean {
    const reader = this.#reader;
    if (reader.at >= this.#end) return false;
    this.listAt += this.docBytes + this.positionBytes;
    const shared = reader.next();
    const own = reader.next();
    if (shared + own > this.term.length || reader.at + own > reader.bytes.length)
      throw damaged("a term is too long");
    for (let i = 0; i < own; i++) this.term[shared + i] = reader.bytes[reader.at++]!;
    this.size = shared + own;
    this.count = reader.next();
    this.docBytes = reader.next();
    this.positionBytes = reader.next();
    return true;
  }

  entry(): TermEntry {
    return {
      segment: this.#segment,
      count: this.count,
      at: this.listAt,
      docBytes: this.docBytes,
      positionBytes: this.positionBytes,
    };
  }

  compare(term: Uint8Array): number {
    return compareBytes(this.term, 0, this.size, term);
  }

  startsWith(prefix: Uint8Array): boolean {
    if (this.size < prefix.length) return false;
    for (let i = 0; i < prefix.length; i++) if (this.term[i] !== prefix[i]) return false;
    return true;
  }

  async #openSlowly(span: Span | Promise<Span>, at: number): Promise<void> {
    const first = await span;
    const needed = this.#begin(first, at);
    if (this.#fits(first, needed)) return;
    this.#begin(await this.#segment.source.span(at, needed), at);
  }

  /** Reads the head of a group; returns the bytes of head and entries. */
  #begin(span: Span, at: number): number {
    const reader = new Varints(span.bytes, span.at);
    const entryBytes = reader.next();
    const headBytes = reader.at - span.at;
    this.#reader = reader;
    this.#end = reader.at + entryBytes;
    this.listAt = at + headBytes + entryBytes;
    this.docBytes = this.positionBytes = 0;
    this.size = 0;
    return headBytes + entryBytes;
  }

  #fits(span: Span, needed: number): boolean {
    return span.at + needed <= span.bytes.length;
  }
}

/** Order of bytes [from, to) and another term, as numbers: before 0, same, after. */
export function compareBytes(
  bytes: Uint8Array,
  from: number,
  to: number,
  other: Uint8Array,
): number {
  const length = Math.min(to - from, other.length);
  for (let i = 0; i < length; i++) {
    const difference = bytes[from + i]! - other[i]!;
    if (difference !== 0) return difference;
  }
  return to - from - other.length;
}
