/**
 * One search over the rows of a kernel: which stages, with how many candidates. The index has one for
 * its own thread; workers of the pool attach theirs to the same memory, so that hits are the same.
 */

import {
  MAX_RESCORED,
  emptyQuery,
  prepareQuery,
  type Candidates,
  type SharedKernel,
  type VectorHits,
  type VectorScan,
} from "./kernels/kernel.ts";
import { BUFFER_KEYS, DIMENSIONS } from "./kernels/layout.ts";
import { WasmKernel } from "./kernels/wasm-kernel.ts";

export type { Candidates, VectorHits } from "./kernels/kernel.ts";
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
      const { slotLimit, candidates, rescored, filter } = plan;
      const found = kernel.nearestBySigns(0, slotLimit, candidates, rescored, filter);
      chosen = kernel.refine(found, plan.rescored);
    }
    kernel.best(chosen, plan.limit, plan.minScore, hits);
    return hits;
  }

  /** Part of a scan for a query that several scanners share; `finish` takes those of all parts. */
  nearestBySigns(query: Float32Array, first: number, end: number, plan: ScanPlan): Candidates {
    const { candidates, rescored, filter } = plan;
    const found = this.#load(query)
      ? this.#kernel.nearestBySigns(first, end, candidates, rescored, filter)
      : 0;
    return this.#kernel.candidates(found);
  }

  /** The rest of a shared scan: the same hits as those of one scan over all slots. */
  finish(query: Float32Array, parts: readonly Candidates[], plan: ScanPlan): VectorHits {
    const hits = this.#room(plan.limit);
    hits.count = 0;
    if (plan.limit <= 0 || !this.#load(query)) return hits;
    const keys = mergeCandidates(parts, plan);
    this.#kernel.takeKeys(keys);
    const chosen = this.#kernel.refine(keys.length, plan.rescored);
    this.#kernel.best(chosen, plan.limit, plan.minScore, hits);
    return hits;
  }

  /** The scores of given slots, in their order. False for a query of zeros, whose scores are none. */
  scoreSlots(query: Float32Array, slots: Uint32Array, count: number, out: Float32Array): boolean {
    if (!this.#load(query)) return false;
    for (let from = 0; from < count; from += MAX_RESCORED) {
      const part = Math.min(MAX_RESCORED, count - from);
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

/** The keys of the rows up to the distance that all parts together give; the least when there are too many. */
function mergeCandidates(
  parts: readonly Candidates[],
  { candidates, rescored }: ScanPlan,
): BigUint64Array {
  let threshold = -1;
  let below = 0;
  while (below < candidates && threshold < DIMENSIONS) {
    threshold++;
    for (const { counts } of parts) below += counts[threshold]!;
  }
  let count = 0;
  const keys = new BigUint64Array(parts.reduce((sum, part) => sum + part.keys.length, 0));
  for (const part of parts)
    for (let i = 0; i < part.keys.length; i++)
      if (part.distances[i]! <= threshold) keys[count++] = part.keys[i]!;
  const merged = keys.subarray(0, count);
  return count > BUFFER_KEYS ? merged.sort().subarray(0, rescored) : merged;
}

/** A scanner over the memory of an index on another thread; `scanner` is its place there, from 1. */
export function attachScanner(shared: SharedVectors, scanner: number): VectorScanner {
  return new VectorScanner(WasmKernel.attach(shared, scanner));
}
