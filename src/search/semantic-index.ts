/**
 * The words of every memory, ranked by BM25: the façade over the word index of `lexical/`, which
 * answers all queries, and FTS5, the index of record that it is verified against.
 *
 * Flow: text → `add` → terms (text-analysis.ts) → segments; query → `planQuery` → `search`.
 * Docs: decisions/0018.
 */

import { concatBytes, crc32c } from "../storage/bytes.ts";
import {
  Fts5Record,
  type DocumentSource,
  type Fts5RecordOptions,
  type Fts5RecordStatus,
} from "./fts5-record.ts";
import { ByteSink, getU32 } from "./lexical/byte-sink.ts";
import {
  LexicalIndex,
  type LexicalIndexOptions,
  type StoredPart,
} from "./lexical/lexical-index.ts";
import { LexicalSearcher, type LexicalMatches } from "./lexical/lexical-searcher.ts";
import { BM25, type Bm25Parameters } from "./lexical/norms.ts";
import type { TextDocument } from "./lexical/recent-documents.ts";
import { ScalarScorer } from "./lexical/scorer.ts";
import { damaged } from "./lexical/segment.ts";
import { WasmScorer } from "./lexical/wasm-scorer.ts";
import type { OrdinalSet } from "./ordinal-set.ts";
import { planQuery, type QueryPlan, type QueryTerm } from "./query-plan.ts";

export type { TextDocument } from "./lexical/recent-documents.ts";

export interface LexicalHit {
  ordinal: number;
  /** BM25 divided by that of the best hit: 0–1. */
  score: number;
}

export interface LexicalResult {
  /** Best first; made when asked for. */
  readonly hits: LexicalHit[];
  /** The hits' ordinals and scores, for callers that go through many. */
  ordinals: Uint32Array;
  scores: Float32Array;
  plan: QueryPlan;
  /** Terms that took part, after very common words were dropped. */
  usedTerms: QueryTerm[];
  /** Memories that hold every quoted phrase; null without phrases, or when no memory has them. */
  phraseOrdinals: Uint32Array | null;
}

export interface LexicalQueryOptions {
  limit: number;
  /** Only these memories. */
  allow?: OrdinalSet | undefined;
  /** The last word of a query given as text is still being typed. */
  prefix?: boolean;
}

/** How the word index compares to FTS5 over the same memories. */
export interface VerifyReport {
  /** False when the record doesn't hold every memory (its budget is used up): nothing was compared. */
  isComplete: boolean;
  memories: number;
  terms: number;
  /**
   * Terms with another number of memories than in FTS5. A few in a thousand always are: the stems of
   * words with digits, and of odd ones, are made by slightly other rules.
   */
  differingTerms: string[];
}

export interface SemanticIndexOptions {
  bm25?: Bm25Parameters;
  /** Score in TypeScript instead of WebAssembly. */
  scalar?: boolean;
  /** Where large indexes are kept, see `LexicalIndexOptions`. */
  lexical?: LexicalIndexOptions;
  /** Where the record in FTS5 reads the texts; without it there is none. */
  documentsOf?: DocumentSource;
  record?: Fts5RecordOptions;
}

const SNAPSHOT_MAGIC = 0x5357_4c4c; // "LLWS"
const SNAPSHOT_VERSION = 1;
const HEAD_BYTES = 16;
/** With what is between two words. */
const UNITS_PER_WORD = 6;

export class SemanticIndex {
  readonly #index: LexicalIndex;
  readonly #searcher: LexicalSearcher;
  readonly #record: Fts5Record | null;
  #textUnits = 0;

  private constructor(index: LexicalIndex, searcher: LexicalSearcher, record: Fts5Record | null) {
    this.#index = index;
    this.#searcher = searcher;
    this.#record = record;
  }

  /** An empty index; files that an earlier one left are removed. */
  static async create(options: SemanticIndexOptions = {}): Promise<SemanticIndex> {
    const created = await SemanticIndex.#empty(options);
    await created.#index.removeOtherFiles();
    return created;
  }

  static async #empty(options: SemanticIndexOptions): Promise<SemanticIndex> {
    const { bm25 = BM25, scalar = false } = options;
    const scorer = (scalar ? null : await WasmScorer.create(bm25)) ?? new ScalarScorer(bm25);
    const index = new LexicalIndex(options.lexical);
    const { documentsOf } = options;
    const wholeUnits = (): number => index.words * UNITS_PER_WORD;
    const record = documentsOf
      ? new Fts5Record(documentsOf, { wholeUnits, ...options.record })
      : null;
    return new SemanticIndex(index, new LexicalSearcher(index, scorer), record);
  }

  /** Restores a snapshot; memories that `isKnown` denies are dropped. `corrupt_data` when it isn't one. */
  static async restore(
    snapshot: Uint8Array,
    isKnown: (ordinal: number) => boolean,
    options: SemanticIndexOptions = {},
  ): Promise<SemanticIndex> {
    const parts = readSnapshot(snapshot);
    const restored = await SemanticIndex.#empty(options);
    // A file that is gone leaves its memories unknown: the owner sees by `has` what to add again.
    for (const part of parts)
      if ("image" in part) restored.#index.attach(part.image, isKnown);
      else if (options.lexical?.files) await restored.#index.attachFile(part.file, isKnown);
    await restored.#index.removeOtherFiles();
    restored.#index.tidy();
    restored.#record?.changed(restored.#index.ordinals());
    return restored;
  }

  /** Memories that can be found. */
  get size(): number {
    return this.#index.size;
  }

  /** UTF-16 units of text indexed since opening; what a rebuild would cost. */
  get textUnits(): number {
    return this.#textUnits;
  }

  /** Bytes in memory, with the room that arrays have ahead and what searching uses. */
  get memoryBytes(): number {
    return this.#index.memoryBytes + this.#searcher.memoryBytes;
  }

  /** How far the record in FTS5 is; null without one. */
  get recordStatus(): Fts5RecordStatus | null {
    return this.#record?.status ?? null;
  }

  has(ordinal: number): boolean {
    return this.#index.has(ordinal);
  }

  /** Adds or replaces; found by the next search. */
  add(documents: readonly TextDocument[]): void {
    for (const document of documents) {
      this.#index.add(document);
      this.#textUnits += document.summary.length + document.content.length;
    }
    this.#record?.changed(documents.map((document) => document.ordinal));
  }

  /** Resolves when memory has room for more; undefined when it has. Who adds very much waits for it. */
  room(): Promise<void> | undefined {
    return this.#index.room();
  }

  /** Not found from now on; every trace is gone after `purge`. */
  remove(ordinals: readonly number[]): void {
    for (const ordinal of ordinals) this.#index.remove(ordinal);
    this.#record?.removed(ordinals);
  }

  /**
   * Best matches by BM25: memories with any of the words, or with all quoted phrases where some have
   * them. The result itself when all that it needs is in memory.
   */
  search(
    query: string | QueryPlan,
    options: LexicalQueryOptions,
  ): LexicalResult | Promise<LexicalResult> {
    const plan =
      typeof query === "string" ? planQuery(query, { prefix: options.prefix ?? false }) : query;
    this.#record?.touch();
    const matches = this.#searcher.search(plan, options);
    return matches instanceof Promise
      ? matches.then((found) => toResult(plan, found))
      : toResult(plan, matches);
  }

  /** How many memories hold the term; removed ones count until `purge`. */
  async documentFrequency(stem: string): Promise<number> {
    return this.#searcher.documentFrequency(stem);
  }

  /** Drops what removed memories left in the postings. */
  purge(): void {
    this.#index.purge();
    this.#record?.purge();
  }

  /** The whole index as bytes, without residue of removed memories. */
  snapshot(): Uint8Array {
    return concatBytes(this.snapshotPieces());
  }

  /** The same in pieces: those of the index itself, not copies. */
  snapshotPieces(): Uint8Array[] {
    this.#index.purge();
    this.#index.freeze();
    const parts = this.#index.stored();
    const images = parts.flatMap((part) => ("image" in part ? [part.image] : []));
    const table = new TextEncoder().encode(
      JSON.stringify(
        parts.map((part) => ("image" in part ? { sizeBytes: part.image.length } : part)),
      ),
    );
    const head = new ByteSink(HEAD_BYTES);
    head.u32(SNAPSHOT_MAGIC);
    head.u32(SNAPSHOT_VERSION);
    head.u32(table.length);
    head.u32(crc32c(table));
    return [head.copy(), table, ...images];
  }

  /** Resolves when no file is written any more; after `purge` none has what was removed, unless one couldn't be written. */
  written(): Promise<void> {
    return this.#index.written();
  }

  /** Resolves when nothing is merged or written any more. */
  settled(): Promise<void> {
    return this.#index.settled();
  }

  /** Brings the record up to date and compares every term with it. Takes seconds at 100,000 memories that it hasn't yet. */
  async verify(): Promise<VerifyReport> {
    const record = this.#record;
    await record?.drain();
    if (record === null || record.status.memories !== this.size || record.status.waiting > 0)
      return { isComplete: false, memories: this.size, terms: 0, differingTerms: [] };
    this.purge();
    let terms = 0;
    const differingTerms: string[] = [];
    for (const [term, count] of record.terms()) {
      terms++;
      if ((await this.#searcher.documentFrequency(term)) !== count) differingTerms.push(term);
    }
    return { isComplete: true, memories: this.size, terms, differingTerms };
  }

  close(): void {
    this.#record?.close();
    this.#index.close();
  }
}

function toResult(plan: QueryPlan, matches: LexicalMatches): LexicalResult {
  const { ordinals, scores, usedTerms, phraseOrdinals } = matches;
  const best = scores[0] ?? 1;
  for (let i = 0; i < scores.length; i++) scores[i] = scores[i]! / best;
  return {
    get hits() {
      return Array.from(ordinals, (ordinal, i) => ({ ordinal, score: scores[i]! }));
    },
    ordinals,
    scores,
    plan,
    usedTerms,
    phraseOrdinals,
  };
}

/** The segments of a snapshot. */
function readSnapshot(snapshot: Uint8Array): StoredPart[] {
  if (snapshot.length < HEAD_BYTES || getU32(snapshot, 0) !== SNAPSHOT_MAGIC)
    throw damaged("it is no snapshot");
  const version = getU32(snapshot, 4);
  if (version !== SNAPSHOT_VERSION) throw damaged(`its format version ${version} is unknown`);
  let at = HEAD_BYTES + getU32(snapshot, 8);
  const table = snapshot.subarray(HEAD_BYTES, at);
  if (at > snapshot.length || crc32c(table) !== getU32(snapshot, 12))
    throw damaged("its table of segments is not whole");
  const listed = JSON.parse(new TextDecoder().decode(table)) as (
    { sizeBytes: number } | { file: string }
  )[];
  const parts = listed.map((part): StoredPart => {
    if ("file" in part) return part;
    const from = at;
    at += part.sizeBytes;
    // Own bytes: the snapshot around them needn't stay.
    return { image: snapshot.slice(from, at) };
  });
  if (at !== snapshot.length) throw damaged("its size is wrong");
  return parts;
}
