/**
 * The data of the vector benchmark: clusters with noise (seeded) and the real embeddings that other
 * benchmarks cached, with the exact ten nearest of every query. Rows come in chunks, so that a million
 * of them never lie in memory as floats.
 */

import { EmbeddingCache } from "../search/embeddings.ts";
import { Best, FloatScan } from "./float-scan.ts";

export const DIMENSIONS = 384;
export const NEAREST = 10;
const CLUSTERS = 1000;
const CHUNK_ROWS = 8192;
/** Peers get the rows as floats up to here. */
const MAX_HELD_ROWS = 200_000;

export interface DataSet {
  name: string;
  count: number;
  queries: Float32Array[];
  /** Row-major; empty when there are more rows than are held. */
  rows: Float32Array;
  /** The ids of the exact nearest of each query. */
  truth: Set<number>[];
}

export interface Chunk {
  firstId: number;
  rows: Float32Array;
}

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

/** Rows around 1,000 centres of unit noise; queries are drawn like rows, before them. */
export async function clustered(
  count: number,
  queryCount: number,
  noise: number,
  take: (chunk: Chunk) => void,
): Promise<DataSet> {
  const next = gaussians(1);
  const centers = Array.from({ length: CLUSTERS }, () =>
    Float32Array.from({ length: DIMENSIONS }, next),
  );
  let drawn = 0;
  const draw = (into: Float32Array): void => {
    const center = centers[(drawn++ * 7919) % CLUSTERS]!;
    let norm = 0;
    for (let i = 0; i < DIMENSIONS; i++) {
      const value = center[i]! + noise * next();
      into[i] = value;
      norm += value * value;
    }
    norm = Math.sqrt(norm);
    for (let i = 0; i < DIMENSIONS; i++) into[i]! /= norm;
  };
  const queries = Array.from({ length: queryCount }, () => {
    const query = new Float32Array(DIMENSIONS);
    draw(query);
    return query;
  });
  return collect(`${count} clustered, noise ${noise}`, count, queries, take, (chunk) => {
    for (let i = 0; i < chunk.length; i += DIMENSIONS) draw(chunk.subarray(i, i + DIMENSIONS));
  });
}

/** Real sentences; queries are held out, evenly spread. Null when too few are cached. */
export async function real(
  limit: number,
  queryCount: number,
  take: (chunk: Chunk) => void,
): Promise<DataSet | null> {
  const cache = await EmbeddingCache.open().catch(() => null);
  const all = cache?.all() ?? [];
  await cache?.close();
  if (all.length < 10 * queryCount) return null;
  const step = Math.floor(all.length / queryCount);
  const isQuery = (i: number): boolean => i % step === 0 && i / step < queryCount;
  const queries = all.filter((_, i) => isQuery(i));
  const rows = all.filter((_, i) => !isQuery(i)).slice(0, limit);
  let at = 0;
  return collect(`${rows.length} real MiniLM sentences`, rows.length, queries, take, (chunk) => {
    for (let i = 0; i < chunk.length; i += DIMENSIONS) chunk.set(rows[at++]!, i);
  });
}

async function collect(
  name: string,
  count: number,
  queries: Float32Array[],
  take: (chunk: Chunk) => void,
  fill: (chunk: Float32Array) => void,
): Promise<DataSet> {
  const held = new Float32Array(count <= MAX_HELD_ROWS ? count * DIMENSIONS : 0);
  const scan = new FloatScan(CHUNK_ROWS);
  const best = queries.map(() => new Best(NEAREST));
  for (let firstId = 0; firstId < count; firstId += CHUNK_ROWS) {
    const size = Math.min(CHUNK_ROWS, count - firstId);
    const rows = new Float32Array(size * DIMENSIONS);
    fill(rows);
    scan.fill(rows, size);
    queries.forEach((query, q) => best[q]!.offer(scan.scores(query), firstId));
    if (held.length > 0) held.set(rows, firstId * DIMENSIONS);
    take({ firstId, rows });
    if (process.stderr.isTTY) process.stderr.write(`\r${name}: ${firstId + size} rows `);
  }
  if (process.stderr.isTTY) process.stderr.write("\n");
  return { name, count, queries, rows: held, truth: best.map(({ ids }) => new Set(ids)) };
}
