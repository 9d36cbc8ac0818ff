/**
 * The `Engine` that does the work: it composes storage, search, processing and cognition, and holds
 * what must be one per store (the write order, the loaded models, the SQL engine).
 *
 * More than 400 lines: every method of `Engine` is here, most of them one call into the part that does it.
 */

import type {
  CompressOptions,
  Engine,
  EngineEvent,
  EngineStatus,
  ExportedFile,
  ExportFormat,
  ForgetReceipt,
  ForgetTarget,
  ImportOptions,
  ImportReport,
  ImportSource,
  ReadResult,
  Receipt,
  RepairReport,
  RememberOptions,
} from "../engine.ts";
import { AppError, throwIfAborted } from "../errors.ts";
import type { ConnectionLearner } from "../cognitive/connection-learner.ts";
import type { NetworkNavigator } from "../cognitive/navigator.ts";
import type { Comparison, Evaluation } from "../model/comparison.ts";
import type { CompressedMemory, DecompressResult } from "../model/compressed-memory.ts";
import type { EmbeddingsBuffer, EmbeddingsQuery } from "../model/embeddings-buffer.ts";
import type { MemoryInput, MemoryPatch } from "../model/memory.ts";
import type {
  BrowsePage,
  BrowseQuery,
  Facets,
  MemoryFilter,
  RecallQuery,
  RecallResult,
} from "../model/query.ts";
import { type TaskOptions } from "../model/task-control.ts";
import type { Clock } from "../ports/clock.ts";
import type { FileStore } from "../ports/file-store.ts";
import type { KeyStore, LanguageModelSource } from "../ports/language-model.ts";
import type { SqlTable } from "../ports/sql.ts";
import type { LLMCompressor } from "../processing/compression/compressor.ts";
import { EXACT_QUALITY, reconstructText } from "../processing/compression/reconstructor.ts";
import { estimateTokens } from "../processing/compression/ratios.ts";
import type { SearchService } from "../search/search-service.ts";
import type { Filters } from "../search/filters.ts";
import { decodeEnvelope } from "../storage/envelope.ts";
import { exportMemories } from "../storage/interchange/export.ts";
import type { RepairableStore } from "../storage/damage.ts";
import type { Catalog, MemoryStore } from "../storage/memory-store.ts";
import { compareSummaries, evaluateSummary } from "./comparison.ts";
import { EpisodeService } from "./episode-service.ts";
import { LanguageService } from "./language-service.ts";
import { resummarize } from "./resummarize.ts";
import { RetentionService } from "./retention-service.ts";
import type { OffAtFirst } from "./provider-settings.ts";
import type { SettingsStore } from "./settings-store.ts";
import { embedMissing } from "./embedding-backfill.ts";
import { gatherEmbeddings } from "./embeddings-buffer.ts";
import { importFiles } from "./importer.ts";
import { IngestRun, type IngestDeps } from "./ingest.ts";
import {
  browseQuerySchema,
  compressOptionsSchema,
  embeddingsQuerySchema,
  forgetTargetSchema,
  memoryPatchSchema,
  recallQuerySchema,
  validate,
} from "./input-schemas.ts";
import { LatencyWindow } from "./latency-window.ts";
import { EmbedderService } from "./embedder-service.ts";
import type { ModelHolder } from "./model-holder.ts";
import { rememberAll } from "./remember.ts";
import type { SqlHolder } from "./sql-holder.ts";
import type { OpenedTogether } from "./opened-together.ts";
import { StatusReporter } from "./status-reporter.ts";
import type { WriteQueue } from "./write-queue.ts";

export interface EngineParts {
  fileStore: FileStore;
  store: MemoryStore & RepairableStore;
  search: SearchService;
  navigator: NetworkNavigator;
  learner: ConnectionLearner;
  opened: OpenedTogether;
  models: ModelHolder;
  sql: SqlHolder;
  clock: Clock;
  writes: WriteQueue;
  settings: SettingsStore;
  languageSources: readonly LanguageModelSource[];
  keys: KeyStore | null;
  offAtFirst: OffAtFirst;
}

export class LocalEngine implements Engine {
  readonly #parts: EngineParts;
  readonly #writes: WriteQueue;
  readonly #latency = new LatencyWindow();
  readonly #status: StatusReporter;
  readonly #listeners = new Set<(event: EngineEvent) => void>();
  readonly #unsubscribe: () => void;
  #closed = false;
  readonly language: LanguageService;
  readonly episodes: EpisodeService;
  readonly retention: RetentionService;
  readonly embedders: EmbedderService;

  constructor(parts: EngineParts) {
    this.#parts = parts;
    this.#writes = parts.writes;
    this.language = new LanguageService(parts, () => this.#emit({ type: "language" }));
    parts.models.useWriters([this.language.writer]);
    this.episodes = new EpisodeService(parts);
    this.retention = new RetentionService(parts);
    this.embedders = new EmbedderService(parts, () => this.#emit({ type: "model" }));
    this.#status = new StatusReporter(parts, this.#latency, this.language, this.episodes);
    this.#unsubscribe = parts.store.subscribe(() => this.#emit({ type: "changed" }));
  }

  async remember(items: MemoryInput[], options: RememberOptions = {}): Promise<Receipt[]> {
    this.#assertOpen();
    validate(compressOptionsSchema, options, "The options");
    return rememberAll(new IngestRun(this.#ingestDeps(), options), items, options);
  }

  async importStore(source: ImportSource, options: ImportOptions = {}): Promise<ImportReport> {
    this.#assertOpen();
    validate(compressOptionsSchema, options, "The options");
    return importFiles(this.#ingestDeps(), source, options);
  }

  async recall(query: RecallQuery, options: { signal?: AbortSignal } = {}): Promise<RecallResult> {
    this.#assertOpen();
    validate(recallQuerySchema, query, "The query");
    throwIfAborted(options.signal);
    const { search, models, navigator, opened } = this.#parts;
    const result = await search.recall(query, {
      embedQuery: async (text) => {
        const embedded = await models.embedQuery(text);
        if (!embedded) return null;
        await search.useModel(embedded.model);
        return embedded.vector;
      },
      spread: navigator.spread,
      countTokens: estimateTokens,
      ...(options.signal ? { signal: options.signal } : {}),
    });
    this.#latency.add(result.timings.total);
    opened.recalled(result.hits.map((hit) => hit.memory.id));
    return result;
  }

  async read(id: string): Promise<ReadResult> {
    this.#assertOpen();
    const { store, models, opened, search } = this.#parts;
    const memory = await store.read(id);
    // Cached results were ranked without the connection.
    if (opened.opened(id)) search.clearCache();
    const { envelope, content: _content, ...view } = memory;
    const restored = memory.content === null ? null : decodeEnvelope(memory.content, envelope);
    // Of what is kept as a gist only, its episode speaks.
    const gist = memory.keep === "gist" ? await this.episodes.gistOf(memory) : null;
    const text = restored
      ? (restored.text ?? memory.content!)
      : (gist?.text ?? reconstructText(memory.summary, memory.entities));
    return {
      text,
      ...(restored?.original ? { original: restored.original } : {}),
      keep: memory.keep,
      quality: memory.content === null ? (gist?.row.quality ?? memory.quality) : EXACT_QUALITY,
      reconstructed: memory.content === null,
      memory: view,
      ratios: await this.#status.memoryRatios(memory, (value) => models.countTokens(value)),
    };
  }

  async browse(query: BrowseQuery = {}): Promise<BrowsePage> {
    this.#assertOpen();
    return this.#parts.search.browse(validate(browseQuerySchema, query, "The query"));
  }

  async facets(): Promise<Facets> {
    this.#assertOpen();
    return this.#parts.search.facets();
  }

  async update(id: string, patch: MemoryPatch): Promise<Receipt> {
    this.#assertOpen();
    validate(memoryPatchSchema, patch, "The change");
    const entry = await this.#writes.run(() => {
      if (patch.keep === "gist") this.episodes.assertGist(id);
      return this.#parts.store.patch(id, patch);
    });
    return {
      index: 0,
      status: "stored",
      id: entry.id,
      keep: entry.keep,
      originalBytes: entry.originalBytes,
      storedBytes: entry.storedBytes,
      quality: entry.quality,
    };
  }

  async forget(target: ForgetTarget, options: { erase?: boolean } = {}): Promise<ForgetReceipt> {
    this.#assertOpen();
    validate(forgetTargetSchema, target, "The target");
    const { store, search } = this.#parts;
    const erased = options.erase ?? false;
    let wereForgotten = 0;
    let toMeasure: string[] = [];
    const ids = await this.#writes.run(async () => {
      const asked =
        "ids" in target
          ? [...new Set(target.ids)]
          : "all" in target
            ? [...store.catalog.entries()].map((entry) => entry.id)
            : matchingIds(target.filter, store.catalog, search.filters);
      const forgottenBefore = store.forgottenCount();
      // Gists that tell of what goes are rewritten in the same frame.
      const { edits, emptied, unmeasured } = await this.episodes.departureOf(asked);
      toMeasure = unmeasured;
      const gists = new Set(emptied);
      const live = (await store.forget([...asked, ...emptied], { erase: erased, edits })).filter(
        (id) => !gists.has(id),
      );
      if (!erased) return live;
      // "All" includes what was forgotten before and could still be restored.
      if ("all" in target && store.forgottenCount() > 0) await store.compact();
      // Forgotten ones that were named were erased too: then every id asked for was there.
      wereForgotten = forgottenBefore - store.forgottenCount();
      return "ids" in target && wereForgotten === asked.length - live.length ? asked : live;
    });
    // The forgetting is done: figures that couldn't be measured stay as they are.
    if (toMeasure.length > 0) void this.episodes.measure(toMeasure).catch(() => undefined);
    if (erased) {
      await this.#parts.models.clearCache();
      // The files of derived data went with what they may have named.
      await this.#parts.learner.save().catch(() => undefined);
    }
    if ("ids" in target && ids.length + wereForgotten === 0 && target.ids.length > 0)
      throw new AppError("not_found", `No memory ${target.ids[0]} is stored.`, {
        hint: "It may have been forgotten already; list the store to see what is there.",
      });
    return { ids, erased };
  }

  async restore(ids: string[]): Promise<string[]> {
    this.#assertOpen();
    return this.#writes.run(() => this.episodes.restore(ids));
  }

  async compress(text: string, options: CompressOptions = {}): Promise<CompressedMemory> {
    this.#assertOpen();
    validate(compressOptionsSchema, options, "The options");
    const { compressor } = await this.#compressor(true);
    return compressor.compressToMemory(text, options);
  }

  async decompress(compressed: CompressedMemory): Promise<DecompressResult> {
    this.#assertOpen();
    const { compressor } = await this.#compressor(false);
    return compressor.decompress(compressed);
  }

  async evaluate(
    input: Parameters<Engine["evaluate"]>[0],
    options: TaskOptions = {},
  ): Promise<Evaluation> {
    this.#assertOpen();
    return evaluateSummary(this.#parts, input, options);
  }

  async compare(
    target: { id: string } | { text: string },
    options: CompressOptions = {},
  ): Promise<Comparison> {
    this.#assertOpen();
    validate(compressOptionsSchema, options, "The options");
    const text = "id" in target ? (await this.read(target.id)).text : target.text;
    return compareSummaries(this.#parts, text, options);
  }

  async resummarize(
    target: Parameters<Engine["resummarize"]>[0],
    options: RememberOptions = {},
  ): Promise<Receipt[]> {
    this.#assertOpen();
    validate(compressOptionsSchema, options, "The options");
    try {
      return await resummarize(this.#parts, target, options);
    } finally {
      this.retention.forgetRefusals();
    }
  }

  async sql(
    query: string,
    options: { maxRows?: number; signal?: AbortSignal } = {},
  ): Promise<SqlTable> {
    this.#assertOpen();
    return this.#parts.sql.query(query, options);
  }

  exportStore(format: ExportFormat): AsyncIterable<ExportedFile> {
    this.#assertOpen();
    return exportMemories(format, this.#parts.store.scanMemories());
  }

  async getEmbeddingsBuffer(query: EmbeddingsQuery = {}): Promise<EmbeddingsBuffer> {
    this.#assertOpen();
    validate(embeddingsQuerySchema, query, "The query");
    const passing = this.#parts.search.filters.compile(query.filter);
    return gatherEmbeddings(
      this.#parts.store,
      query,
      passing && ((ordinal) => passing.has(ordinal)),
    );
  }

  async embedMissing(options: TaskOptions = {}): Promise<number> {
    this.#assertOpen();
    return embedMissing(this.#ingestDeps(), options);
  }

  async compact(options: TaskOptions = {}): Promise<void> {
    this.#assertOpen();
    await this.#writes.run(async () => {
      await this.#parts.store.compact(options);
      await this.#saveDerived();
    });
  }

  async repair(options: { discard?: boolean; check?: boolean } = {}): Promise<RepairReport> {
    this.#assertOpen();
    const { store, search } = this.#parts;
    const report = await this.#writes.run(async (): Promise<RepairReport> => {
      // Only what its owner may know of is given up.
      const files = await store.damagedFiles({ verify: !options.discard });
      if (!options.discard || files.length === 0) return { files, discarded: false, lostCount: 0 };
      const before = store.catalog.size;
      const discarded = await store.discardDamaged();
      return { files: discarded, discarded: true, lostCount: before - store.catalog.size };
    });
    if (!options.check) return report;
    const { isComplete, memories, terms, differingTerms } = await search.verifyWords();
    const words = { isComplete, memories, terms, differingCount: differingTerms.length };
    return { ...report, words };
  }

  /** Index snapshots and learned connections: lost without harm, so a failure to write them is none. */
  async #saveDerived(): Promise<void> {
    await Promise.allSettled([this.#parts.search.saveSnapshots(), this.#parts.learner.save()]);
  }

  /** Drops the loaded embedding model: its weights were installed, replaced or removed. */
  async unloadModel(): Promise<void> {
    await this.#parts.models.unload();
    this.#parts.search.clearCache();
    this.#emit({ type: "model" });
  }

  async status(): Promise<EngineStatus> {
    this.#assertOpen();
    return this.#status.status();
  }

  subscribe(listener: (event: EngineEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#unsubscribe();
    this.#listeners.clear();
    this.episodes.close();
    await this.#writes.drain();
    const { search, models, sql, store } = this.#parts;
    await this.language.close();
    this.#parts.opened.close();
    await this.#saveDerived();
    this.#parts.learner.close();
    await Promise.allSettled([search.close(), models.close(), sql.close()]);
    await store.close();
  }

  #compressor(
    embed: boolean,
  ): Promise<{ compressor: LLMCompressor; embeddingModel: string | null }> {
    return this.#parts.models.compressor(embed);
  }

  #ingestDeps(): IngestDeps {
    return {
      store: this.#parts.store,
      clock: this.#parts.clock,
      compressor: (embed) => this.#compressor(embed),
      indexRoom: () => this.#parts.search.room(),
      // An import that is under way ends where the engine is closed, however long closing takes.
      exclusively: async (work) => {
        this.#assertOpen();
        return this.#writes.run(work);
      },
    };
  }

  #emit(event: Omit<EngineEvent, "generation">): void {
    const full = { ...event, generation: this.#parts.store.generation };
    for (const listener of this.#listeners) listener(full);
  }

  #assertOpen(): void {
    if (this.#closed) throw new AppError("closed", "The engine was closed.");
  }
}

/** Everything that the filter lets pass. */
function matchingIds(filter: MemoryFilter, catalog: Catalog, filters: Filters): string[] {
  const passing = filters.compile(filter);
  return [...catalog.entries()]
    .filter((entry) => passing === null || passing.has(entry.ordinal))
    .map((entry) => entry.id);
}
