/** Times systems on the same queries, in turns: a slow moment of the machine meets all alike. */

import { percentile } from "../search/statistics.ts";
import { NEAREST, type DataSet } from "./data.ts";

export interface System {
  name: string;
  /** Ids of the nearest, or a promise of them. */
  search: (query: Float32Array) => ArrayLike<number> | Promise<ArrayLike<number>>;
  buildMs: number;
  bytes: number;
  /** For those that would take minutes. */
  maxQueries?: number;
  close?: () => void | Promise<void>;
}

export interface Row {
  system: string;
  data: string;
  queriesPerSecond: number;
  p50Ms: number;
  p99Ms: number;
  recall10: number;
  buildMs: number;
  bytesPerMemory: number;
  /** CPU time of the process per query: what a busy machine doesn't distort. Null where it runs elsewhere. */
  cpuMs: number | null;
}

const ROUNDS = 5;
const WARM_UP = 30;

export async function measure(data: DataSet, systems: readonly System[]): Promise<Row[]> {
  const times = systems.map((): number[] => []);
  const cpu = systems.map(() => 0);
  const found = systems.map(() => 0);
  const perRound = Math.ceil(data.queries.length / ROUNDS);
  for (let round = 0; round < ROUNDS; round++)
    for (const [s, { search, maxQueries = Infinity }] of systems.entries()) {
      const from = round * perRound;
      const size = Math.min(perRound, Math.ceil(maxQueries / ROUNDS), data.queries.length - from);
      // What the system before left in the processor's caches isn't this one's.
      for (let i = 0; i < Math.min(WARM_UP, size); i++) await search(data.queries[from + i]!);
      for (let q = from; q < from + size; q++) {
        const usage = process.cpuUsage();
        const start = performance.now();
        const answer = search(data.queries[q]!);
        const hits = answer instanceof Promise ? await answer : answer;
        times[s]!.push(performance.now() - start);
        const { user, system } = process.cpuUsage(usage);
        cpu[s]! += (user + system) / 1000;
        found[s]! += recallOf(hits, data.truth[q]!);
      }
    }
  return systems.map(({ name, buildMs, bytes }, s) => {
    const all = times[s]!;
    return {
      system: name,
      data: data.name,
      queriesPerSecond: (1000 * all.length) / all.reduce((a, b) => a + b, 0),
      p50Ms: percentile(all, 0.5),
      p99Ms: percentile(all, 0.99),
      recall10: found[s]! / all.length,
      buildMs,
      bytesPerMemory: bytes / data.count,
      cpuMs: cpu[s]! / all.length,
    };
  });
}

export function recallOf(hits: ArrayLike<number>, truth: ReadonlySet<number>): number {
  let found = 0;
  for (let i = 0; i < hits.length; i++) if (truth.has(hits[i]!)) found++;
  return found / NEAREST;
}

export function printRows(rows: readonly Row[]): void {
  console.log(
    "system                           data                              queries/s  p50 ms  p99 ms  CPU ms  recall@10  build ms  B/memory",
  );
  for (const row of rows)
    console.log(
      `${row.system.padEnd(32)} ${row.data.padEnd(32)} ${row.queriesPerSecond.toFixed(0).padStart(10)} ${row.p50Ms.toFixed(3).padStart(7)} ${row.p99Ms.toFixed(2).padStart(7)} ${(row.cpuMs?.toFixed(3) ?? "–").padStart(7)} ${row.recall10.toFixed(4).padStart(10)} ${row.buildMs.toFixed(0).padStart(9)} ${row.bytesPerMemory.toFixed(0).padStart(9)}`,
    );
}
