/**
 * The vector pool beside one thread, in one run and interleaved: queries per second when many are
 * asked at once, latency when they come one by one, CPU time of each, and that all hits are the same.
 *
 * `npm run bench -- vectors --pool [--count 100000] [--noise 0.7] [--queries 1000] [--workers 2]`
 */

import { parseArgs } from "node:util";
import { NodeVectorThreads } from "../../src/platform/node/vector-threads.ts";
import { quantizeVector } from "../../src/model/vector.ts";
import { VectorSearch, type VectorHits } from "../../src/search/vector-index.ts";
import { scannersFor, VectorPool } from "../../src/search/vector-pool.ts";
import { percentile } from "../search/statistics.ts";

export interface PoolRow {
  system: string;
  data: string;
  queriesPerSecond: number;
  p50Ms: number;
  p99Ms: number;
  /** CPU time of the process per query, all threads: what a busy machine doesn't distort. */
  cpuMs: number;
  /** Share of the queries whose hits are those of one thread, bit for bit. */
  same: number;
  bytesPerMemory: number;
}

const ROUNDS = 5;
const LIMIT = 10;

interface Way {
  name: string;
  /** All at once. */
  many(queries: readonly Float32Array[]): Promise<number[][]>;
  /** Alone. */
  one(query: Float32Array): Promise<VectorHits> | VectorHits;
}

/** @param index with room for scanners: `VectorSearch.create({ scanners: scannersFor(new NodeVectorThreads()) })` */
export async function poolRows(
  data: string,
  index: VectorSearch,
  queries: readonly Float32Array[],
  workers?: number,
): Promise<PoolRow[]> {
  const pool = new VectorPool(index, {
    workers: new NodeVectorThreads(),
    minSize: 0,
    ...(workers === undefined ? {} : { fixedWorkers: workers }),
  });
  const options = { limit: LIMIT };
  await pool.searchBatch(queries.slice(0, 32), options);
  const status = pool.status();
  console.log(`${data}: ${status.reason}${status.splits ? " One query is shared by all." : ""}`);
  const ways: Way[] = [
    {
      name: "ours, one thread",
      many: (all) =>
        Promise.resolve(all.map((query) => index.search(query, options).map((h) => h.ordinal))),
      one: (query) => index.searchInto(query, options),
    },
    {
      name: `ours, ${status.workers} worker${status.workers === 1 ? "" : "s"}`,
      many: async (all) =>
        (await pool.searchBatch(all, options)).map((hits) => hits.map((hit) => hit.ordinal)),
      one: (query) => pool.nearest(query, options),
    },
  ];
  const expected = await ways[0]!.many(queries);
  const seconds: number[][] = ways.map(() => []);
  const cpu = ways.map(() => 0);
  const latencies: number[][] = ways.map(() => []);
  const same = ways.map(() => 0);
  for (let round = 0; round < ROUNDS; round++)
    for (const [w, way] of ways.entries()) {
      const usage = process.cpuUsage();
      const from = performance.now();
      const found = await way.many(queries);
      seconds[w]!.push((performance.now() - from) / 1000);
      const { user, system } = process.cpuUsage(usage);
      cpu[w]! += (user + system) / 1000;
      same[w]! += found.filter((hits, i) => String(hits) === String(expected[i])).length;
      for (const query of queries.slice(0, 200)) {
        const start = performance.now();
        await way.one(query);
        latencies[w]!.push(performance.now() - start);
      }
    }
  const rows = ways.map(({ name }, w): PoolRow => ({
    system: name,
    data,
    queriesPerSecond: queries.length / percentile(seconds[w]!, 0.5),
    p50Ms: percentile(latencies[w]!, 0.5),
    p99Ms: percentile(latencies[w]!, 0.99),
    cpuMs: cpu[w]! / (ROUNDS * queries.length),
    same: same[w]! / (ROUNDS * queries.length),
    bytesPerMemory: index.memoryBytes / index.size,
  }));
  pool.close();
  return rows;
}

export function printPoolRows(rows: readonly PoolRow[]): void {
  console.log(
    "system                 data                              queries/s  p50 ms  p99 ms  CPU ms/query  same hits  B/memory",
  );
  for (const row of rows)
    console.log(
      `${row.system.padEnd(22)} ${row.data.padEnd(32)} ${row.queriesPerSecond.toFixed(0).padStart(10)} ${row.p50Ms.toFixed(2).padStart(7)} ${row.p99Ms.toFixed(2).padStart(7)} ${row.cpuMs.toFixed(3).padStart(13)} ${`${(100 * row.same).toFixed(1)} %`.padStart(10)} ${row.bytesPerMemory.toFixed(0).padStart(9)}`,
    );
}

/** Clusters with noise, quantized as they are made: a million need no floats in memory. */
export async function clusteredIndex(
  count: number,
  noise: number,
): Promise<{ index: VectorSearch; queries: Float32Array[] }> {
  let seed = 1;
  const uniform = (): number => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return (((t ^ (t >>> 14)) >>> 0) + 0.5) / 2 ** 32;
  };
  const gaussian = (): number =>
    Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
  // A bank of noise, read from another place each time: a million true draws would take minutes.
  const bank = Float32Array.from({ length: 1_000_003 }, gaussian);
  const centers = Array.from({ length: 1000 }, () => Float32Array.from({ length: 384 }, gaussian));
  const vectorOf = (i: number): Float32Array => {
    const center = centers[(i * 7919) % 1000]!;
    const shift = Math.floor(uniform() * bank.length);
    const vector = new Float32Array(384);
    let norm = 0;
    for (let d = 0; d < 384; d++) {
      const value = center[d]! + noise * bank[(shift + d) % bank.length]!;
      vector[d] = value;
      norm += value * value;
    }
    norm = Math.sqrt(norm);
    for (let d = 0; d < 384; d++) vector[d]! /= norm;
    return vector;
  };
  const index = await VectorSearch.create({ scanners: scannersFor(new NodeVectorThreads()) });
  for (let i = 0; i < count; i++) index.set(i, quantizeVector(vectorOf(i), { fine: true }));
  return { index, queries: Array.from({ length: 1000 }, (_, i) => vectorOf(i)) };
}

/** `npm run bench -- vectors --pool` */
export async function main(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      pool: { type: "boolean" },
      count: { type: "string" },
      noise: { type: "string" },
      workers: { type: "string" },
      queries: { type: "string" },
    },
  });
  const count = Number(values.count ?? 100_000);
  const noise = Number(values.noise ?? 0.7);
  const { index, queries } = await clusteredIndex(count, noise);
  const workers = values.workers === undefined ? undefined : Number(values.workers);
  const asked = queries.slice(0, Number(values.queries ?? 1000));
  printPoolRows(await poolRows(`${count} clustered, noise ${noise}`, index, asked, workers));
}
