/**
 * Adds up BM25 term by term in one score per document and takes the best of them. The arrays are kept
 * from query to query: a query allocates nothing that grows with the store.
 */

import type { OrdinalSet } from "../ordinal-set.ts";
import { BLOCK, decodeBlock, decoded, skipBytes } from "./posting-codec.ts";
import { END, ListCursor } from "./list-cursor.ts";
import { BM25, LengthTable, type Bm25Parameters } from "./norms.ts";
import { findPhrase } from "./phrases.ts";
import type { Span } from "./segment.ts";

/** A posting list, and the number of the first document of its part of the index. */
export interface NumberedList {
  span: Span;
  count: number;
  docBytes: number;
  positionBytes: number;
  base: number;
}

/** The documents that a query runs over. */
export interface ScoredDocuments {
  /** How many. */
  documents: number;
  /** Length code per document. */
  norms: Uint8Array;
  /** Ordinal per document; −1 where it was removed. */
  ordinalOfDoc: Int32Array;
  averageLength: number;
  /** Another value whenever one of the arrays has changed. */
  revision: number;
}

export interface Scorer {
  readonly memoryBytes: number;
  /** Documents that have a score. */
  readonly touched: number;
  /** How many documents are in the group. */
  readonly grouped: number;
  /** Begins a query: nothing has a score. */
  begin(over: ScoredDocuments): void;
  /** Adds a term's scores; `weight` is its inverse document frequency. `onlyScored`: of documents that have one already. */
  add(list: NumberedList, weight: number, onlyScored: boolean): void;
  /** Adds a term's scores to those of `docs`, ascending, that have it. */
  addTo(docs: Uint32Array, list: NumberedList, weight: number): void;
  /** Counts a list's documents into the group: terms that are scored as one. */
  count(list: NumberedList): void;
  countOne(doc: number, frequency: number): void;
  /** Counts the documents of one part that have the lists' terms side by side, in this order. */
  countPhrase(lists: readonly NumberedList[]): void;
  /** The group's documents in the order in which they came. */
  groupedDocs(): Uint32Array;
  /** Empties the group; its documents in the order in which they came. */
  takeGroup(): { docs: Uint32Array; frequencies: Uint8Array };
  /** Scores the group as one term and empties it. */
  addGroup(weight: number): void;
  /**
   * Takes the documents of the highest scores, at most `limit`, best first and of equals that of the
   * least ordinal, among those that live and are allowed. The result is good until the next call.
   */
  best(limit: number, allow: OrdinalSet | undefined): { docs: Uint32Array; scores: Float32Array };
}

/** In TypeScript: the specification of the kernel, and its stand-in where WebAssembly is absent. */
export class ScalarScorer implements Scorer {
  readonly #lengths: LengthTable;
  #norms: Uint8Array = new Uint8Array(0);
  #ordinalOfDoc: Int32Array = new Int32Array(0);
  #scores = new Float32Array(0);
  /** Documents with a score, in no order. */
  #touched = new Uint32Array(0);
  #touchedCount = 0;
  /** Frequencies of a group of terms that count as one, and the documents that have any. */
  #group = new Uint8Array(0);
  #grouped = new Uint32Array(0);
  #groupedCount = 0;
  /** A heap of the best, the worst of them first. */
  #bestDocs = new Uint32Array(0);
  #bestScores = new Float32Array(0);
  readonly #docs = new Uint32Array(BLOCK);
  readonly #frequencies = new Uint8Array(BLOCK);

  constructor(parameters: Bm25Parameters = BM25) {
    this.#lengths = new LengthTable(parameters);
  }

  get memoryBytes(): number {
    return (
      this.#scores.byteLength +
      this.#touched.byteLength +
      this.#group.byteLength +
      this.#grouped.byteLength
    );
  }

  get touched(): number {
    return this.#touchedCount;
  }

  get grouped(): number {
    return this.#groupedCount;
  }

  begin({ documents, norms, ordinalOfDoc, averageLength }: ScoredDocuments): void {
    this.#lengths.update(averageLength);
    for (let i = 0; i < this.#touchedCount; i++) this.#scores[this.#touched[i]!] = 0;
    this.#touchedCount = 0;
    this.#dropGroup();
    this.#norms = norms;
    this.#ordinalOfDoc = ordinalOfDoc;
    if (documents <= this.#scores.length) return;
    const capacity = Math.ceil(documents * 1.25);
    this.#scores = new Float32Array(capacity);
    this.#touched = new Uint32Array(capacity);
    this.#group = new Uint8Array(capacity);
    this.#grouped = new Uint32Array(capacity);
  }

  add({ span, count, base }: NumberedList, weight: number, onlyScored: boolean): void {
    const { once } = this.#lengths;
    const { bytes } = span;
    const norms = this.#norms;
    const scores = this.#scores;
    const touched = this.#touched;
    const docs = this.#docs;
    let touchedCount = this.#touchedCount;
    let at = span.at + skipBytes(count);
    let previous = -1;
    for (let left = count; left > 0; left -= BLOCK) {
      const n = left < BLOCK ? left : BLOCK;
      decodeBlock(bytes, at, n, previous, docs, this.#frequencies, 0);
      at = decoded.end;
      previous = docs[n - 1]!;
      const { plain } = decoded;
      for (let i = 0; i < n; i++) {
        const doc = base + docs[i]!;
        const before = scores[doc]!;
        if (before === 0) {
          if (onlyScored) continue;
          touched[touchedCount++] = doc;
        }
        const value = plain
          ? once[norms[doc]!]!
          : this.#lengths.factor(this.#frequencies[i]!, norms[doc]!);
        scores[doc] = before + weight * value;
      }
    }
    this.#touchedCount = touchedCount;
  }

  addTo(docs: Uint32Array, list: NumberedList, weight: number): void {
    const cursor = new ListCursor(list.span, list.count, list.docBytes);
    for (const doc of docs) {
      if (doc < list.base) continue;
      const found = cursor.advance(doc - list.base);
      if (found === END) break;
      if (found === doc - list.base) this.#addOne(doc, cursor.frequency, weight);
    }
  }

  count({ span, count, base }: NumberedList): void {
    let at = span.at + skipBytes(count);
    let previous = -1;
    for (let left = count; left > 0; left -= BLOCK) {
      const n = left < BLOCK ? left : BLOCK;
      decodeBlock(span.bytes, at, n, previous, this.#docs, this.#frequencies, 0);
      at = decoded.end;
      previous = this.#docs[n - 1]!;
      for (let i = 0; i < n; i++) this.countOne(base + this.#docs[i]!, this.#frequencies[i]!);
    }
  }

  countOne(doc: number, frequency: number): void {
    const before = this.#group[doc]!;
    if (before === 0) this.#grouped[this.#groupedCount++] = doc;
    this.#group[doc] = Math.min(255, before + frequency);
  }

  countPhrase(lists: readonly NumberedList[]): void {
    findPhrase(lists, (doc, frequency) => this.countOne(doc, frequency));
  }

  groupedDocs(): Uint32Array {
    return this.#grouped.slice(0, this.#groupedCount);
  }

  takeGroup(): { docs: Uint32Array; frequencies: Uint8Array } {
    const docs = this.groupedDocs();
    const frequencies = Uint8Array.from(docs, (doc) => this.#group[doc]!);
    this.#dropGroup();
    return { docs, frequencies };
  }

  addGroup(weight: number): void {
    for (let i = 0; i < this.#groupedCount; i++) {
      const doc = this.#grouped[i]!;
      this.#addOne(doc, this.#group[doc]!, weight);
    }
    this.#dropGroup();
  }

  best(limit: number, allow: OrdinalSet | undefined): { docs: Uint32Array; scores: Float32Array } {
    const ordinalOfDoc = this.#ordinalOfDoc;
    if (limit > this.#bestDocs.length) {
      this.#bestDocs = new Uint32Array(limit);
      this.#bestScores = new Float32Array(limit);
    }
    const heapDocs = this.#bestDocs;
    const heapScores = this.#bestScores;
    let size = 0;
    for (let i = 0; i < this.#touchedCount; i++) {
      const doc = this.#touched[i]!;
      const score = this.#scores[doc]!;
      if (size === limit && !this.#isBetter(score, doc, heapScores[0]!, heapDocs[0]!)) continue;
      const ordinal = ordinalOfDoc[doc]!;
      if (ordinal < 0 || (allow !== undefined && !allow.has(ordinal))) continue;
      if (size < limit) this.#siftUp(size++, score, doc);
      else this.#siftDown(size, score, doc);
    }
    // The worst goes to the end, until the heap is the sorted list.
    for (let end = size - 1; end > 0; end--) {
      const doc = heapDocs[end]!;
      const score = heapScores[end]!;
      heapDocs[end] = heapDocs[0]!;
      heapScores[end] = heapScores[0]!;
      this.#siftDown(end, score, doc);
    }
    return { docs: heapDocs.subarray(0, size), scores: heapScores.subarray(0, size) };
  }

  #addOne(doc: number, frequency: number, weight: number): void {
    const before = this.#scores[doc]!;
    if (before === 0) this.#touched[this.#touchedCount++] = doc;
    this.#scores[doc] = before + weight * this.#lengths.factor(frequency, this.#norms[doc]!);
  }

  #dropGroup(): void {
    for (let i = 0; i < this.#groupedCount; i++) this.#group[this.#grouped[i]!] = 0;
    this.#groupedCount = 0;
  }

  #siftUp(from: number, score: number, doc: number): void {
    let at = from;
    while (at > 0) {
      const parent = (at - 1) >>> 1;
      if (!this.#isBetter(this.#bestScores[parent]!, this.#bestDocs[parent]!, score, doc)) break;
      this.#bestScores[at] = this.#bestScores[parent]!;
      this.#bestDocs[at] = this.#bestDocs[parent]!;
      at = parent;
    }
    this.#bestScores[at] = score;
    this.#bestDocs[at] = doc;
  }

  /** Puts an entry at the top of a heap of `size` in place of what is there. */
  #siftDown(size: number, score: number, doc: number): void {
    const scores = this.#bestScores;
    const docs = this.#bestDocs;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= size) break;
      if (
        child + 1 < size &&
        this.#isBetter(scores[child]!, docs[child]!, scores[child + 1]!, docs[child + 1]!)
      )
        child++;
      if (!this.#isBetter(score, doc, scores[child]!, docs[child]!)) break;
      scores[at] = scores[child]!;
      docs[at] = docs[child]!;
      at = child;
    }
    scores[at] = score;
    docs[at] = doc;
  }

  /** Of equals the one of the least ordinal: documents are numbered in the order in which they came to be indexed. */
  #isBetter(score: number, doc: number, otherScore: number, otherDoc: number): boolean {
    if (score !== otherScore) return score > otherScore;
    return this.#ordinalOfDoc[doc]! < this.#ordinalOfDoc[otherDoc]!;
  }
}
