/**
 * Several threads that each hold the indexes, with one caller each: what two processors can answer when
 * nothing is shared but the disk. Runs this benchmark's bundle again in worker threads.
 */

import { cpSync, rmSync } from "node:fs";
import { Worker, parentPort, workerData } from "node:worker_threads";
import type { QueryVectors } from "./index.ts";
import { cpuMs, openMeasured } from "./measured-store.ts";
import type { BenchQuery } from "./queries.ts";
import type { Speed } from "./rows.ts";
import { percentile } from "./statistics.ts";

interface Task {
  directory: string;
  queries: readonly BenchQuery[];
  vectors: [string, Float32Array][];
  seconds: number;
  first: number;
}

export async function replicaRow(
  directory: string,
  queries: readonly BenchQuery[],
  vectors: QueryVectors,
  options: { workers: number; seconds: number },
): Promise<Speed> {
  const copies = Array.from({ length: options.workers }, (_, i) => `${directory}-${i}`);
  try {
    const workers = await Promise.all(
      copies.map(async (copy, i) => {
        cpSync(directory, copy, { recursive: true });
        const task: Task = {
          directory: copy,
          queries,
          vectors: vectors.all,
          seconds: options.seconds,
          first: Math.floor((i * queries.length) / copies.length),
        };
        const worker = new Worker(new URL(import.meta.url), { workerData: task });
        await message(worker); // it is warm
        return worker;
      }),
    );
    const cpuFrom = cpuMs();
    const answers = workers.map((worker) => message<number[]>(worker));
    for (const worker of workers) worker.postMessage("go");
    const latencies = (await Promise.all(answers)).flat();
    const spent = cpuMs() - cpuFrom;
    await Promise.all(workers.map((worker) => worker.terminate()));
    return {
      queriesPerSecond: latencies.length / options.seconds,
      p50Ms: percentile(latencies, 0.5),
      p99Ms: percentile(latencies, 0.99),
      cpuMs: spent / latencies.length,
    };
  } finally {
    for (const copy of copies) rmSync(copy, { recursive: true, force: true });
  }
}

function message<T>(worker: Worker): Promise<T> {
  return new Promise((resolve, reject) => {
    worker.once("message", resolve);
    worker.once("error", reject);
  });
}

/** What runs in each thread. */
export async function serveReplica(): Promise<void> {
  const { directory, queries, vectors, seconds, first } = workerData as Task;
  const known = new Map(vectors);
  const of: QueryVectors["of"] = (text) => known.get(text) ?? null;
  const measured = await openMeasured(directory);
  const ask = async (untilMs: number): Promise<number[]> => {
    const latencies: number[] = [];
    for (let i = first; performance.now() < untilMs; i++) {
      const from = performance.now();
      await measured.recall(queries[i % queries.length]!, { of, all: [], embedMs: [] });
      latencies.push(performance.now() - from);
    }
    return latencies;
  };
  await ask(performance.now() + 3000);
  const port = parentPort!;
  port.once("message", () => {
    void ask(performance.now() + seconds * 1000).then(async (latencies) => {
      port.postMessage(latencies);
      await measured.close();
    });
  });
  port.postMessage("ready");
}
