/**
 * Documents that were added since the last segment was made: their terms in order, to be inverted into
 * a segment by `freeze`.
 */

import { concatBytes } from "../../storage/bytes.ts";
import { growList, emptyList, MAX_FREQUENCY, type PostingList } from "./posting-codec.ts";
import { normOf } from "./norms.ts";
import { Segment } from "./segment.ts";
import { SegmentWriter, type SegmentDocuments } from "./segment-writer.ts";
import { Tokenizer } from "./tokenizer.ts";

/** One memory as the word index sees it. */
export interface TextDocument {
  ordinal: number;
  /** Empty when it is the content itself: nothing is counted twice. */
  summary: string;
  entities: string;
  /** Title, source and names of the people: what the text is about and doesn't say itself. */
  topics: string;
  content: string;
}

/** In the order that a document's words are counted in. Of entities an occurrence counts half. */
const FIELDS = ["summary", "entities", "topics", "content"] as const;
const HALF_FIELD = 1;
/** Between two fields, so that no phrase spans them. */
const FIELD_GAP = 2;
/** More than terms can be numbered. */
const NUMBERS = 2 ** 29;

export class RecentDocuments {
  readonly tokenizer = new Tokenizer();
  #ordinals: number[] = [];
  /** Where each field of each document ends in the tokenizer's tokens. */
  #fieldEnds = new Uint32Array(1024);
  /** Per term; zero between two calls. */
  #starts = new Uint32Array(1024);

  get documents(): number {
    return this.#ordinals.length;
  }

  get tokens(): number {
    return this.tokenizer.count;
  }

  get memoryBytes(): number {
    return this.tokenizer.memoryBytes + this.#fieldEnds.byteLength + 8 * this.#ordinals.length;
  }

  /** Returns the document's length code. */
  add(document: TextDocument): number {
    const first = this.tokenizer.count;
    const at = this.#ordinals.length * FIELDS.length;
    if (at + FIELDS.length > this.#fieldEnds.length) {
      const larger = new Uint32Array(this.#fieldEnds.length * 2);
      larger.set(this.#fieldEnds);
      this.#fieldEnds = larger;
    }
    for (let field = 0; field < FIELDS.length; field++) {
      const text = document[FIELDS[field]!];
      if (text !== "") this.tokenizer.tokenize(text);
      this.#fieldEnds[at + field] = this.tokenizer.count;
    }
    this.#ordinals.push(document.ordinal);
    return normOf(this.tokenizer.count - first);
  }

  /** A segment of the documents, numbered from 0; afterwards there are none. */
  freeze(): Segment {
    const pieces: Uint8Array[] = [];
    const writer = new SegmentWriter(this.#documents(), (bytes) => pieces.push(bytes));
    this.#writeTerms(writer);
    writer.finish();
    this.#ordinals = [];
    this.#fieldEnds = new Uint32Array(1024);
    this.tokenizer.rewind();
    if (this.tokenizer.isFull) this.tokenizer.forget();
    return Segment.ofBytes(concatBytes(pieces));
  }

  #documents(): SegmentDocuments {
    const norms = new Uint8Array(this.#ordinals.length);
    let start = 0;
    for (let doc = 0; doc < norms.length; doc++) {
      const end = this.#fieldEnds[(doc + 1) * FIELDS.length - 1]!;
      norms[doc] = normOf(end - start);
      start = end;
    }
    return { norms, ordinals: Uint32Array.from(this.#ordinals), tokens: this.tokenizer.count };
  }

  #writeTerms(writer: SegmentWriter): void {
    const { terms, tokens, count } = this.tokenizer;
    const { order, ends } = this.#sortedTerms();
    // Counting sort: each term's occurrences, in the order of the documents.
    const docs = new Uint32Array(count);
    const places = new Uint32Array(count);
    let token = 0;
    for (let doc = 0; doc < this.#ordinals.length; doc++) {
      const start = token;
      for (let field = 0; field < FIELDS.length; field++) {
        const end = this.#fieldEnds[doc * FIELDS.length + field]!;
        const half = field === HALF_FIELD ? 1 : 0;
        for (; token < end; token++) {
          const at = ends[tokens[token]!]!++;
          docs[at] = doc;
          places[at] = ((token - start + field * FIELD_GAP) << 1) | half;
        }
      }
    }
    const list = emptyList();
    let from = 0;
    for (const term of order) {
      const to = ends[term]!;
      collect(docs, places, from, to, list);
      writer.add(terms.pool, terms.start(term), terms.end(term), list);
      from = to;
      ends[term] = 0;
    }
  }

  /** The terms in use, in the order of their bytes, and where the occurrences of each begin. */
  #sortedTerms(): { order: Uint32Array; ends: Uint32Array } {
    const { terms, tokens, count } = this.tokenizer;
    if (this.#starts.length < terms.size) this.#starts = new Uint32Array(terms.size * 2);
    const starts = this.#starts;
    const used: number[] = [];
    for (let i = 0; i < count; i++) if (starts[tokens[i]!]!++ === 0) used.push(tokens[i]!);
    const order = sortTerms(
      terms.pool,
      (term) => terms.start(term),
      (term) => terms.end(term),
      used,
    );
    let at = 0;
    for (const term of order) {
      const occurrences = starts[term]!;
      starts[term] = at;
      at += occurrences;
    }
    return { order, ends: starts };
  }
}

/** Numbers of terms, sorted by bytes: by their first three as a number, then by the rest. */
function sortTerms(
  pool: Uint8Array,
  start: (term: number) => number,
  end: (term: number) => number,
  used: readonly number[],
): Uint32Array {
  // The first three bytes and the number in one float: sorted natively, without calls.
  const keys = new Float64Array(used.length);
  let n = 0;
  for (const term of used) {
    const from = start(term);
    const size = end(term) - from;
    let head = 0;
    for (let i = 0; i < 3; i++) head = head * 256 + (i < size ? pool[from + i]! : 0);
    keys[n++] = head * NUMBERS + term;
  }
  keys.sort();
  const order = new Uint32Array(used.length);
  for (let i = 0; i < used.length; i++) order[i] = keys[i]! % NUMBERS;
  const compare = (a: number, b: number): number => {
    let i = start(a);
    let j = start(b);
    const iEnd = end(a);
    const jEnd = end(b);
    for (; i < iEnd && j < jEnd; i++, j++) {
      const difference = pool[i]! - pool[j]!;
      if (difference !== 0) return difference;
    }
    return iEnd - i - (jEnd - j);
  };
  for (let from = 0; from < used.length;) {
    const head = Math.floor(keys[from]! / NUMBERS);
    let to = from + 1;
    while (to < used.length && Math.floor(keys[to]! / NUMBERS) === head) to++;
    if (to - from > 1) order.subarray(from, to).sort(compare);
    from = to;
  }
  return order;
}

/** Occurrences [from, to) of one term as its posting list. */
function collect(
  docs: Uint32Array,
  places: Uint32Array,
  from: number,
  to: number,
  list: PostingList,
): void {
  list.count = 0;
  let size = 0;
  for (let i = from; i < to;) {
    const doc = docs[i]!;
    const n = list.count++;
    // An occurrence takes at most five bytes.
    let next = i;
    while (next < to && docs[next] === doc) next++;
    growList(list, n + 1, size + (next - i) * 5);
    let frequency = 0;
    let previous = 0;
    for (; i < next; i++) {
      const place = places[i]!;
      frequency += 2 - (place & 1);
      const position = place >>> 1;
      let value = (position - previous) * 2 + (i === next - 1 ? 1 : 0);
      previous = position;
      for (; value >= 0x80; value = Math.floor(value / 0x80))
        list.positions[size++] = (value & 0x7f) | 0x80;
      list.positions[size++] = value;
    }
    list.docs[n] = doc;
    list.frequencies[n] = Math.min(MAX_FREQUENCY, frequency);
    list.positionEnds[n] = size;
  }
}
