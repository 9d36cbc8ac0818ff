/** The worker that `browser.ts` measures in: fetches the data, builds each system, times the queries. */

import { quantizeVector } from "../../src/model/vector.ts";
import { VectorSearch } from "../../src/search/vector-index.ts";

export interface BrowserReport {
  system: string;
  queriesPerSecond: number;
  p50Ms: number;
  p99Ms: number;
  recall10: number;
  buildMs: number;
  bytesPerMemory: number;
  /** Why it wasn't measured. */
  skipped?: string;
}

const DIMENSIONS = 384;
const NEAREST = 10;
const WARM_UP = 100;
const TARGET_RECALL = 0.99;
const HNSW_QUERIES = 200;

type Search = (query: Float32Array) => number[];

async function floatsOf(path: string): Promise<Float32Array[]> {
  const all = new Float32Array(await (await fetch(path)).arrayBuffer());
  return Array.from({ length: all.length / DIMENSIONS }, (_, i) =>
    all.subarray(i * DIMENSIONS, (i + 1) * DIMENSIONS),
  );
}

function report(
  system: string,
  search: Search,
  queries: readonly Float32Array[],
  truth: readonly number[][],
  { buildMs, bytesPerMemory }: { buildMs: number; bytesPerMemory: number },
): BrowserReport {
  for (const query of queries.slice(0, WARM_UP)) search(query);
  const times: number[] = [];
  let found = 0;
  queries.forEach((query, q) => {
    const start = performance.now();
    const hits = search(query);
    times.push(performance.now() - start);
    found += hits.filter((id) => truth[q]!.includes(id)).length / NEAREST;
  });
  times.sort((a, b) => a - b);
  const total = times.reduce((a, b) => a + b, 0);
  return {
    system,
    queriesPerSecond: (1000 * times.length) / total,
    p50Ms: times[Math.floor(times.length / 2)]!,
    p99Ms: times[Math.floor(times.length * 0.99)]!,
    recall10: found / queries.length,
    buildMs,
    bytesPerMemory,
  };
}

/** As much as is used of hnswlib-wasm. */
interface Hnswlib {
  HierarchicalNSW: new (
    space: string,
    dimensions: number,
    file: string,
  ) => {
    initIndex(max: number, m: number, construction: number, seed: number): void;
    addPoints(points: Float32Array[], labels: number[], replace: boolean): void;
    setEfSearch(width: number): void;
    searchKnn(query: Float32Array, k: number, filter: undefined): { neighbors: number[] };
  };
}

async function hnswlib(
  url: string,
  rows: Float32Array[],
  queries: Float32Array[],
  truth: number[][],
): Promise<BrowserReport> {
  const { loadHnswlib } = (await import(/* @vite-ignore */ url)) as {
    loadHnswlib(): Promise<Hnswlib>;
  };
  const { HierarchicalNSW } = await loadHnswlib();
  const index = new HierarchicalNSW("ip", DIMENSIONS, "");
  index.initIndex(rows.length, 16, 128, 100);
  const from = performance.now();
  for (let at = 0; at < rows.length; at += 1000) {
    const part = rows.slice(at, at + 1000);
    index.addPoints(
      part,
      part.map((_, i) => at + i),
      false,
    );
  }
  const buildMs = performance.now() - from;
  const search: Search = (query) => index.searchKnn(query, NEAREST, undefined).neighbors;
  const some = queries.slice(0, HNSW_QUERIES);
  let width = 64;
  let result: BrowserReport;
  do {
    index.setEfSearch(width);
    // The vectors and their links; the library doesn't tell its memory.
    const bytesPerMemory = DIMENSIONS * 4 + 16 * 2 * 4 + 16;
    const name = `hnswlib-wasm f32 ef=${width}, in Chromium`;
    result = report(name, search, some, truth, { buildMs, bytesPerMemory });
    width *= 2;
  } while (result.recall10 < TARGET_RECALL && width <= 2048);
  return result;
}

self.onmessage = async ({ data }: MessageEvent<{ hnswlib: string | null }>) => {
  try {
    const rows = await floatsOf("/data/rows");
    const queries = await floatsOf("/data/queries");
    const truth = (await (await fetch("/data/truth")).json()) as number[][];
    const index = await VectorSearch.create();
    const vectors = rows.map((row) => quantizeVector(row, { fine: true }));
    const from = performance.now();
    vectors.forEach((vector, i) => index.set(i, vector));
    const reports = [
      report(
        `ours ${index.kernelName}, in Chromium`,
        (query) => {
          const { ordinals, count } = index.searchInto(query, { limit: NEAREST });
          return Array.from(ordinals.subarray(0, count));
        },
        queries,
        truth,
        { buildMs: performance.now() - from, bytesPerMemory: index.memoryBytes / rows.length },
      ),
    ];
    if (data.hnswlib !== null)
      reports.push(
        await hnswlib(data.hnswlib, rows, queries, truth).catch((error: unknown) => ({
          ...reports[0]!,
          system: "hnswlib-wasm",
          skipped: String(error),
        })),
      );
    self.postMessage(reports);
  } catch (error) {
    self.postMessage(String(error));
  }
};
