/**
 * Search over one open store: builds the indexes when it opens, follows every change of the store,
 * and answers recall, browse and facets. Sits between storage and the engine.
 */

import { LRUCache } from "lru-cache";
import { AppError } from "../errors.ts";
import { META, isEpisode } from "../model/memory.ts";
import type { QuantizedVector } from "../model/vector.ts";
import type { BrowsePage, BrowseQuery, Facets, RecallQuery, RecallResult } from "../model/query.ts";
import { systemClock, type Clock } from "../ports/clock.ts";
import type { CatalogEntry, IndexRow, MemoryStore, StoreChange } from "../storage/memory-store.ts";
import { Browser } from "./browse.ts";
import { CandidatePools } from "./candidate-pool.ts";
import { CatalogIndex } from "./catalog-index.ts";
import { EntityTable } from "./entity-table.ts";
import { countFacets } from "./facets.ts";
import { TitleStems } from "./field-signals.ts";
import { Filters } from "./filters.ts";
import { GistSpeakers } from "./gist-speakers.ts";
import { recall, type RecallContext, type RecallDeps } from "./recall.ts";
import { SemanticIndex, type TextDocument } from "./semantic-index.ts";
import { SpeakerNames } from "./speaker-names.ts";
import { SummaryNames, type NameFinder } from "./summary-names.ts";
import { VectorSearch } from "./vector-index.ts";

export interface SearchServiceOptions {
  clock?: Clock;
  /**
   * Whether the text index is kept in the store. "auto" (default): only when building it again would
   * take seconds; it costs about 40 % of the text's bytes (decisions/0004).
   */
  snapshots?: "auto" | "always" | "never";
  /** Results kept. Default 128. */
  cacheEntries?: number;
  /** Finds names in summaries that stand for their texts; without it only those kept beside them are known. */
  findNames?: NameFinder;
}

const SNAPSHOT = "fts";
/** About two seconds of building. */
const SNAPSHOT_MIN_UNITS = 32_000_000;

export class SearchService {
  readonly entities = new EntityTable();
  readonly filters: Filters;
  readonly #store: MemoryStore;
  readonly #options: SearchServiceOptions;
  readonly #context: RecallContext;
  readonly #browser: Browser;
  readonly #results: LRUCache<string, RecallResult>;
  readonly #names: SummaryNames | null;
  /** What each memory's topics were indexed from, to index again only when that changed. */
  #topics = new Map<number, number>();
  #facets: { generation: number; facets: Facets } | null = null;
  #hits = 0;
  #misses = 0;
  #pending: Promise<void> = Promise.resolve();
  #unsubscribe: () => void = () => undefined;
  #closed = false;
  /** The model whose vectors are in the index; null while there are none. */
  #model: string | null = null;

  private constructor(
    store: MemoryStore,
    options: SearchServiceOptions,
    text: SemanticIndex,
    vectors: VectorSearch,
  ) {
    this.#store = store;
    this.#options = options;
    const clock = options.clock ?? systemClock;
    const index = new CatalogIndex(store.catalog.entries());
    this.filters = new Filters(store.catalog, index, this.entities);
    this.#context = {
      store,
      text,
      vectors,
      entities: this.entities,
      index,
      filters: this.filters,
      pools: new CandidatePools(),
      speakers: new SpeakerNames(store, index),
      gists: new GistSpeakers(store, index),
      titles: new TitleStems(),
      clock,
    };
    this.#browser = new Browser(store, index, this.filters);
    this.#results = new LRUCache({ max: options.cacheEntries ?? 128 });
    this.#names =
      options.findNames === undefined
        ? null
        : new SummaryNames(store, options.findNames, (ordinals) => this.#indexNames(ordinals));
  }

  /** Builds the indexes from the store, or from a snapshot that is current, and follows its changes. */
  static async open(
    store: MemoryStore,
    options: SearchServiceOptions = {},
  ): Promise<SearchService> {
    const restored = options.snapshots === "never" ? null : await restoreText(store);
    const service = new SearchService(
      store,
      options,
      restored ?? (await SemanticIndex.create()),
      await VectorSearch.create(),
    );
    // Subscribed before the scan: what is added meanwhile comes by either way and replaces itself.
    service.#unsubscribe = store.subscribe((change) => service.#apply(change));
    const columns = restored ? (["entities", "embedding"] as const) : undefined;
    for await (const rows of store.scan(columns ? { columns: [...columns] } : {}))
      service.#addRows(rows.filter((row) => store.catalog.byOrdinal(row.ordinal) !== undefined));
    service.#names?.start();
    return service;
  }

  get textIndex(): SemanticIndex {
    return this.#context.text;
  }

  get vectorIndex(): VectorSearch {
    return this.#context.vectors;
  }

  async recall(query: RecallQuery, deps: RecallDeps = {}): Promise<RecallResult> {
    await this.#ready();
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
      deps.weights ?? null,
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
    const result = await recall(this.#context, query, deps);
    // Without the model the answer changes when it arrives, with no change of the store.
    const whole = deps.embedQuery === undefined || result.signals.includes("semantic");
    if (whole && generation === this.#store.generation) this.#results.set(key, copyResult(result));
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

  /** Resolves when the names that summaries say are in the indexes; recall doesn't wait for it. */
  async namesKnown(): Promise<void> {
    await this.#names?.settled();
    await this.#ready();
  }

  /** Drops what removed memories left inside the text index, and writes its snapshot where that pays. */
  async saveSnapshots(): Promise<void> {
    await this.#ready();
    await this.#names?.save();
    const { text } = this.#context;
    const { snapshots = "auto" } = this.#options;
    if (snapshots === "never" || (snapshots === "auto" && text.textUnits < SNAPSHOT_MIN_UNITS))
      text.purge();
    else await this.#store.writeDerived(SNAPSHOT, text.snapshot());
  }

  /** Drops cached results: what they were made of changed outside the store (learned connections). */
  clearCache(): void {
    this.#results.clear();
  }

  cacheStats(): { entries: number; hits: number; misses: number } {
    return { entries: this.#results.size, hits: this.#hits, misses: this.#misses };
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#unsubscribe();
    await this.#names?.close();
    await this.#pending;
    this.#forgetDerived();
    this.#context.text.close();
    this.entities.clear();
  }

  async #ready(): Promise<void> {
    if (this.#closed)
      throw new AppError("closed", "The search was closed.", { hint: "Open the store again." });
    await this.#pending;
  }

  #forgetDerived(): void {
    this.#results.clear();
    this.#context.titles.clear();
    this.#browser.forget();
    this.#facets = null;
  }

  #apply(change: StoreChange): void {
    const { text, vectors, index } = this.#context;
    this.filters.clear();
    switch (change.type) {
      case "added":
        for (const entry of change.entries) index.put(entry);
        this.#addRows(change.rows);
        break;
      case "embedded":
        change.ordinals.forEach((ordinal, i) => this.#setVector(ordinal, change.vectors[i]!));
        break;
      case "removed":
        // Results and lists hold the text of what was removed.
        this.#forgetDerived();
        text.remove(change.ordinals);
        for (const ordinal of change.ordinals) {
          vectors.remove(ordinal);
          index.remove(ordinal);
          this.entities.remove(ordinal);
          this.#topics.delete(ordinal);
        }
        break;
      case "updated":
        this.#forgetDerived();
        for (const entry of change.entries) index.put(entry);
        this.#enqueue(() => this.#reindex(change.entries, change.textChanged ?? false));
        break;
      case "compacted":
        this.#forgetDerived();
        this.#names?.filesDropped();
        text.purge();
    }
  }

  /** Runs after the earlier ones; a failure is the next caller's no longer than this change. */
  #enqueue(work: () => Promise<void>): void {
    this.#pending = this.#pending.then(work).catch((error: unknown) => {
      console.error("A changed memory could not be indexed again:", error);
    });
  }

  #indexNames(ordinals: readonly number[]): void {
    const { catalog } = this.#store;
    const entries = ordinals.flatMap((ordinal) => catalog.byOrdinal(ordinal) ?? []);
    this.#enqueue(async () => {
      await this.#reindex(entries, true);
      this.#forgetDerived();
    });
  }

  /** Indexes again the memories whose text or topics changed. */
  async #reindex(entries: readonly CatalogEntry[], textChanged: boolean): Promise<void> {
    const changed = entries.filter(
      (entry) =>
        !this.#closed &&
        this.#store.catalog.byOrdinal(entry.ordinal) !== undefined &&
        (textChanged || this.#topics.get(entry.ordinal) !== fingerprint(entry)),
    );
    if (changed.length === 0) return;
    // A vector tells of the text as well as words do.
    for (const entry of changed)
      if (!entry.embedded || (entry.keep === "gist" && !isEpisode(entry)))
        this.#context.vectors.remove(entry.ordinal);
    const ordinals = changed.map((entry) => entry.ordinal);
    const [texts, contents] = await Promise.all([
      this.#store.getSummaries(ordinals),
      this.#store.getContents(ordinals),
    ]);
    const rows = changed.map((entry, i): IndexRow => {
      const { summary, entities } = texts[i]!;
      return {
        ordinal: entry.ordinal,
        id: entry.id,
        content: contents[i] ?? null,
        summary,
        entities,
        embedding: null,
      };
    });
    if (this.#closed) return;
    this.#addRows(rows.filter((row) => this.#store.catalog.byOrdinal(row.ordinal) !== undefined));
  }

  #addRows(rows: readonly IndexRow[]): void {
    const { text } = this.#context;
    this.filters.clear();
    const documents: TextDocument[] = [];
    for (const row of rows) {
      const entry = this.#store.catalog.byOrdinal(row.ordinal);
      if (entry === undefined) continue;
      const mark = fingerprint(entry);
      const entities = this.#names?.of(row, entry) ?? row.entities;
      // A row of a snapshot has its text in the index already.
      if (!text.has(row.ordinal) || this.#topics.has(row.ordinal))
        documents.push(toDocument({ ...row, entities }, entry));
      this.#topics.set(row.ordinal, mark);
      // The names of a gist are those of its members, who are counted.
      if (!isEpisode(entry)) this.entities.add(row.ordinal, entities);
      if (row.embedding) this.#setVector(row.ordinal, row.embedding);
    }
    text.add(documents);
  }

  /** Vectors of different models are never compared: those of another than the current one stay out. */
  #setVector(ordinal: number, vector: QuantizedVector): void {
    const model = this.#store.catalog.byOrdinal(ordinal)?.embeddingModel ?? null;
    this.#model ??= model;
    if (model === this.#model) this.#context.vectors.set(ordinal, vector);
    else this.#context.vectors.remove(ordinal);
  }

  /** The model that makes the queries' vectors from now on; vectors of others leave the index. */
  async useModel(model: string): Promise<void> {
    if (model === this.#model) return;
    const isFirst = this.#model === null;
    this.#model = model;
    if (isFirst) return;
    this.#forgetDerived();
    for await (const rows of this.#store.scan({ columns: ["embedding"] }))
      for (const row of rows) if (row.embedding) this.#setVector(row.ordinal, row.embedding);
  }
}

/** Null without a snapshot, or with one that can't be read or misses memories: the index is built then. */
async function restoreText(store: MemoryStore): Promise<SemanticIndex | null> {
  const bytes = await store.readDerived(SNAPSHOT);
  if (bytes === null) return null;
  let index: SemanticIndex;
  try {
    index = await SemanticIndex.restore(bytes, (id) => store.catalog.byId(id)?.ordinal);
  } catch {
    return null;
  }
  const episodeCount = [...store.catalog.episodes()].length;
  if (index.size === store.catalog.size + episodeCount) return index;
  index.close();
  return null;
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

/** The fields that the text index takes from the catalog. */
function topicsOf({ metadata }: CatalogEntry): string {
  return [META.title, META.speaker, META.recipients, META.source, META.thread]
    .map((key) => metadata[key] ?? "")
    .filter((value, i, all) => value !== "" && all.indexOf(value) === i)
    .join("\n");
}

/** FNV-1a, 32 bits, of what a memory's row in the text index depends on beside its text. */
function fingerprint(entry: CatalogEntry): number {
  const source = `${entry.keep}\n${topicsOf(entry)}`;
  let hash = 0x811c9dc5;
  for (let i = 0; i < source.length; i++)
    hash = Math.imul(hash ^ source.charCodeAt(i), 0x01000193) >>> 0;
  return hash;
}

function toDocument(row: IndexRow, entry: CatalogEntry): TextDocument {
  const content = row.content ?? "";
  return {
    ordinal: row.ordinal,
    id: row.id,
    // A summary that is the text itself, or sentences of it, adds nothing to find by but counts words twice.
    summary:
      content === "" ? row.summary : row.summary.trim() === content.trim() ? "" : row.summary,
    entities: row.entities.map((entity) => entity.text).join("\n"),
    topics: topicsOf(entry),
    content,
  };
}
