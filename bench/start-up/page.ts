/**
 * The page's side of the start-up benchmark: the product's engine in its worker over the origin's
 * private file system, filled in batches that the page fetches, and opened with a stop watch.
 */

import type { EngineStatus } from "../../src/engine.ts";
import { EMBEDDING_DIMENSIONS } from "../../src/model/vector.ts";
import type { MemoryInput } from "../../src/model/memory.ts";
import { openEngine, type BrowserEngine } from "../../src/platform/browser/open.ts";

/** What `/batch` answers: u32 length of the JSON, the JSON, padding to 4, float32 vectors in its order. */
export type BatchItem = Omit<MemoryInput, "embedding">;

export interface Start {
  /** From the navigation until the page's script ran. */
  pageMs: number;
  /** From the call of `openEngine` until the first recall answered. */
  answerMs: number;
  /** The part of it that recall says it took. */
  recallMs: number;
  hits: number;
  signals: string[];
  /** Asked after the answer. */
  status: EngineStatus;
}

declare global {
  interface Window {
    remember: (name: string, batch: number, model: string) => Promise<number>;
    compact: (name: string) => Promise<number>;
    start: (name: string, query: string) => Promise<Start>;
    ready?: true;
  }
}

let filling: BrowserEngine | null = null;

/** Stores one batch; gives the ms that it took, without fetching it. */
window.remember = async (name, batch, model) => {
  filling ??= openEngine({ name });
  const bytes = await (await fetch(`./batch?${batch}`)).arrayBuffer();
  const jsonBytes = new DataView(bytes).getUint32(0, true);
  const text = new TextDecoder().decode(new Uint8Array(bytes, 4, jsonBytes));
  const vectors = new Float32Array(bytes, 4 + Math.ceil(jsonBytes / 4) * 4);
  const items = (JSON.parse(text) as BatchItem[]).map((item, i): MemoryInput => {
    const at = i * EMBEDDING_DIMENSIONS;
    return {
      ...item,
      embedding: { model, vector: vectors.slice(at, at + EMBEDDING_DIMENSIONS) },
    };
  });
  const from = performance.now();
  const receipts = await filling.remember(items);
  const ms = performance.now() - from;
  const failed = receipts.find(({ status }) => status === "failed");
  if (failed) throw new Error(failed.error?.message ?? "A memory could not be stored.");
  return ms;
};

/** Compacts, which writes the indexes' snapshots, too; gives its ms. */
window.compact = async (name) => {
  filling ??= openEngine({ name });
  const from = performance.now();
  await filling.compact();
  return performance.now() - from;
};

window.start = async (name, query) => {
  const pageMs = loadedMs;
  const from = performance.now();
  const engine = openEngine({ name });
  const { hits, timings, signals } = await engine.recall({ query, topK: 10 });
  const answerMs = performance.now() - from;
  const status = await engine.status();
  await engine.close();
  return { pageMs, answerMs, recallMs: timings.total, hits: hits.length, signals, status };
};

const loadedMs = performance.now();
window.ready = true;
