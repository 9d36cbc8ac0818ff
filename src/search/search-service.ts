/**
 * Search over one open store: answers recall, browse and facets from `search-indexes.ts`, and keeps
 * what was answered until the store changes. Sits between storage and the engine.
 */

import { LRUCache } from "lru-cache";
import { AppError } from "../errors.ts";
import type { BrowsePage, BrowseQuery, Facets, RecallQuery, RecallResult } from "../model/query.ts";
import { systemClock, type Clock } from "../ports/clock.ts";
import type { ComputeWorkers, GpuProvider } from "../ports/compute.ts";
import type { MemoryStore } from "../storage/memory-store.ts";
import { Browser } from "./browse.ts";
import { CandidatePools } from "./candidate-pool.ts";
import type { EntityTable } from "./entity-table.ts";
import { countFacets } from "./facets.ts";
import { TitleStems } from "./field-signals.ts";
import type { Filters } from "./filters.ts";
import { GistSpeakers } from "./gist-speakers.ts";
import { recall, type RecallContext, type RecallDeps } from "./recall.ts";
import { SearchIndexes, type SearchIndexesOptions } from "./search-indexes.ts";
import type { SemanticIndex, VerifyReport } from "./semantic-index.ts";
import { SpeakerNames } from "./speaker-names.ts";
import type { VectorSearch } from "./vector-index.ts";
import { scannersFor, VectorPool } from "./vector-pool.ts";
import type { VectorPoolOptions } from "./vector-pool-options.ts";

export interface SearchServiceOptions extends Omit<SearchIndexesOptions, "onChange" | "scanners"> {
  clock?: Clock;
  /** Threads for big indexes of vectors; without them this one scans alone. */
  vectorWorkers?: ComputeWorkers | undefined;
  /** For batches of queries. */
  gpu?: GpuProvider | undefined;
  /** From how many vectors workers are considered, and how long they wait for work. */
  vectorPool?: Pick<VectorPoolOptions, "minSize" | "maxWorkers" | "idleMs">;
  /** Results kept. Default 128. */
  cacheEntries?: number;
}

const DAY_MS = 86_400_000;

export class SearchService {
  readonly vectorPool: VectorPool;
  readonly #store: MemoryStore;
  readonly #indexes: SearchIndexes;
  readonly #context: RecallContext;
  readonly #browser: Browser;
  readonly #results: LRUCache<string, RecallResult>;
  #facets: { generation: number; facets: Facets } | null = null;
  /** How often the kept results were dropped: one that was asked for before isn't kept. */
  #clearings = 0;
  #hits = 0;
  #misses = 0;
  #closed = false;

  private constructor(store: MemoryStore, options: SearchServiceOptions, indexes: SearchIndexes) {
    this.#store = store;
    this.#indexes = indexes;
    const { text, vectors, storedVectors, entities, catalog, filters, asks } = indexes;
    const clock = options.clock ?? systemClock;
    this.vectorPool = new VectorPool(vectors, {
      workers: options.vectorWorkers,
      gpu: options.gpu,
      clock,
      ...options.vectorPool,
    });
    this.#context = {
      store,
      text,
      vectors,
      storedVectors,
      vectorPool: this.vectorPool,
      entities,
      index: catalog,
      filters,
      asks,
      pools: new CandidatePools(),
      speakers: new SpeakerNames(store, catalog),
      gists: new GistSpeakers(store, catalog),
      titles: new TitleStems(),
      clock,
    };
    this.#browser = new Browser(store, catalog, filters);
    this.#results = new LRUCache({ max: options.cacheEntries ?? 128 });
  }

  /**
   * Loads or builds the indexes of the store, and follows its changes. Vectors come after: until they are
   * there, `recall` answers by words at once, and waits for them where it has the query's vector.
   */
  static async open(
    store: MemoryStore,
    options: SearchServiceOptions = {},
  ): Promise<SearchService> {
    let service: SearchService | null = null;
    const indexes = await SearchIndexes.open(store, {
      ...options,
      scanners: scannersFor(options.vectorWorkers),
      onChange: (dropsText) => {
        if (dropsText) service?.forgetDerived();
      },
    });
    service = new SearchService(store, options, indexes);
    return service;
  }

  get textIndex(): SemanticIndex {
    return this.#indexes.text;
  }

  get vectorIndex(): VectorSearch {
    return this.#indexes.vectors;
  }

  get areVectorsLoaded(): boolean {
    return this.#indexes.storedVectors.isLoaded;
  }

  /** Resolves when every vector of the store can be found; rejects when they can't be read. */
  vectorsLoaded(): Promise<void> {
    return this.#indexes.storedVectors.loaded();
  }

  /** What a recall is made with; for checks and benchmarks. */
  get context(): RecallContext {
    return this.#context;
  }

  /** Memories that opening had to read because no snapshot had them. */
  get caughtUpRows(): number {
    return this.#indexes.caughtUpRows;
  }

  get entities(): EntityTable {
    return this.#indexes.entities;
  }

  get filters(): Filters {
    return this.#indexes.filters;
  }

  async recall(query: RecallQuery, deps: RecallDeps = {}): Promise<RecallResult> {
    await this.#ready({ forQuestion: true });
    const from = this.#context.clock.elapsed();
    const key = JSON.stringify([
      this.#store.generation,
      query.query,
      query.topK ?? 10,
      query.filter ?? null,
      query.prefix ?? false,
      query.contextTokens ?? null,
      deps.embedQuery !== undefined,
      deps.spread !== undefined,
      query.diversity ?? 0,
      // "Yesterday" is another day tomorrow.
      query.now ?? Math.floor(this.#context.clock.now() / DAY_MS),
      deps.weights ?? null,
      deps.fieldShares ?? null,
      deps.packTuning ?? null,
    ]);
    const cached = this.#results.get(key);
    if (cached) {
      this.#hits++;
      const total = this.#context.clock.elapsed() - from;
      const embed = cached.timings.embed === null ? null : 0;
      const timings = { embed, lexical: 0, semantic: 0, spread: 0, rank: 0, fetch: 0, total };
      return { ...copyResult(cached), timings };
    }
    this.#misses++;
    const generation = this.#store.generation;
    const clearings = this.#clearings;
    const result = await this.#indexes.storedVectors.giveWay(() =>
      recall(this.#context, query, deps),
    );
    // Without the model the answer changes when it arrives, with no change of the store.
    const whole =
      (deps.embedQuery === undefined || result.signals.includes("semantic")) &&
      // Nor do excerpts stay those of summaries once the texts can be read.
      !result.hits.some((hit) => hit.fromSummary);
    const isCurrent = generation === this.#store.generation && clearings === this.#clearings;
    if (whole && isCurrent) this.#results.set(key, copyResult(result));
    return result;
  }

  async browse(query: BrowseQuery = {}): Promise<BrowsePage> {
    await this.#ready();
    return this.#browser.browse(query);
  }

  async facets(): Promise<Facets> {
    await this.#ready();
    const { generation } = this.#store;
    if (this.#facets?.generation !== generation)
      this.#facets = { generation, facets: countFacets(this.#context.index, this.entities) };
    return structuredClone(this.#facets.facets);
  }

  /** The model that makes the queries' vectors from now on; vectors of others leave the index. */
  useModel(model: string): Promise<void> {
    return this.#indexes.useModel(model);
  }

  /** Resolves when the names that summaries say are in the indexes; recall doesn't wait for it. */
  async namesKnown(): Promise<void> {
    await this.#ready();
    await this.#indexes.namesKnown();
  }

  /** Resolves when the word index has room in memory for more: what is over its budget is on its way to files. */
  async room(): Promise<void> {
    await this.#indexes.text.room();
  }

  /** Drops what removed memories left inside the text index, and writes snapshots where that pays. */
  async saveSnapshots(): Promise<void> {
    await this.#ready();
    await this.#indexes.save();
  }

  /** Compares every term of the word index with FTS5, the index of record, which is brought up to date first. */
  async verifyWords(): Promise<VerifyReport> {
    await this.#ready();
    return this.#indexes.text.verify();
  }

  /** Drops cached results: what they were made of changed outside the store (learned connections). */
  clearCache(): void {
    this.#clearings++;
    this.#results.clear();
  }

  cacheStats(): { entries: number; hits: number; misses: number } {
    return { entries: this.#results.size, hits: this.#hits, misses: this.#misses };
  }

  /** Drops whatever may hold the text of a memory. */
  forgetDerived(): void {
    this.clearCache();
    this.#context.titles.clear();
    this.#browser.forget();
    this.#facets = null;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.vectorPool.close();
    await this.#indexes.close();
    this.forgetDerived();
  }

  async #ready(options: { forQuestion?: boolean } = {}): Promise<void> {
    if (this.#closed)
      throw new AppError("closed", "The search was closed.", { hint: "Open the store again." });
    await this.#indexes.settled(options);
  }
}

/** A result whose parts can be changed without changing the kept one; many times faster than a structured clone. */
function copyResult(result: RecallResult): RecallResult {
  return {
    ...result,
    signals: [...result.signals],
    hits: result.hits.map((hit) => ({
      ...hit,
      memory: {
        ...hit.memory,
        metadata: { ...hit.memory.metadata },
        quality: { ...hit.memory.quality },
        entities: hit.memory.entities.map((entity) => ({ ...entity })),
      },
      score: { ...hit.score },
      matchedTerms: [...hit.matchedTerms],
      highlights: hit.highlights.map(([start, end]): [number, number] => [start, end]),
      ...(hit.path === undefined ? {} : { path: [...hit.path] }),
    })),
    ...(result.context === undefined ? {} : { context: structuredClone(result.context) }),
  };
}
