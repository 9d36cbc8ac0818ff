/**
 * How many workers are fastest on this machine, now, with this index: measured, never assumed. On a
 * machine whose processors are busy or share their memory badly, none may be.
 */

import type { Clock } from "../ports/clock.ts";

/** Queries per second of so many workers together; `workers` 0 is the owner's own thread. */
export interface PoolMeasurement {
  workers: number;
  queriesPerSecond: number;
}

/** What is measured. */
export interface PoolTrial {
  /** One query on this thread. */
  own(): void;
  /** Has so many workers take part. */
  resize(workers: number): void;
  /** So many queries, asked at once. */
  ask(count: number): Promise<void>;
}

/** More workers have to bring at least this much; all together this much more than the owner's thread for a batch of vectors alone. */
export const WORTHWHILE = 1.1;
/**
 * Workers as fast as this beside the owner's thread are used: a recall has more to do than its vectors, and
 * while a worker scans for one, the owner's thread goes on with another.
 */
const NEARLY_AS_FAST = 0.7;
const OWN_MS = 10;
const WORKERS_MS = 30;
/** A slow moment of the machine is not the number's: the better of so many rounds counts. */
const ROUNDS = 2;
const QUERIES_EACH = 16;

/** Tries none, 1, 2, 4 … `maxWorkers` workers, until more bring nothing. */
export async function measureWorkers(
  trial: PoolTrial,
  maxWorkers: number,
  clock: Clock,
): Promise<PoolMeasurement[]> {
  const measured: PoolMeasurement[] = [
    { workers: 0, queriesPerSecond: await rate(clock, OWN_MS, () => (trial.own(), 1)) },
  ];
  let best = 0;
  for (const workers of countsUpTo(maxWorkers)) {
    trial.resize(workers);
    // Started, attached and compiled before the clock runs.
    await trial.ask(4 * workers);
    const count = QUERIES_EACH * workers;
    const queriesPerSecond = await rate(clock, WORKERS_MS, async () => {
      await trial.ask(count);
      return count;
    });
    measured.push({ workers, queriesPerSecond });
    if (best > 0 && queriesPerSecond < best * WORTHWHILE) break;
    best = Math.max(best, queriesPerSecond);
  }
  return measured;
}

/** The number to work with; 0: none. */
export function bestCount([own, ...others]: readonly PoolMeasurement[]): number {
  let workers = 0;
  let least = own!.queriesPerSecond * NEARLY_AS_FAST;
  for (const one of others)
    if (one.queriesPerSecond >= least) {
      workers = one.workers;
      least = one.queriesPerSecond * WORTHWHILE;
    }
  return workers;
}

/** Whether the workers are faster than the owner's thread where nothing else is to be done. */
export function areFaster([own, ...others]: readonly PoolMeasurement[]): boolean {
  const best = Math.max(0, ...others.map(({ queriesPerSecond }) => queriesPerSecond));
  return best >= own!.queriesPerSecond * WORTHWHILE;
}

function countsUpTo(max: number): number[] {
  const counts: number[] = [];
  for (let count = 1; count < max; count *= 2) counts.push(count);
  return max < 1 ? [] : [...counts, max];
}

async function rate(
  clock: Clock,
  minMs: number,
  work: () => number | Promise<number>,
): Promise<number> {
  let best = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const from = clock.elapsed();
    let [done, elapsedMs] = [0, 0];
    while (done === 0 || elapsedMs < minMs) {
      done += await work();
      elapsedMs = clock.elapsed() - from;
    }
    best = Math.max(best, (1000 * done) / Math.max(elapsedMs, 0.001));
  }
  return best;
}

/** For people: "this thread 2,100, 2 workers 4,000 queries per second". */
export function describeMeasured(measured: readonly PoolMeasurement[]): string {
  const parts = measured.map(({ workers, queriesPerSecond }) => {
    const who = workers === 0 ? "this thread" : workers === 1 ? "1 worker" : `${workers} workers`;
    return `${who} ${Math.round(queriesPerSecond).toLocaleString("en")}`;
  });
  return `${parts.join(", ")} queries per second`;
}
