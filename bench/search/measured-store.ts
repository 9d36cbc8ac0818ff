/** The product's storage and search over a folder, opened with stop watches, without the engine's models. */

import { ConnectionLearner } from "../../src/cognitive/connection-learner.ts";
import { NetworkNavigator } from "../../src/cognitive/navigator.ts";
import type { RecallResult } from "../../src/model/query.ts";
import { FsFileStore } from "../../src/platform/node/fs-file-store.ts";
import { NodeVectorThreads } from "../../src/platform/node/vector-threads.ts";
import type { RecallContext, RecallDeps } from "../../src/search/recall.ts";
import { SearchService } from "../../src/search/search-service.ts";
import { ArrowStorage } from "../../src/storage/arrow-storage.ts";
import type { Spread } from "../../src/search/spread.ts";
import type { QueryVectors } from "./index.ts";
import type { BenchQuery } from "./queries.ts";

export interface Measured {
  service: SearchService;
  context: RecallContext;
  spread: Spread;
  /** Until the store was open, and until a query could be asked. */
  storeMs: number;
  openMs: number;
  openCpuMs: number;
  /** What the indexes hold in memory, by memory. */
  bytesPerMemory: number;
  memory(): string;
  recall(query: BenchQuery, vectors: QueryVectors, deps?: RecallDeps): Promise<RecallResult>;
  /** The first ten of each, by id. */
  answer(queries: readonly BenchQuery[], vectors: QueryVectors): Promise<string[][]>;
  close(): Promise<void>;
}

export function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

export async function openMeasured(
  directory: string,
  options: { vectorWorkers?: boolean } = {},
): Promise<Measured> {
  const [from, cpuFrom] = [performance.now(), cpuMs()];
  const store = await ArrowStorage.open(await FsFileStore.open(directory));
  const storeMs = performance.now() - from;
  const service = await SearchService.open(store, {
    cacheEntries: 1,
    ...(options.vectorWorkers ? { vectorWorkers: new NodeVectorThreads() } : {}),
  });
  await service.vectorsLoaded();
  const openMs = performance.now() - from;
  const openCpuMs = cpuMs() - cpuFrom;
  const learner = await ConnectionLearner.open(store);
  const { spread } = new NetworkNavigator(store, service.entities, learner);
  const recall: Measured["recall"] = (query, vectors, deps = {}) =>
    service.recall(
      { ...query, topK: 10 },
      { embedQuery: (text) => Promise.resolve(vectors.of(text)), spread, ...deps },
    );
  const indexBytes = service.vectorIndex.memoryBytes + service.textIndex.memoryBytes;
  return {
    service,
    context: service.context,
    spread,
    storeMs,
    openMs,
    openCpuMs,
    bytesPerMemory: Math.round(indexBytes / Math.max(1, store.catalog.size)),
    memory: () => `${(process.memoryUsage().rss / 1e6).toFixed(0)} MB`,
    recall,
    async answer(queries, vectors) {
      const answers: string[][] = [];
      for (const query of queries) {
        const { hits } = await recall(query, vectors);
        answers.push(hits.map((hit) => hit.memory.id));
      }
      return answers;
    },
    async close() {
      learner.close();
      await service.close();
      await store.close();
    },
  };
}
