/**
 * Nearest vectors on several workers: they scan the index's own memory, so that nothing is copied
 * and every hit is the same as on this thread, bit for bit.
 *
 * What a query sees: the index at a moment between asking and answering. What is added meanwhile is
 * not seen; when anything was replaced or removed meanwhile, the answer is dropped and this thread
 * answers again, so a removed memory is never found. Workers are an upgrade: a small index, a machine
 * where they measure slow, and a worker that dies all lead back to this thread's own scan.
 */

import { nextTurn } from "../next-turn.ts";
import { systemClock, type Clock } from "../ports/clock.ts";
import type { ComputeWorkers } from "../ports/compute.ts";
import { VectorCrew, WorkerLostError } from "./vector-pool-crew.ts";
import { VectorDevice } from "./vector-pool-device.ts";
import {
  areFaster,
  bestCount,
  describeMeasured,
  measureWorkers,
  WORTHWHILE,
  type PoolMeasurement,
} from "./vector-pool-measure.ts";
import { IdleWatch } from "./vector-pool-idle.ts";
import type { VectorPoolOptions, VectorPoolStatus } from "./vector-pool-options.ts";
import type { VectorHit, VectorHits, VectorSearch, VectorSearchOptions } from "./vector-index.ts";
import type { Candidates, ScanPlan, SharedVectors } from "./vector-scanner.ts";

/** Most workers of a pool. */
const MAX_WORKERS = 8;
const MIN_SIZE = 20_000;
const SPLIT_SIZE = 500_000;
const IDLE_MS = 30_000;
/** Queries before workers are started: a single question isn't worth a thread. */
const START_AFTER = 8;
/** Losses after which no more are started for a while. */
const MAX_LOSSES = 5;
const RETRY_AFTER_MS = 2 * 60_000;
/** What was measured holds until the index is so many times larger. */
const MEASURE_AGAIN = 2;
/** This thread's turn of a batch, before others get theirs. */
const SLICE_MS = 8;
/** Queries of a batch that are asked at once. */
const BATCH_ASKED = 256;
/** Queries from which the graphics processor is considered. */
const DEVICE_BATCH = 128;
/** Slots of a part are whole blocks. */
const PART_STEP = 1024;
/** As recall asks. */
const MEASURED_QUERY: VectorSearchOptions = { limit: 200 };

export class VectorPool {
  readonly #index: VectorSearch;
  readonly #workers: ComputeWorkers | null;
  readonly #crew: VectorCrew | null;
  readonly #device: VectorDevice | null;
  readonly #clock: Clock;
  readonly #minSize: number;
  readonly #splitSize: number;
  readonly #maxWorkers: number;
  readonly #fixedWorkers: number | null;
  readonly #idle: IdleWatch;
  readonly #recent: Float32Array[] = [];
  readonly #counts = { byWorkers: 0, here: 0, again: 0 };
  #phase: "resting" | "starting" | "working" = "resting";
  #asked = 0;
  #measured: {
    size: number;
    workers: number;
    /** Than this thread, for vectors alone. */
    isFaster: boolean;
    splits: boolean;
    all: PoolMeasurement[];
  } | null = null;
  /** Queries per second in batches without the graphics processor. */
  #otherRate: number | null = null;
  #refused: { atMs: number; reason: string; size: number } | null = null;
  #forgivenLosses = 0;
  #closed = false;

  constructor(index: VectorSearch, options: VectorPoolOptions = {}) {
    this.#index = index;
    this.#workers = options.workers ?? null;
    this.#crew = this.#workers && new VectorCrew(this.#workers);
    this.#clock = options.clock ?? systemClock;
    this.#device = options.gpu ? new VectorDevice(index, options.gpu, this.#clock) : null;
    this.#minSize = options.minSize ?? MIN_SIZE;
    this.#splitSize = options.splitSize ?? SPLIT_SIZE;
    this.#maxWorkers = Math.min(MAX_WORKERS, options.maxWorkers ?? this.#workers?.processors ?? 1);
    this.#fixedWorkers = options.fixedWorkers ?? null;
    this.#idle = new IdleWatch(options.idleMs ?? IDLE_MS, () => this.#sleep());
  }

  /**
   * Best first; ties by ordinal. A promise where workers answer; what comes at once lies in arrays
   * that the next search overwrites.
   */
  nearest(query: Float32Array, options: VectorSearchOptions): VectorHits | Promise<VectorHits> {
    this.#note(query);
    if (this.#phase === "working") return this.#ask(query, options);
    if (this.#phase === "resting" && this.#asked >= START_AFTER && this.#refusal() === null)
      void this.#start();
    return this.#here(query, options);
  }

  /**
   * Hits of each query: on the graphics processor, on all workers or on this thread in slices, as was
   * measured to be fastest.
   */
  async searchBatch(
    queries: readonly Float32Array[],
    options: VectorSearchOptions,
  ): Promise<VectorHit[][]> {
    if (!(await this.#prefersDevice(queries, options))) return this.#batch(queries, options);
    const found = await this.#device!.search(queries, options);
    const rest = queries.filter((_, i) => found[i] === null);
    const others = rest.length === 0 ? [] : await this.#batch(rest, options);
    let next = 0;
    return found.map((hits) => (hits === null ? others[next++]! : toObjects(hits)));
  }

  async #prefersDevice(
    queries: readonly Float32Array[],
    options: VectorSearchOptions,
  ): Promise<boolean> {
    const isWorth = queries.length >= DEVICE_BATCH && this.#index.size >= this.#minSize;
    if (!this.#device || !isWorth || this.#closed) return false;
    if (this.#otherRate === null) {
      const from = this.#clock.elapsed();
      const sample = queries.slice(0, DEVICE_BATCH / 2);
      await this.#batch(sample, options);
      this.#otherRate = (1000 * sample.length) / Math.max(0.001, this.#clock.elapsed() - from);
    }
    return this.#device.isFaster(queries, options, this.#otherRate);
  }

  async #batch(
    queries: readonly Float32Array[],
    options: VectorSearchOptions,
  ): Promise<VectorHit[][]> {
    for (const query of queries.slice(0, START_AFTER)) this.#note(query);
    if (queries.length >= START_AFTER && this.#phase === "resting" && this.#refusal() === null)
      await this.#start();
    const results: VectorHit[][] = [];
    let sliceFrom = this.#clock.elapsed();
    for (let from = 0; from < queries.length;) {
      if (this.#phase === "working" && this.#measured!.isFaster) {
        const part = queries.slice(from, from + BATCH_ASKED);
        from += part.length;
        this.#idle.used();
        const found = await Promise.all(part.map(async (query) => this.#ask(query, options)));
        for (const hits of found) results.push(toObjects(hits));
        continue;
      }
      results.push(toObjects(this.#here(queries[from++]!, options)));
      if (this.#clock.elapsed() - sliceFrom < SLICE_MS) continue;
      await nextTurn();
      sliceFrom = this.#clock.elapsed();
    }
    return results;
  }

  status(): VectorPoolStatus {
    return {
      workers: this.#crew?.size ?? 0,
      reason: this.#reason(),
      measured: [...(this.#measured?.all ?? [])],
      splits: this.#measured?.splits ?? false,
      answered: { ...this.#counts },
      lost: this.#crew?.losses.count ?? 0,
      device: this.#device?.status ?? null,
    };
  }

  /** Whether workers answer now, beside what this thread does. */
  get working(): boolean {
    return this.#phase === "working";
  }

  /** Ends the workers; questions under way are answered by this thread. */
  close(): void {
    this.#closed = true;
    this.#idle.end();
    this.#stop();
    this.#device?.release();
  }

  #here(query: Float32Array, options: VectorSearchOptions): VectorHits {
    this.#counts.here++;
    return this.#index.searchInto(query, options);
  }

  #ask(query: Float32Array, options: VectorSearchOptions): VectorHits | Promise<VectorHits> {
    const shared = this.#index.share();
    const plan = shared && this.#index.plan(options);
    // The few rows of a small or narrowly filtered search are faster scored than asked for.
    if (!plan || plan.slots !== null || plan.limit <= 0) return this.#here(query, options);
    const { version } = this.#index;
    const again = (): VectorHits => {
      this.#counts.again++;
      // A copy: it is read after others may have searched.
      return copyOf(this.#here(query, options));
    };
    const splits = this.#measured!.splits && this.#crew!.waiting === 0;
    const asked = splits
      ? this.#askParts(shared, query, plan)
      : this.#crew!.ask(shared, query, plan);
    return asked.then(
      (hits) => {
        if (this.#index.version !== version) return again();
        this.#counts.byWorkers++;
        return hits;
      },
      (error: unknown) => {
        if (!(error instanceof WorkerLostError)) throw error;
        if (this.#refusal() !== null) this.#stop();
        return again();
      },
    );
  }

  /** One query on all workers: each finds candidates in its part of the slots, this thread does the rest. */
  async #askParts(shared: SharedVectors, query: Float32Array, plan: ScanPlan): Promise<VectorHits> {
    const { version } = this.#index;
    const step = Math.ceil(plan.slotLimit / this.#crew!.size / PART_STEP) * PART_STEP;
    const parts: Promise<Candidates>[] = [];
    for (let first = 0; first < plan.slotLimit; first += step) {
      const end = Math.min(first + step, plan.slotLimit);
      parts.push(this.#crew!.askPart(shared, query, plan, { first, end }));
    }
    const candidates = await Promise.all(parts);
    // Slots may hold others by now: the caller asks again.
    if (this.#index.version !== version) return NOTHING;
    return copyOf(this.#index.finish(query, candidates, plan));
  }

  /** Null: workers may be started. Else why not. */
  #refusal(): string | null {
    if (this.#closed) return "The search is closed.";
    if (this.#workers === null) return "This platform has no workers.";
    if (this.#workers.unavailable !== null) return this.#workers.unavailable;
    if (this.#workers.processors < 2) return "There is one processor.";
    if (this.#maxWorkers < 1) return "Workers are turned off.";
    const { size } = this.#index;
    if (size < this.#minSize)
      return `Below ${this.#minSize.toLocaleString("en")} vectors one thread is as fast.`;
    if (this.#index.share() === null) return "The memory of the index can't be shared here.";
    const { count, reason } = this.#crew!.losses;
    if (count - this.#forgivenLosses >= MAX_LOSSES)
      this.#refuse(`${count} workers ended by themselves; the last one said: ${reason}.`);
    const refused = this.#refused;
    if (!refused) return null;
    const isOver =
      this.#clock.elapsed() - refused.atMs >= RETRY_AFTER_MS ||
      size >= MEASURE_AGAIN * refused.size;
    if (!isOver) return refused.reason;
    this.#refused = null;
    return null;
  }

  #refuse(reason: string): void {
    this.#refused = { atMs: this.#clock.elapsed(), reason, size: this.#index.size };
    this.#forgivenLosses = this.#crew!.losses.count;
  }

  #reason(): string {
    const refusal = this.#refusal();
    if (refusal !== null) return refusal;
    if (this.#phase === "starting") return "Workers are being started and measured.";
    if (this.#phase === "resting") return "Workers start when more is asked.";
    if (this.#fixedWorkers !== null) return `${this.#fixedWorkers} workers, as was asked.`;
    return `Measured: ${describeMeasured(this.#measured!.all)}.`;
  }

  #note(query: Float32Array): void {
    this.#asked++;
    this.#idle.used();
    // To measure with what is really asked; copies, since callers use their arrays again.
    if (this.#phase === "resting" && this.#recent.length < START_AFTER)
      this.#recent.push(query.slice());
  }

  async #start(): Promise<void> {
    this.#phase = "starting";
    try {
      const known = this.#measured;
      const holds = known && known.workers > 0 && this.#index.size < MEASURE_AGAIN * known.size;
      if (holds) await this.#wake(known.workers);
      else await this.#measure();
      if (this.#closed || this.#measured!.workers === 0) this.#stop();
      else this.#phase = "working";
    } catch (error) {
      // The index became too small, or workers died: the next questions see why.
      this.#stop();
      if (!(error instanceof WorkerLostError)) this.#refuse(String(error));
    }
  }

  #stop(): void {
    this.#phase = "resting";
    this.#asked = 0;
    this.#recent.length = 0;
    this.#crew?.resize(0);
  }

  /** Nothing was asked for a while: threads and the device's memory go. False while they are needed. */
  #sleep(): boolean {
    if (this.#phase === "starting" || (this.#crew?.waiting ?? 0) > 0) return false;
    this.#stop();
    this.#device?.release();
    return true;
  }

  async #wake(count: number): Promise<void> {
    this.#crew!.resize(count);
    await this.#askMany(4 * count);
  }

  async #measure(): Promise<void> {
    if (this.#fixedWorkers !== null) {
      const { size } = this.#index;
      const splits = this.#fixedWorkers > 1 && size >= this.#splitSize;
      await this.#wake(this.#fixedWorkers);
      this.#measured = { size, workers: this.#fixedWorkers, isFaster: true, splits, all: [] };
      return;
    }
    let turn = 0;
    const next = (): Float32Array => this.#recent[turn++ % this.#recent.length]!;
    const { size } = this.#index;
    const all = await measureWorkers(
      {
        own: () => void this.#index.searchInto(next(), MEASURED_QUERY),
        resize: (count) => this.#crew!.resize(count),
        ask: (count) => this.#askMany(count),
      },
      this.#maxWorkers,
      this.#clock,
    );
    const workers = bestCount(all);
    this.#crew!.resize(workers);
    const splits = workers > 1 && size >= this.#splitSize && (await this.#isSplitFaster());
    this.#measured = { size, workers, isFaster: areFaster(all), splits, all };
    if (workers === 0)
      this.#refuse(`Workers were measured to be slow here: ${describeMeasured(all)}.`);
  }

  /** Whether a query that is alone is answered sooner by all workers than by one. */
  async #isSplitFaster(): Promise<boolean> {
    const shared = this.#index.share()!;
    const times = [0, 0];
    for (const query of this.#recent)
      for (const way of [0, 1] as const) {
        const plan = this.#index.plan(MEASURED_QUERY);
        const from = this.#clock.elapsed();
        if (way === 0) await this.#crew!.ask(shared, query, plan);
        else await this.#askParts(shared, query, plan);
        times[way]! += this.#clock.elapsed() - from;
      }
    return times[0]! > times[1]! * WORTHWHILE;
  }

  async #askMany(count: number): Promise<void> {
    const shared = this.#index.share();
    const plan = shared && this.#index.plan(MEASURED_QUERY);
    if (!plan) throw new WorkerLostError("the memory isn't shared any more");
    await Promise.all(
      Array.from({ length: count }, (_, i) =>
        this.#crew!.ask(shared, this.#recent[i % this.#recent.length]!, plan),
      ),
    );
  }
}

/** Scanners that an index needs room for: the owner's and one for each worker. */
export function scannersFor(workers: ComputeWorkers | null | undefined): number {
  return workers && workers.unavailable === null && workers.processors > 1
    ? 1 + Math.min(MAX_WORKERS, workers.processors)
    : 1;
}

const NOTHING: VectorHits = {
  ordinals: new Int32Array(0),
  scores: new Float32Array(0),
  count: 0,
};

function copyOf({ ordinals, scores, count }: VectorHits): VectorHits {
  return { ordinals: ordinals.slice(0, count), scores: scores.slice(0, count), count };
}

function toObjects({ ordinals, scores, count }: VectorHits): VectorHit[] {
  return Array.from({ length: count }, (_, i) => ({ ordinal: ordinals[i]!, score: scores[i]! }));
}
