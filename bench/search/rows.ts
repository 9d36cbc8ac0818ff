/** Measuring recalls one after the other and many at once, and printing what came out. */

import type { RecallTimings } from "../../src/model/query.ts";
import type { QueryVectors } from "./index.ts";
import { cpuMs, type Measured } from "./measured-store.ts";
import type { BenchQuery } from "./queries.ts";
import { percentile } from "./statistics.ts";

export interface Speed {
  queriesPerSecond: number;
  p50Ms: number;
  p99Ms: number;
  /** Of all threads, by query; absent where it can't be told. */
  cpuMs?: number;
}

export interface Row extends Speed {
  system: string;
  data: string;
  /** Share of the first ten of the exact pipeline that are found; null where the question is another. */
  recall10: number | null;
  buildMs: number;
  bytesPerMemory: number;
}

export interface Stage {
  stage: string;
  meanMs: number;
  p50Ms: number;
  p99Ms: number;
}

const STAGES = ["lexical", "semantic", "spread", "rank", "fetch"] as const;
const CALLERS = 16;

/** One caller; without the query's embedding. The first round warms up and isn't counted. */
export async function latencyRow(
  measured: Measured,
  queries: readonly BenchQuery[],
  vectors: QueryVectors,
  rounds: number,
): Promise<{ row: Speed; stages: Stage[] }> {
  const samples = new Map<string, number[]>([...STAGES, "total"].map((stage) => [stage, []]));
  let spentCpuMs = 0;
  for (let round = 0; round <= rounds; round++) {
    const from = cpuMs();
    for (const query of queries) {
      const { timings } = await measured.recall(query, vectors);
      if (round === 0) continue;
      for (const stage of STAGES) samples.get(stage)!.push(timings[stage as keyof RecallTimings]!);
      samples.get("total")!.push(timings.total - (timings.embed ?? 0));
    }
    if (round > 0) spentCpuMs += cpuMs() - from;
  }
  const totals = samples.get("total")!;
  const mean = (values: readonly number[]): number =>
    values.reduce((sum, value) => sum + value, 0) / values.length;
  return {
    row: {
      queriesPerSecond: 1000 / mean(totals),
      p50Ms: percentile(totals, 0.5),
      p99Ms: percentile(totals, 0.99),
      cpuMs: spentCpuMs / totals.length,
    },
    stages: Array.from(samples, ([stage, values]) => ({
      stage,
      meanMs: mean(values),
      p50Ms: percentile(values, 0.5),
      p99Ms: percentile(values, 0.99),
    })),
  };
}

/** Sixteen callers, each asking again as soon as it is answered. */
export async function throughputRow(
  measured: Measured,
  queries: readonly BenchQuery[],
  vectors: QueryVectors,
  seconds: number,
): Promise<Speed> {
  const run = async (untilMs: number): Promise<number[]> => {
    const latencies: number[] = [];
    let next = 0;
    await Promise.all(
      Array.from({ length: CALLERS }, async () => {
        while (performance.now() < untilMs) {
          const from = performance.now();
          await measured.recall(queries[next++ % queries.length]!, vectors);
          latencies.push(performance.now() - from);
          // Answers of workers come as messages: the turn of the loop must end.
          if (next % CALLERS === 0) await new Promise((resolve) => setImmediate(resolve));
        }
      }),
    );
    return latencies;
  };
  await run(performance.now() + 1500);
  const [from, cpuFrom] = [performance.now(), cpuMs()];
  const latencies = await run(from + seconds * 1000);
  const elapsedMs = performance.now() - from;
  return {
    queriesPerSecond: (latencies.length * 1000) / elapsedMs,
    p50Ms: percentile(latencies, 0.5),
    p99Ms: percentile(latencies, 0.99),
    cpuMs: (cpuMs() - cpuFrom) / latencies.length,
  };
}

export function printStages(stages: readonly Stage[], embedMs: readonly number[]): void {
  console.log(`\n${"stage".padEnd(28)}${["mean ms", "p50 ms", "p99 ms"].map(right).join("")}`);
  const line = (name: string, values: readonly number[]): void =>
    console.log(name.padEnd(28) + values.map((value) => right(value.toFixed(3))).join(""));
  for (const { stage, meanMs, p50Ms, p99Ms } of stages) line(stage, [meanMs, p50Ms, p99Ms]);
  const mean = embedMs.reduce((sum, value) => sum + value, 0) / Math.max(1, embedMs.length);
  line("(embedding of the query)", [mean, percentile(embedMs, 0.5), percentile(embedMs, 0.99)]);
}

export function printRows(rows: readonly Row[]): void {
  const heads = ["queries/s", "p50 ms", "p99 ms", "CPU ms", "recall@10", "build ms", "B/memory"];
  console.log(`\n${"system".padEnd(44)}${heads.map(right).join("")}`);
  for (const row of rows)
    console.log(
      row.system.padEnd(44) +
        [
          row.queriesPerSecond.toFixed(0),
          row.p50Ms.toFixed(2),
          row.p99Ms.toFixed(2),
          row.cpuMs?.toFixed(2) ?? "–",
          row.recall10?.toFixed(4) ?? "–",
          row.buildMs.toFixed(0),
          row.bytesPerMemory.toFixed(0),
        ]
          .map(right)
          .join(""),
    );
}

function right(text: string): string {
  return text.padStart(11);
}
