/** Joins the engine with Node: files on disk (or memory), ONNX Runtime in WebAssembly, DuckDB in a thread, language models over HTTP. */

import { createEngine } from "../../create-engine.ts";
import type { Engine } from "../../engine.ts";
import { providerSettingsReader } from "../../engine/provider-settings.ts";
import { SettingsStore } from "../../engine/settings-store.ts";
import type { EmbedderProvider } from "../../ports/embedder.ts";
import { MemoryFileStore } from "../memory/memory-file-store.ts";
import { createNodeSqlEngine } from "./duckdb.ts";
import { FsFileStore } from "./fs-file-store.ts";
import { NodeKeyStore } from "./key-store.ts";
import { createNodeLanguageSources } from "./language-sources.ts";
import { NodeEmbedderProvider } from "./ort-embedder.ts";
import { NodeVectorThreads } from "./vector-threads.ts";

export interface OpenOptions {
  /** Folder of the store; made when missing. Without it everything stays in memory and ends with the engine. */
  directory?: string;
  /** Folder of the model weights. Default `$LLM_COMPRESS_MODELS`, else `.cache/models` of this package. */
  modelsDirectory?: string;
  /** Threads of the embedding model. Default 2 where the machine has as many processors, else 1. */
  threads?: number;
  /** False never loads the embedding model, also where it is installed. Default true. */
  embed?: boolean;
}

/**
 * Opens a store and gives its engine; call `close()` at the end. `store_locked` while another
 * process holds the folder, `storage_unavailable` when it can't be used, `unsupported_version`
 * when a newer program wrote it.
 */
export async function openEngine(options: OpenOptions = {}): Promise<Engine> {
  const provider = new NodeEmbedderProvider({
    ...(options.modelsDirectory === undefined ? {} : { modelsDirectory: options.modelsDirectory }),
    ...(options.threads === undefined ? {} : { threads: options.threads }),
  });
  const fileStore =
    options.directory === undefined
      ? new MemoryFileStore()
      : await FsFileStore.open(options.directory);
  const keys = new NodeKeyStore();
  return createEngine({
    fileStore,
    keys,
    vectorWorkers: new NodeVectorThreads(),
    languageSources: createNodeLanguageSources(
      keys,
      providerSettingsReader(new SettingsStore(fileStore)),
    ),
    embedder: options.embed === false ? withoutModel(provider) : provider,
    sql: () => Promise.resolve(createNodeSqlEngine()),
  });
}

/** Tells the model's state, but never loads it. */
function withoutModel(provider: EmbedderProvider): EmbedderProvider {
  const { variants } = provider;
  return {
    load: () => Promise.resolve(null),
    state: () => provider.state(),
    ...(variants && { variants }),
  };
}
