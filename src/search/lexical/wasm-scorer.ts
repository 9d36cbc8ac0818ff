/**
 * Hosts `kernels/score.as.ts`: the arrays of scores lie in one WebAssembly memory, a posting list is
 * copied behind them before it is scored.
 */

import type { OrdinalSet } from "../ordinal-set.ts";
import bytes from "./kernels/score.as.ts?asc";
import { END, ListCursor } from "./list-cursor.ts";
import { BM25, LengthTable, type Bm25Parameters } from "./norms.ts";
import { skipBytes } from "./posting-codec.ts";
import type { NumberedList, ScoredDocuments, Scorer } from "./scorer.ts";

const PAGE_BYTES = 65_536;
const ONCE_AT = 1024;
const PENALTY_AT = 2048;
const ARRAYS_AT = 4096;
/** The kernel reads up to 8 bytes at once. */
const SLACK_BYTES = 16;
/** Of a phrase's word in the kernel. */
const CURSOR_BYTES = 1024;

interface Exports {
  layout(k1AndOne: number, ...at: number[]): void;
  addList(
    list: number,
    count: number,
    base: number,
    weight: number,
    onlyScored: number,
    touchedCount: number,
  ): number;
  countList(list: number, count: number, base: number, groupedCount: number): number;
  openList(
    cursors: number,
    word: number,
    list: number,
    count: number,
    skipBytes: number,
    docBytes: number,
  ): void;
  countPhrase(
    cursors: number,
    words: number,
    lead: number,
    base: number,
    groupedCount: number,
  ): number;
  addGroup(weight: number, groupedCount: number, touchedCount: number): number;
  clear(touchedCount: number, groupedCount: number): void;
  best(touchedCount: number, limit: number, allow: number, allowBits: number): number;
}

/** Where the arrays are; each has an element per document, the heap's per hit. */
interface Places {
  norms: number;
  ordinals: number;
  scores: number;
  touched: number;
  group: number;
  grouped: number;
  heapDocs: number;
  heapScores: number;
  /** A list, or the bitmap of what is allowed. */
  scratch: number;
}

export class WasmScorer implements Scorer {
  readonly #memory: WebAssembly.Memory;
  readonly #exports: Exports;
  readonly #lengths: LengthTable;
  #capacity = 0;
  #hits = 0;
  #places!: Places;
  #bytes!: Uint8Array;
  #floats!: Float32Array;
  #ints!: Int32Array;
  #touched = 0;
  #grouped = 0;
  #revision = -1;

  private constructor(memory: WebAssembly.Memory, exports: Exports, parameters: Bm25Parameters) {
    this.#memory = memory;
    this.#lengths = new LengthTable(parameters);
    this.#exports = exports;
    this.#arrange(1024, 256);
  }

  /** Null where WebAssembly is absent. */
  static async create(parameters: Bm25Parameters = BM25): Promise<WasmScorer | null> {
    if (typeof WebAssembly === "undefined" || !WebAssembly.validate(bytes)) return null;
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 65_536 });
    const abort = (): never => {
      throw new Error("The word kernel stopped.");
    };
    const { instance } = await WebAssembly.instantiate(bytes, { env: { memory, abort } });
    return new WasmScorer(memory, instance.exports as unknown as Exports, parameters);
  }

  get memoryBytes(): number {
    return this.#memory.buffer.byteLength;
  }

  get touched(): number {
    return this.#touched;
  }

  get grouped(): number {
    return this.#grouped;
  }

  begin(over: ScoredDocuments): void {
    this.#exports.clear(this.#touched, this.#grouped);
    this.#touched = this.#grouped = 0;
    if (over.documents > this.#capacity)
      this.#arrange(Math.ceil(over.documents * 1.125), this.#hits);
    if (this.#lengths.update(over.averageLength)) {
      this.#floats.set(this.#lengths.once, ONCE_AT >>> 2);
      this.#floats.set(this.#lengths.penalty, PENALTY_AT >>> 2);
    }
    if (this.#revision === over.revision) return;
    this.#revision = over.revision;
    this.#bytes.set(over.norms.subarray(0, over.documents), this.#places.norms);
    this.#ints.set(over.ordinalOfDoc.subarray(0, over.documents), this.#places.ordinals >>> 2);
  }

  add(list: NumberedList, weight: number, onlyScored: boolean): void {
    const at = this.#copy(list);
    const { count, base } = list;
    this.#touched = this.#exports.addList(at, count, base, weight, +onlyScored, this.#touched);
  }

  addTo(docs: Uint32Array, list: NumberedList, weight: number): void {
    const cursor = new ListCursor(list.span, list.count, list.docBytes);
    const { norms, scores } = this.#places;
    for (const doc of docs) {
      if (doc < list.base) continue;
      const found = cursor.advance(doc - list.base);
      if (found === END) break;
      if (found === doc - list.base)
        this.#floats[(scores >>> 2) + doc]! +=
          weight * this.#lengths.factor(cursor.frequency, this.#bytes[norms + doc]!);
    }
  }

  count(list: NumberedList): void {
    const at = this.#copy(list);
    this.#grouped = this.#exports.countList(at, list.count, list.base, this.#grouped);
  }

  countOne(doc: number, frequency: number): void {
    const at = this.#places.group + doc;
    const before = this.#bytes[at]!;
    if (before === 0) this.#ints[(this.#places.grouped >>> 2) + this.#grouped++] = doc;
    this.#bytes[at] = Math.min(255, before + frequency);
  }

  countPhrase(lists: readonly NumberedList[]): void {
    let at = lists.length * CURSOR_BYTES;
    const places = lists.map(({ span, docBytes, positionBytes }) => {
      const size = docBytes + positionBytes;
      const place = this.#room(at + size) + at;
      this.#bytes.set(span.bytes.subarray(span.at, span.at + size), place);
      at += align(size + SLACK_BYTES);
      return place;
    });
    const cursors = this.#places.scratch;
    let lead = 0;
    lists.forEach(({ count, docBytes }, word) => {
      if (count < lists[lead]!.count) lead = word;
      this.#exports.openList(cursors, word, places[word]!, count, skipBytes(count), docBytes);
    });
    const { base } = lists[0]!;
    this.#grouped = this.#exports.countPhrase(cursors, lists.length, lead, base, this.#grouped);
  }

  groupedDocs(): Uint32Array {
    return new Uint32Array(this.#memory.buffer, this.#places.grouped, this.#grouped).slice();
  }

  takeGroup(): { docs: Uint32Array; frequencies: Uint8Array } {
    const docs = this.groupedDocs();
    const frequencies = new Uint8Array(docs.length);
    for (let i = 0; i < docs.length; i++) {
      const at = this.#places.group + docs[i]!;
      frequencies[i] = this.#bytes[at]!;
      this.#bytes[at] = 0;
    }
    this.#grouped = 0;
    return { docs, frequencies };
  }

  addGroup(weight: number): void {
    this.#touched = this.#exports.addGroup(weight, this.#grouped, this.#touched);
    this.#grouped = 0;
  }

  best(limit: number, allow: OrdinalSet | undefined): { docs: Uint32Array; scores: Float32Array } {
    const wanted = Math.min(limit, this.#touched);
    if (wanted <= 0) return { docs: new Uint32Array(0), scores: new Float32Array(0) };
    if (wanted > this.#hits) this.#growHeap(wanted);
    let allowAt = 0;
    if (allow !== undefined) {
      allowAt = this.#room(allow.words.byteLength);
      this.#ints.set(allow.words, allowAt >>> 2);
    }
    const bits = allow === undefined ? 0 : allow.words.length * 32;
    const size = this.#exports.best(this.#touched, wanted, allowAt, bits);
    const { heapDocs, heapScores } = this.#places;
    return {
      docs: new Uint32Array(this.#memory.buffer, heapDocs, size),
      scores: new Float32Array(this.#memory.buffer, heapScores, size),
    };
  }

  /** Copies a list's blocks behind the arrays; returns where. */
  #copy({ span, count, docBytes }: NumberedList): number {
    const from = span.at + skipBytes(count);
    const to = span.at + docBytes;
    const at = this.#room(to - from);
    if (to - from < 32)
      for (let i = from, o = at; i < to; i++, o++) this.#bytes[o] = span.bytes[i]!;
    else this.#bytes.set(span.bytes.subarray(from, to), at);
    return at;
  }

  #room(sizeBytes: number): number {
    const { scratch } = this.#places;
    this.#reserve(scratch + sizeBytes + SLACK_BYTES);
    return scratch;
  }

  #reserve(sizeBytes: number): void {
    const missing = sizeBytes - this.#memory.buffer.byteLength;
    if (missing <= 0) return;
    this.#memory.grow(Math.ceil(missing / PAGE_BYTES));
    this.#view();
  }

  #view(): void {
    const { buffer } = this.#memory;
    this.#bytes = new Uint8Array(buffer);
    this.#floats = new Float32Array(buffer);
    this.#ints = new Int32Array(buffer);
  }

  /** A heap for more hits behind everything; what has a score keeps it. */
  #growHeap(hits: number): void {
    const places = this.#places;
    this.#hits = hits;
    places.heapDocs = places.scratch;
    places.heapScores = places.heapDocs + hits * 4;
    places.scratch = align(places.heapScores + hits * 4);
    this.#reserve(places.scratch + PAGE_BYTES);
    this.#tell();
  }

  /** Lays the arrays out for so many documents, between two queries: nothing has a score afterwards. */
  #arrange(documents: number, hits: number): void {
    let at = ARRAYS_AT;
    const take = (sizeBytes: number): number => {
      const place = at;
      at = align(at + sizeBytes);
      return place;
    };
    this.#places = {
      norms: take(documents),
      ordinals: take(documents * 4),
      scores: take(documents * 4),
      touched: take(documents * 4),
      group: take(documents),
      grouped: take(documents * 4),
      heapDocs: take(hits * 4),
      heapScores: take(hits * 4),
      scratch: at,
    };
    this.#places.scratch = at;
    this.#capacity = documents;
    this.#hits = hits;
    this.#view();
    this.#reserve(at + SLACK_BYTES);
    this.#bytes.fill(0, ARRAYS_AT, at);
    this.#revision = -1;
    this.#tell();
  }

  #tell(): void {
    const { norms, ordinals, scores, touched, group, grouped, heapDocs, heapScores } = this.#places;
    const { k1AndOne } = this.#lengths;
    this.#exports.layout(
      k1AndOne,
      norms,
      ordinals,
      scores,
      touched,
      group,
      grouped,
      heapDocs,
      heapScores,
    );
  }
}

function align(at: number): number {
  return (at + 15) & ~15;
}
