/**
 * The page's side of the benchmarks in a browser: the product's engine in its worker over the origin's
 * private file system, filled in batches that the page fetches, opened and asked with a stop watch.
 */

import type { EngineStatus } from "../../src/engine.ts";
import { EMBEDDING_DIMENSIONS } from "../../src/model/vector.ts";
import type { MemoryInput } from "../../src/model/memory.ts";
import type { RecallQuery, RecallResult } from "../../src/model/query.ts";
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

/** One recall; without its query's embedding, which is kept from an earlier round. */
export interface Asked {
  /** What recall says that it took. */
  recallMs: number;
  /** From the page's call to its answer. */
  answerMs: number;
}

export interface Recalls {
  oneCaller: Asked[];
  manyCallers: { answers: Asked[]; seconds: number };
  /** ms of the embedding of each query, when it was asked first. */
  embedMs: number[];
  signals: string[];
  status: EngineStatus;
}

export interface RecallsOptions {
  rounds: number;
  seconds: number;
  callers: number;
}

export interface WordsAsked {
  answerMs: number;
  /** Of each question after the first, what recall says that it took. */
  recallMs: number[];
  hits: number;
  status: EngineStatus;
}

declare global {
  interface Window {
    remember: (name: string, batch: number, model: string) => Promise<number>;
    compact: (name: string) => Promise<number>;
    start: (name: string, query: string) => Promise<Start>;
    copyIn: (name: string, paths: string[]) => Promise<void>;
    askWords: (name: string, queries: string[]) => Promise<WordsAsked>;
    recalls: (name: string, queries: RecallQuery[], options: RecallsOptions) => Promise<Recalls>;
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

/** Takes a store's files, served under `store/`, into the origin's file system. */
window.copyIn = async (name, paths) => {
  const origin = await navigator.storage.getDirectory();
  const root = await origin.getDirectoryHandle(name, { create: true });
  for (const path of paths) {
    const parts = path.split("/");
    let folder = root;
    for (const part of parts.slice(0, -1))
      folder = await folder.getDirectoryHandle(part, { create: true });
    const file = await folder.getFileHandle(parts.at(-1)!, { create: true });
    const { body, ok } = await fetch(`./store/${path}`);
    if (!ok || body === null) throw new Error(`${path} can't be fetched.`);
    await body.pipeTo(await file.createWritable());
  }
};

window.askWords = async (name, queries) => {
  const from = performance.now();
  const engine = openEngine({ name });
  let { hits } = await engine.recall({ query: queries[0]!, topK: 10 });
  const answerMs = performance.now() - from;
  const recallMs: number[] = [];
  for (const query of queries.slice(1)) {
    const result = await engine.recall({ query, topK: 10 });
    recallMs.push(result.timings.total);
    hits = result.hits;
  }
  const status = await engine.status();
  await engine.close();
  return { answerMs, recallMs, hits: hits.length, status };
};

/** Whole recalls with the installed model: first one caller, then many that ask again when answered. */
window.recalls = async (name, queries, { rounds, seconds, callers }) => {
  const engine = openEngine({ name });
  const { state } = await engine.models.state();
  if (state !== "installed" && state !== "loaded") await engine.models.install();
  const ask = async (query: RecallQuery): Promise<Asked & RecallResult> => {
    const from = performance.now();
    const result = await engine.recall(query);
    const answerMs = performance.now() - from;
    const embedMs = result.timings.embed ?? 0;
    return { ...result, answerMs: answerMs - embedMs, recallMs: result.timings.total - embedMs };
  };
  const embedMs: number[] = [];
  const signals = new Set<string>();
  for (const query of queries) {
    const result = await ask(query);
    if (result.timings.embed) embedMs.push(result.timings.embed);
    for (const signal of result.signals) signals.add(signal);
  }
  const oneCaller: Asked[] = [];
  for (let round = 0; round <= rounds; round++)
    for (const query of queries) {
      const { recallMs, answerMs } = await ask(query);
      // The first round warms up.
      if (round > 0) oneCaller.push({ recallMs, answerMs });
    }
  let next = 0;
  const askUntil = async (untilMs: number): Promise<Asked[]> => {
    const answers: Asked[] = [];
    await Promise.all(
      Array.from({ length: callers }, async () => {
        while (performance.now() < untilMs) {
          const { recallMs, answerMs } = await ask(queries[next++ % queries.length]!);
          answers.push({ recallMs, answerMs });
        }
      }),
    );
    return answers;
  };
  await askUntil(performance.now() + 2000);
  const from = performance.now();
  const answers = await askUntil(from + seconds * 1000);
  const manyCallers = { answers, seconds: (performance.now() - from) / 1000 };
  const status = await engine.status();
  await engine.close();
  return { oneCaller, manyCallers, embedMs, signals: [...signals], status };
};

const loadedMs = performance.now();
window.ready = true;
