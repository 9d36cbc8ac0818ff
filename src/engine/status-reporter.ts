/** Computes what the product says about itself: sizes from files, ratios from stored bytes, counts from the catalog. */

import type { EngineStatus, VectorStatus } from "../engine.ts";
import type { Entity, KeepLevel, Ratios } from "../model/memory.ts";
import { VERSION } from "../model/version.ts";
import { estimateTokens, recallContext } from "../processing/compression/ratios.ts";
import type { SearchService } from "../search/search-service.ts";
import type { EpisodeService } from "./episode-service.ts";
import type { LanguageService } from "./language-service.ts";
import type { EngineParts } from "./local-engine.ts";
import type { LatencyWindow } from "./latency-window.ts";
import { computeRatios, EMBEDDING_BYTES } from "./memory-ratios.ts";
import { OriginalTokens, sampleOf } from "./original-tokens.ts";

interface Measured {
  content: string | null;
  summary: string;
  entities: Entity[];
  embedded: boolean;
  originalBytes: number;
  storedBytes: number;
}

export class StatusReporter {
  readonly #parts: EngineParts;
  readonly #latency: LatencyWindow;
  readonly #originalTokens: OriginalTokens;
  readonly #language: LanguageService;
  readonly #episodes: EpisodeService;

  constructor(
    parts: EngineParts,
    latency: LatencyWindow,
    language: LanguageService,
    episodes: EpisodeService,
  ) {
    this.#parts = parts;
    this.#latency = latency;
    this.#originalTokens = new OriginalTokens(parts.store);
    this.#language = language;
    this.#episodes = episodes;
  }

  /** Ratios of one memory; its share of the indexes is the mean over the store. */
  async memoryRatios(
    memory: Measured,
    countTokens: (text: string) => Promise<number>,
  ): Promise<Ratios> {
    const { store } = this.#parts;
    const { indexBytes } = await store.sizes();
    const context = recallContext(memory.summary, memory.entities);
    const contextTokens = await countTokens(context);
    // A faded original can't be counted again: its bytes at the context's own bytes per token.
    const originalTokens =
      memory.content === null
        ? (memory.originalBytes / Math.max(1, new TextEncoder().encode(context).byteLength)) *
          contextTokens
        : await countTokens(memory.content);
    return computeRatios({
      originalBytes: memory.originalBytes,
      storedBytes: memory.storedBytes,
      indexBytes:
        (memory.embedded ? EMBEDDING_BYTES : 0) + indexBytes / Math.max(1, store.catalog.size),
      originalTokens,
      contextTokens,
    });
  }

  async status(): Promise<EngineStatus> {
    const { fileStore, store, search, models } = this.#parts;
    const sizes = await store.sizes();
    const keepCounts: Record<KeepLevel, number> = { exact: 0, summary: 0, gist: 0 };
    let originalBytes = 0;
    let storedBytes = 0;
    const model = await models.loadedModel();
    let embeddedCount = 0;
    for (const entry of store.catalog.entries()) {
      keepCounts[entry.keep]++;
      originalBytes += entry.originalBytes;
      storedBytes += entry.storedBytes;
      // A vector of another model is as good as none: it is made again.
      if (
        entry.keep !== "gist" &&
        entry.embedded &&
        (model === null || entry.embeddingModel === model)
      )
        embeddedCount++;
    }
    // Before damage is listed: it may be met here.
    const tokens = await this.#sampledTokens();
    const embeddingCache = await models.cacheStats();
    // Just after opening they are still on their way; what keeps them from coming is told by `loaded`.
    await search.vectorsLoaded().catch(() => undefined);
    return {
      version: VERSION,
      store: {
        kind: fileStore.kind,
        memoryCount: store.catalog.size,
        forgottenCount: store.forgottenCount(),
        undoableCount: store.fading().length,
        ...sizes,
        originalBytes,
        storedBytes,
        generation: store.generation,
        recovered: [...store.recovered],
        damagedFiles: await store.damagedFiles(),
      },
      keepCounts,
      ratios: {
        ...computeRatios({
          originalBytes,
          storedBytes,
          indexBytes: 0,
          ...tokens,
        }),
        // Of the whole store, everything on disk counts.
        totalRatio: sizes.totalBytes === 0 ? 1 : originalBytes / sizes.totalBytes,
      },
      embeddings: {
        model: await models.state(),
        embeddedCount,
        // Of what is kept as its episode's gist nothing is left to embed.
        pendingCount: Math.max(0, store.catalog.size - keepCounts.gist - embeddedCount),
      },
      usage: await fileStore.usage(),
      caches: {
        results: search.cacheStats(),
        filters: search.filters.stats(),
        blocks: store.cacheStats(),
        ...(embeddingCache ? { embedding: embeddingCache } : {}),
      },
      vectors: vectorStatus(search),
      words: {
        count: search.textIndex.size,
        memoryBytes: search.textIndex.memoryBytes,
        record: search.textIndex.recordStatus ?? { memories: 0, waiting: 0, isFull: false },
      },
      recallMs: this.#latency.summary(),
      language: await this.#language.status(),
      episodes: this.#episodes.counts(),
    };
  }

  /** Estimated tokens of a sample of the exact memories: the originals, and what recall hands out of them. */
  async #sampledTokens(): Promise<{ originalTokens: number; contextTokens: number }> {
    const { store } = this.#parts;
    const sample = sampleOf([...store.catalog.entries()].filter(({ keep }) => keep === "exact"));
    const summaries = await store.getSummaries(sample.map(({ ordinal }) => ordinal));
    // A summary that can't be read would make the ratio look better than it is.
    const readable = sample.filter((_, i) => summaries[i]!.summary !== "");
    return {
      originalTokens: await this.#originalTokens.of(readable),
      contextTokens: summaries.reduce(
        (sum, item) => sum + estimateTokens(recallContext(item.summary, item.entities)),
        0,
      ),
    };
  }
}

function vectorStatus(search: SearchService): VectorStatus {
  const { vectorIndex, vectorPool } = search;
  const { workers, reason, measured, device } = vectorPool.status();
  return {
    count: vectorIndex.size,
    loaded: search.areVectorsLoaded,
    memoryBytes: vectorIndex.memoryBytes,
    kernel: vectorIndex.kernelName,
    workers,
    workersReason: reason,
    measured,
    gpu: device && { name: device.name, reason: device.reason },
  };
}
