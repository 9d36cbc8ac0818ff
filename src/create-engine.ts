/** Builds an `Engine` from the ports of a platform. The platforms' compose files call it. */

import { ConnectionLearner } from "./cognitive/connection-learner.ts";
import { NetworkNavigator } from "./cognitive/navigator.ts";
import { LocalEngine } from "./engine/local-engine.ts";
import { ModelHolder } from "./engine/model-holder.ts";
import { OpenedTogether } from "./engine/opened-together.ts";
import type { OffAtFirst } from "./engine/provider-settings.ts";
import { SettingsStore } from "./engine/settings-store.ts";
import { SqlHolder } from "./engine/sql-holder.ts";
import { WriteQueue } from "./engine/write-queue.ts";
import type { Entity } from "./model/memory.ts";
import { systemClock, type Clock } from "./ports/clock.ts";
import type { ComputeWorkers, GpuProvider } from "./ports/compute.ts";
import type { EmbedderProvider } from "./ports/embedder.ts";
import type { FileStore } from "./ports/file-store.ts";
import type { KeyStore, LanguageModelSource } from "./ports/language-model.ts";
import type { SqlEngine } from "./ports/sql.ts";
import { SearchService } from "./search/search-service.ts";
import { ArrowStorage } from "./storage/arrow-storage.ts";

export interface EnginePorts {
  fileStore: FileStore;
  embedder: EmbedderProvider;
  /** Called on the first SQL question. */
  sql: () => Promise<SqlEngine>;
  clock?: Clock;
  /** Threads that search big indexes of vectors; none: one thread does all. */
  vectorWorkers?: ComputeWorkers;
  /** For batches of vector searches; none: processors do them. */
  gpu?: GpuProvider;
  /** Language models of this platform; none: summaries are extractive. */
  languageSources?: readonly LanguageModelSource[];
  /** Where API keys are kept. */
  keys?: KeyStore;
  /** Providers that are off until their owner sets them up. */
  offAtFirst?: OffAtFirst;
}

/** Its language models weigh megabytes: loaded with the first summary whose names aren't known, not to start. */
async function findNames(text: string): Promise<readonly Entity[]> {
  const { EntityExtractor } = await import("./processing/compression/entities.ts");
  return new EntityExtractor().extract(text);
}

/** Opens the store (recovering what a crash left) and its indexes. Closes the file store when that fails. */
export async function createEngine(ports: EnginePorts): Promise<LocalEngine> {
  const clock = ports.clock ?? systemClock;
  try {
    const store = await ArrowStorage.open(ports.fileStore);
    const search = await SearchService.open(store, {
      clock,
      vectorWorkers: ports.vectorWorkers,
      gpu: ports.gpu,
      findNames,
    });
    const learner = await ConnectionLearner.open(store, clock);
    const writes = new WriteQueue();
    const settings = new SettingsStore(ports.fileStore);
    return new LocalEngine({
      fileStore: ports.fileStore,
      store,
      search,
      navigator: new NetworkNavigator(store, search.entities, learner),
      learner,
      opened: new OpenedTogether(learner),
      models: new ModelHolder(ports.embedder),
      sql: new SqlHolder(store, ports.sql, writes),
      clock,
      writes,
      settings,
      languageSources: ports.languageSources ?? [],
      keys: ports.keys ?? null,
      offAtFirst: ports.offAtFirst ?? [],
    });
  } catch (error) {
    await ports.fileStore.close();
    throw error;
  }
}
