/**
 * `npm run bench -- vectors [--count 100000] [--queries 200] [--json FILE]`: nearest-vector search,
 * ours beside a plain float32 loop in the same run, interleaved, with recall against exact search.
 * Data: clusters with noise 0.7 and 1.5 (seeded), and the real embeddings that other benchmarks cached.
 */

import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { dotProduct, normalizeVector, quantizeVector } from "../../src/model/vector.ts";
import { ReferenceKernel } from "../../src/search/kernels/reference.ts";
import { VectorSearch } from "../../src/search/vector-index.ts";
import { EmbeddingCache } from "../search/embeddings.ts";
import { percentile } from "../search/statistics.ts";

interface Row {
  system: string;
  data: string;
  queriesPerSecond: number;
  p50Ms: number;
  p99Ms: number;
  recall10: number;
  buildMs: number;
  bytesPerMemory: number;
}

const DIMENSIONS = 384;
const CLUSTERS = 1000;

/** mulberry32, then Box–Muller: the same data in every run. */
function gaussians(seed: number): () => number {
  const uniform = (): number => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return (((t ^ (t >>> 14)) >>> 0) + 0.5) / 2 ** 32;
  };
  return () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
}

function clustered(count: number, noise: number, seed: number): Float32Array[] {
  const next = gaussians(seed);
  const centers = Array.from({ length: CLUSTERS }, () =>
    Float32Array.from({ length: DIMENSIONS }, next),
  );
  return Array.from({ length: count }, (_, i) =>
    normalizeVector(centers[(i * 7919) % CLUSTERS]!.map((value) => value + noise * next())),
  );
}

function exactTop(vectors: readonly Float32Array[], query: Float32Array, k: number): number[] {
  const scores = Float64Array.from(vectors, (vector) => dotProduct(vector, query));
  const threshold = scores.slice().sort()[scores.length - k]!;
  return Array.from(scores.keys()).filter((i) => scores[i]! >= threshold);
}

type Search = (query: Float32Array) => number[];

function bench(
  data: string,
  vectors: readonly Float32Array[],
  queries: readonly Float32Array[],
  systems: { name: string; search: Search; buildMs: number; bytes: number; maxQueries?: number }[],
): Row[] {
  const truth = queries.map((query) => new Set(exactTop(vectors, query, 10)));
  const times = systems.map((): number[] => []);
  const found = systems.map(() => 0);
  for (const query of queries.slice(0, 10))
    for (const { search } of systems.slice(0, 1)) search(query);
  // Interleaved: a slow moment of the machine meets all systems alike.
  queries.forEach((query, q) =>
    systems.forEach(({ search, maxQueries = Infinity }, s) => {
      if (q >= maxQueries) return;
      const from = performance.now();
      const hits = search(query);
      times[s]!.push(performance.now() - from);
      found[s]! += hits.filter((hit) => truth[q]!.has(hit)).length / 10;
    }),
  );
  return systems.map(({ name, buildMs, bytes }, s) => {
    const all = times[s]!;
    return {
      system: name,
      data,
      queriesPerSecond: (1000 * all.length) / all.reduce((a, b) => a + b, 0),
      p50Ms: percentile(all, 0.5),
      p99Ms: percentile(all, 0.99),
      recall10: found[s]! / all.length,
      buildMs,
      bytesPerMemory: bytes / vectors.length,
    };
  });
}

async function run(data: string, all: Float32Array[], queryCount: number): Promise<Row[]> {
  const queries = all.slice(0, queryCount);
  const vectors = all.slice(queryCount);
  const quantized = vectors.map((vector) => quantizeVector(vector, { fine: true }));
  const build = (index: VectorSearch): number => {
    const from = performance.now();
    quantized.forEach((vector, i) => index.set(i, vector));
    return performance.now() - from;
  };
  const ours = await VectorSearch.create();
  const oursMs = build(ours);
  const reference = new VectorSearch(new ReferenceKernel());
  const referenceMs = build(reference);
  const of =
    (index: VectorSearch, rescoreCount: number): Search =>
    (query) =>
      index.search(query, { limit: 10, rescoreCount }).map((hit) => hit.ordinal);
  return bench(data, vectors, queries, [
    ...[200, 600, 1600].map((r) => ({
      name: `ours ${ours.kernelName} R=${r}`,
      search: of(ours, r),
      buildMs: oursMs,
      bytes: ours.memoryBytes,
    })),
    {
      name: "ours reference R=600",
      search: of(reference, 600),
      buildMs: referenceMs,
      bytes: reference.memoryBytes,
      maxQueries: 20,
    },
    {
      name: "float32 loop",
      search: (query) => exactTop(vectors, query, 10),
      buildMs: 0,
      bytes: vectors.length * DIMENSIONS * 4,
      maxQueries: 20,
    },
  ]);
}

export async function main(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: { count: { type: "string" }, queries: { type: "string" }, json: { type: "string" } },
  });
  const count = Number(values.count ?? 100_000);
  const queryCount = Number(values.queries ?? 200);
  const rows: Row[] = [];
  for (const noise of [0.7, 1.5])
    rows.push(
      ...(await run(
        `${count} clustered, noise ${noise}`,
        clustered(count + queryCount, noise, 1),
        queryCount,
      )),
    );
  const cache = await EmbeddingCache.open().catch(() => null);
  const real = cache?.all() ?? [];
  if (real.length > 5 * queryCount)
    rows.push(...(await run(`${real.length - queryCount} real MiniLM`, real, queryCount)));
  else console.log("No real embeddings are cached: run `npm run bench -- search` first.");
  await cache?.close();

  console.log(
    "system                     data                              queries/s  p50 ms  p99 ms  recall@10  build ms  B/memory",
  );
  for (const row of rows)
    console.log(
      `${row.system.padEnd(26)} ${row.data.padEnd(32)} ${row.queriesPerSecond.toFixed(0).padStart(10)} ${row.p50Ms.toFixed(2).padStart(7)} ${row.p99Ms.toFixed(2).padStart(7)} ${row.recall10.toFixed(4).padStart(10)} ${row.buildMs.toFixed(0).padStart(9)} ${row.bytesPerMemory.toFixed(0).padStart(9)}`,
    );
  if (values.json !== undefined) writeFileSync(values.json, JSON.stringify({ rows }, null, 2));
}

await main(process.argv.slice(2));
