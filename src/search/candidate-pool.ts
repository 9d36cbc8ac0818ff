/**
 * The candidates of one recall as parallel arrays: no object per candidate, and an ordinal is found in
 * one step. Pools are reused; `CandidatePools` hands them out, one per recall under way.
 */

import { PlaceTable } from "./place-table.ts";
import type { CandidateSignals } from "./ranking.ts";
import { topPlaces } from "./top-places.ts";

export type Signal = Exclude<keyof CandidateSignals, "ordinal">;

const FIRST_CAPACITY = 1024;
const KEPT_POOLS = 8;

export class CandidatePool {
  /** Candidates in [0, count). */
  count = 0;
  ordinals = new Int32Array(FIRST_CAPACITY);
  /** Every signal 0–1; zero for a candidate that was just added. */
  lexical = new Float64Array(FIRST_CAPACITY);
  semantic = new Float64Array(FIRST_CAPACITY);
  activation = new Float64Array(FIRST_CAPACITY);
  recency = new Float64Array(FIRST_CAPACITY);
  fields = new Float64Array(FIRST_CAPACITY);
  /** What the candidate is ranked by. */
  total = new Float64Array(FIRST_CAPACITY);
  /** 1 for a candidate that has every signal. */
  isComplete = new Uint8Array(FIRST_CAPACITY);
  readonly #places = new PlaceTable();

  clear(): void {
    this.count = 0;
    this.#places.clear();
  }

  /** The place of an ordinal, which is added when it isn't there. */
  place(ordinal: number): number {
    const place = this.#places.findOrPut(ordinal, this.count);
    if (place < this.count) return place;
    this.count++;
    if (place === this.ordinals.length) this.#grow();
    this.ordinals[place] = ordinal;
    this.lexical[place] = 0;
    this.semantic[place] = 0;
    this.activation[place] = 0;
    this.recency[place] = 0;
    this.fields[place] = 0;
    this.total[place] = 0;
    this.isComplete[place] = 0;
    return place;
  }

  signalsAt(place: number): CandidateSignals {
    return {
      ordinal: this.ordinals[place]!,
      lexical: this.lexical[place]!,
      semantic: this.semantic[place]!,
      activation: this.activation[place]!,
      recency: this.recency[place]!,
      fields: this.fields[place]!,
    };
  }

  /** Places of the `limit` highest values above -Infinity, best first, ties by ordinal. */
  best(values: Float64Array, limit: number): number[] {
    return topPlaces(values, this.ordinals, this.count, limit);
  }

  #grow(): void {
    const grown = (from: Float64Array): Float64Array<ArrayBuffer> => {
      const to = new Float64Array(from.length * 2);
      to.set(from);
      return to;
    };
    const ordinals = new Int32Array(this.ordinals.length * 2);
    ordinals.set(this.ordinals);
    this.ordinals = ordinals;
    this.lexical = grown(this.lexical);
    this.semantic = grown(this.semantic);
    this.activation = grown(this.activation);
    this.recency = grown(this.recency);
    this.fields = grown(this.fields);
    this.total = grown(this.total);
    const isComplete = new Uint8Array(this.isComplete.length * 2);
    isComplete.set(this.isComplete);
    this.isComplete = isComplete;
  }
}

export class CandidatePools {
  readonly #free: CandidatePool[] = [];

  take(): CandidatePool {
    return this.#free.pop() ?? new CandidatePool();
  }

  give(pool: CandidatePool): void {
    pool.clear();
    if (this.#free.length < KEPT_POOLS) this.#free.push(pool);
  }
}
