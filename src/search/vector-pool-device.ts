/**
 * Many queries on the graphics processor: it does the sign scan and the weighted distances of all,
 * this thread the rest of each, so the hits are those of any other scan. Used when it was measured to be
 * faster; a device that fails or is lost gives its questions back.
 */

import type { Clock } from "../ports/clock.ts";
import type { GpuProvider } from "../ports/compute.ts";
import { emptyQuery, prepareQuery } from "./kernels/kernel.ts";
import { BLOCK_SLOTS } from "./kernels/layout.ts";
import { SignScanGpu } from "./kernels/sign-scan.gpu.ts";
import type { VectorHits, VectorSearch, VectorSearchOptions } from "./vector-index.ts";

/** Queries of one run on the device. */
const RUN_QUERIES = 64;
/** Failures after which it isn't asked any more. */
const MAX_FAILURES = 2;

export interface VectorDeviceStatus {
  /** As the device calls itself; null while there is none. */
  name: string | null;
  /** Why it is used, or why not; for people. */
  reason: string;
  /** Queries that it answered. */
  answered: number;
  /** Bytes of the index's copy that it holds. */
  deviceBytes: number;
}

interface Ready {
  scan: SignScanGpu;
  name: string;
  /** What of the index it has. */
  version: number;
  size: number;
}

export class VectorDevice {
  readonly #index: VectorSearch;
  readonly #provider: GpuProvider;
  readonly #clock: Clock;
  #ready: Ready | null = null;
  #reason = "Batches of queries haven't been asked yet.";
  #failures = 0;
  #answered = 0;
  /** Queries per second; null before it was measured. */
  #rate: number | null = null;

  constructor(index: VectorSearch, provider: GpuProvider, clock: Clock) {
    this.#index = index;
    this.#provider = provider;
    this.#clock = clock;
  }

  get status(): VectorDeviceStatus {
    return {
      name: this.#ready?.name ?? null,
      reason: this.#reason,
      answered: this.#answered,
      deviceBytes: this.#ready?.scan.deviceBytes ?? 0,
    };
  }

  /** Whether it answers more queries per second than `otherRate`; measured with these queries at the first call. */
  async isFaster(
    queries: readonly Float32Array[],
    options: VectorSearchOptions,
    otherRate: number,
  ): Promise<boolean> {
    if (this.#failures >= MAX_FAILURES || options.allow !== undefined) return false;
    if (this.#rate === null) {
      const sample = queries.slice(0, RUN_QUERIES);
      // Once for what only the first run costs: device, shader, upload.
      if (!(await this.#run(sample, options))) return false;
      const from = this.#clock.elapsed();
      if (!(await this.#run(sample, options))) return false;
      this.#rate = (1000 * sample.length) / Math.max(0.001, this.#clock.elapsed() - from);
    }
    const isFaster = this.#rate > otherRate;
    this.#reason = `Measured: ${Math.round(this.#rate).toLocaleString("en")} queries per second in batches, ${Math.round(otherRate).toLocaleString("en")} without it.`;
    if (!isFaster) this.release();
    return isFaster;
  }

  /** Hits of each query; null for those that another has to answer. */
  async search(
    queries: readonly Float32Array[],
    options: VectorSearchOptions,
  ): Promise<(VectorHits | null)[]> {
    const results: (VectorHits | null)[] = [];
    for (let from = 0; from < queries.length; from += RUN_QUERIES) {
      const part = queries.slice(from, from + RUN_QUERIES);
      const found = await this.#run(part, options);
      results.push(...(found ?? part.map(() => null)));
    }
    return results;
  }

  /** Gives the device's memory back; the next batch uploads again. */
  release(): void {
    this.#ready?.scan.release();
    this.#ready = null;
  }

  /** Null when the device couldn't. */
  async #run(
    queries: readonly Float32Array[],
    options: VectorSearchOptions,
  ): Promise<(VectorHits | null)[] | null> {
    const plan = this.#index.plan(options);
    if (plan.slots !== null || plan.filter !== null || plan.limit <= 0) return null;
    let ready: Ready | null = null;
    try {
      ready = await this.#prepare();
      if (ready === null) return null;
      this.#upload(ready);
      const { version } = this.#index;
      const prepared = queries.map((query) => prepareQuery(query, emptyQuery()));
      const asked = prepared.filter((query) => query !== null);
      const found = await ready.scan.scan(asked, plan.slotLimit, plan.candidates, (slot) =>
        this.#index.ordinalOf(slot),
      );
      // Slots may hold others by now.
      if (this.#index.version !== version) return null;
      let next = 0;
      return queries.map((query, i) => {
        const candidates = prepared[i] === null ? null : found[next++]!;
        if (candidates === null) return null;
        this.#answered++;
        const { ordinals, scores, count } = this.#index.finish(query, [candidates], plan);
        return { ordinals: ordinals.slice(0, count), scores: scores.slice(0, count), count };
      });
    } catch (error) {
      this.#fail(ready, error instanceof Error ? error.message : String(error));
      return null;
    }
  }

  async #prepare(): Promise<Ready | null> {
    if (this.#failures >= MAX_FAILURES) return null;
    if (this.#ready) return this.#ready;
    const got = await this.#provider.request();
    if ("unavailable" in got) {
      this.#reason = got.unavailable;
      this.#failures = MAX_FAILURES;
      return null;
    }
    const scan = await SignScanGpu.create(got.device);
    const ready: Ready = { scan, name: got.name, version: -1, size: 0 };
    void got.device.lost.then(({ message }) => {
      this.#fail(ready, message || "it was lost");
    });
    return (this.#ready = ready);
  }

  /** Only what was added since the last upload, unless rows moved. */
  #upload(ready: Ready): void {
    const { version, size, blockCount } = this.#index;
    const from = ready.version === version ? Math.floor(ready.size / BLOCK_SLOTS) : 0;
    ready.scan.upload((block) => this.#index.signsOfBlock(block), from, blockCount);
    Object.assign(ready, { version, size });
  }

  /** @param ready what failed; null: it couldn't be got */
  #fail(ready: Ready | null, message: string): void {
    // A lost device is told of by each of its promises, and counts once.
    if (this.#ready !== ready) return;
    this.#failures++;
    this.#rate = null;
    this.#ready = null;
    this.#reason = `The graphics processor failed: ${message.replace(/\.$/, "")}. Queries are answered without it.`;
  }
}
