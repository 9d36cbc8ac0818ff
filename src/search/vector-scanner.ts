/**
 * One search over the rows of a kernel: which stages, with how many candidates. The index has one for
 * its own thread; workers of the pool attach theirs to the same memory, so that hits are the same.
 */

import {
  MAX_CANDIDATES,
  emptyQuery,
  prepareQuery,
  type SharedKernel,
  type VectorHits,
  type VectorScan,
} from "./kernels/kernel.ts";
import { WasmKernel } from "./kernels/wasm-kernel.ts";

export type { VectorHits } from "./kernels/kernel.ts";
/** The memory of an index, for scanners on other threads; may be posted. */
export type SharedVectors = SharedKernel;

/** What a scan does; may be posted to another thread. */
export interface ScanPlan {
  /** Slots [0, slotLimit) take part. */
  slotLimit: number;
  /** Most hits. */
  limit: number;
  /** Hits below this cosine are left out. */
  minScore: number;
  /** Nearest by signs. */
  candidates: number;
  /** Of those, rows that are scored. */
  rescored: number;
  /** One bit per ordinal that may be found; null: all. */
  filter: Uint32Array | null;
  /** These slots and no others are scored, without the scan before; null: scan. */
  slots: Uint32Array | null;
}

export class VectorScanner {
  readonly #kernel: VectorScan;
  readonly #query = emptyQuery();
  #hits: VectorHits = { ordinals: new Int32Array(0), scores: new Float32Array(0), count: 0 };

  constructor(kernel: VectorScan) {
    this.#kernel = kernel;
  }

  /** Best first, ties by ordinal. The arrays are overwritten by the next scan. */
  scan(query: Float32Array, plan: ScanPlan): VectorHits {
    return this.scanInto(query, plan, this.#room(plan.limit));
  }

  /** The same into `hits`, which has room for `plan.limit`. */
  scanInto(query: Float32Array, plan: ScanPlan, hits: VectorHits): VectorHits {
    hits.count = 0;
    if (plan.limit <= 0 || !this.#load(query)) return hits;
    const kernel = this.#kernel;
    let chosen: number;
    if (plan.slots) {
      chosen = plan.slots.length;
      kernel.takeSlots(plan.slots, chosen);
    } else {
      const found = kernel.nearestBySigns(0, plan.slotLimit, plan.candidates, plan.filter);
      chosen = kernel.refine(found, plan.rescored);
    }
    kernel.best(chosen, plan.limit, plan.minScore, hits);
    return hits;
  }

  /** Part of a scan for a query that several scanners share: the least keys of all parts are its candidates. */
  nearestBySigns(
    query: Float32Array,
    first: number,
    end: number,
    { candidates, filter }: ScanPlan,
  ): BigUint64Array {
    if (!this.#load(query)) return new BigUint64Array(0);
    return this.#kernel.keys(this.#kernel.nearestBySigns(first, end, candidates, filter));
  }

  /** The rest of a shared scan, from the candidates of all parts. */
  finish(query: Float32Array, keys: BigUint64Array, plan: ScanPlan): VectorHits {
    const hits = this.#room(plan.limit);
    hits.count = 0;
    if (plan.limit <= 0 || !this.#load(query)) return hits;
    const least =
      keys.length > plan.candidates ? keys.slice().sort().subarray(0, plan.candidates) : keys;
    this.#kernel.takeKeys(least);
    const chosen = this.#kernel.refine(least.length, plan.rescored);
    this.#kernel.best(chosen, plan.limit, plan.minScore, hits);
    return hits;
  }

  /** The scores of given slots, in their order. False for a query of zeros, whose scores are none. */
  scoreSlots(query: Float32Array, slots: Uint32Array, count: number, out: Float32Array): boolean {
    if (!this.#load(query)) return false;
    for (let from = 0; from < count; from += MAX_CANDIDATES) {
      const part = Math.min(MAX_CANDIDATES, count - from);
      this.#kernel.takeSlots(slots.subarray(from, from + part), part);
      this.#kernel.score(part, out.subarray(from, from + part));
    }
    return true;
  }

  #load(query: Float32Array): boolean {
    const prepared = prepareQuery(query, this.#query);
    if (prepared !== null) this.#kernel.load(prepared);
    return prepared !== null;
  }

  #room(limit: number): VectorHits {
    if (this.#hits.ordinals.length < limit)
      this.#hits = {
        ordinals: new Int32Array(limit),
        scores: new Float32Array(limit),
        count: 0,
      };
    return this.#hits;
  }
}

/** A scanner over the memory of an index on another thread; `scanner` is its place there, from 1. */
export function attachScanner(shared: SharedVectors, scanner: number): VectorScanner {
  return new VectorScanner(WasmKernel.attach(shared, scanner));
}
