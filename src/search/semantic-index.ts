/**
 * The words of every memory, ranked by BM25: the façade over the word index of `lexical/`, which
 * answers all queries, and FTS5, the reference that it can be verified against.
 *
 * Flow: text → `add` → terms (text-analysis.ts) → segments; query → `planQuery` → `search`.
 * Docs: decisions/0018.
 */

import { concatBytes, crc32c } from "../storage/bytes.ts";
import { Fts5Reference } from "./fts5-reference.ts";
import { ByteSink, getU32 } from "./lexical/byte-sink.ts";
import { LexicalIndex } from "./lexical/lexical-index.ts";
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
  /** Best first. */
  hits: LexicalHit[];
  /** The hits' ordinals and scores once more, for callers that go through many. */
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

/** What the words of the same memories look like to FTS5. */
export interface VerifyReport {
  memories: number;
  terms: number;
  /** Terms with another number of memories than in FTS5; those that differ by the rules of stemming are few. */
  differingTerms: string[];
}

export interface SemanticIndexOptions {
  bm25?: Bm25Parameters;
  /** Score in TypeScript instead of WebAssembly. */
  scalar?: boolean;
}

const SNAPSHOT_MAGIC = 0x5357_4c4c; // "LLWS"
const SNAPSHOT_VERSION = 1;
const HEAD_BYTES = 16;

export class SemanticIndex {
  readonly #index: LexicalIndex;
  readonly #searcher: LexicalSearcher;
  #textUnits = 0;

  private constructor(index: LexicalIndex, searcher: LexicalSearcher) {
    this.#index = index;
    this.#searcher = searcher;
  }

  static async create(options: SemanticIndexOptions = {}): Promise<SemanticIndex> {
    const { bm25 = BM25, scalar = false } = options;
    const scorer = (scalar ? null : await WasmScorer.create(bm25)) ?? new ScalarScorer(bm25);
    const index = new LexicalIndex();
    return new SemanticIndex(index, new LexicalSearcher(index, scorer));
  }

  /** Restores a snapshot; memories that `isKnown` denies are dropped. `corrupt_data` when it isn't one. */
  static async restore(
    snapshot: Uint8Array,
    isKnown: (ordinal: number) => boolean,
    options: SemanticIndexOptions = {},
  ): Promise<SemanticIndex> {
    const images = readSnapshot(snapshot);
    const restored = await SemanticIndex.create(options);
    for (const image of images) restored.#index.attach(image, isKnown);
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

  has(ordinal: number): boolean {
    return this.#index.has(ordinal);
  }

  /** Adds or replaces; found by the next search. */
  add(documents: readonly TextDocument[]): void {
    for (const document of documents) {
      this.#index.add(document);
      this.#textUnits += document.summary.length + document.content.length;
    }
  }

  /** Not found from now on; every trace is gone after `purge`. */
  remove(ordinals: readonly number[]): void {
    for (const ordinal of ordinals) this.#index.remove(ordinal);
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
  }

  /** The whole index as bytes, without residue of removed memories. */
  snapshot(): Uint8Array {
    this.#index.purge();
    this.#index.freeze();
    const images = this.#index.images();
    const sizes = new ByteSink();
    for (const image of images) sizes.u32(image.length);
    const head = new ByteSink(HEAD_BYTES);
    head.u32(SNAPSHOT_MAGIC);
    head.u32(SNAPSHOT_VERSION);
    head.u32(images.length);
    head.u32(crc32c(sizes.copy()));
    return concatBytes([head.copy(), sizes.copy(), ...images]);
  }

  /** Indexes the same memories with FTS5 and compares every term. Takes about as long as FTS5 does: seconds at 100,000. */
  async verify(documents: AsyncIterable<readonly TextDocument[]>): Promise<VerifyReport> {
    const reference = await Fts5Reference.create();
    try {
      let memories = 0;
      for await (const some of documents) {
        reference.add(some);
        memories += some.length;
      }
      this.#index.purge();
      let terms = 0;
      const differingTerms: string[] = [];
      for (const [term, count] of reference.terms()) {
        terms++;
        if ((await this.#searcher.documentFrequency(term)) !== count) differingTerms.push(term);
      }
      return { memories, terms, differingTerms };
    } finally {
      reference.close();
    }
  }

  close(): void {
    this.#index.close();
  }
}

function toResult(plan: QueryPlan, matches: LexicalMatches): LexicalResult {
  const { ordinals, scores, usedTerms, phraseOrdinals } = matches;
  const best = scores[0] ?? 1;
  for (let i = 0; i < scores.length; i++) scores[i] = scores[i]! / best;
  const hits = Array.from(ordinals, (ordinal, i) => ({ ordinal, score: scores[i]! }));
  return { hits, ordinals, scores, plan, usedTerms, phraseOrdinals };
}

/** The images of the segments in a snapshot. */
function readSnapshot(snapshot: Uint8Array): Uint8Array[] {
  if (snapshot.length < HEAD_BYTES || getU32(snapshot, 0) !== SNAPSHOT_MAGIC)
    throw damaged("it is no snapshot");
  const version = getU32(snapshot, 4);
  if (version !== SNAPSHOT_VERSION) throw damaged(`its format version ${version} is unknown`);
  const count = getU32(snapshot, 8);
  let at = HEAD_BYTES + count * 4;
  const sizes = snapshot.subarray(HEAD_BYTES, at);
  if (at > snapshot.length || crc32c(sizes) !== getU32(snapshot, 12))
    throw damaged("its table of segments is not whole");
  const images = Array.from({ length: count }, (_, i) => {
    const from = at;
    at += getU32(sizes, i * 4);
    // Own bytes: the snapshot around them needn't stay.
    return snapshot.slice(from, at);
  });
  if (at !== snapshot.length) throw damaged("its size is wrong");
  return images;
}
