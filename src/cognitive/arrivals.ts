/**
 * What one spread of activation has brought where, as parallel arrays that are used again: the energy of
 * each memory and the strongest way to it, which is a number to whoever spreads.
 */

import { PlaceTable } from "../search/place-table.ts";
import type { SpreadSeeds } from "../search/spread.ts";

const FIRST_CAPACITY = 2048;
/** The way of a memory that nothing led to. */
export const NO_WAY = -1;

export class Arrivals {
  /** Memories in [0, count): the seeds first. */
  count = 0;
  seedCount = 0;
  ordinals = new Int32Array(FIRST_CAPACITY);
  /** What arrived by all ways together. */
  energy = new Float64Array(FIRST_CAPACITY);
  /** The energy of the strongest way. */
  strongest = new Float64Array(FIRST_CAPACITY);
  way = new Int32Array(FIRST_CAPACITY);
  /** The thread of each memory, or -1. */
  threads = new Int32Array(FIRST_CAPACITY);
  readonly #places = new PlaceTable();
  readonly #share: number;

  /** @param share what `lift` takes */
  constructor(share: number) {
    this.#share = share;
  }

  /** Begins anew with the seeds, each once, and the thread of each. */
  reset(seeds: SpreadSeeds, threads: Int32Array): void {
    this.count = 0;
    this.#places.clear();
    for (let i = 0; i < seeds.count; i++) this.#place(seeds.ordinals[i]!, threads[i]!);
    this.seedCount = this.count;
  }

  /** The place of an ordinal, or -1. */
  find(ordinal: number): number {
    return this.#places.find(ordinal);
  }

  /** Brings energy to a memory, but not from itself; an ordinal below 0 is none. */
  add(ordinal: number, thread: number, energy: number, from: number, way: number): void {
    if (ordinal < 0 || ordinal === from) return;
    const place = this.#place(ordinal, thread);
    this.energy[place]! += energy;
    if (energy <= this.strongest[place]!) return;
    this.strongest[place] = energy;
    this.way[place] = way;
  }

  /**
   * The same for `steps` memories of each seed, one after the other; their ways are their places in these
   * arrays. In one loop: numbers that aren't whole cost an object each where they go through a call.
   */
  addAll(
    ordinals: Int32Array,
    threads: Int32Array,
    energies: Float64Array,
    steps: number,
    seeds: SpreadSeeds,
  ): void {
    for (let i = 0; i < seeds.count; i++) {
      if (!(seeds.scores[i]! > 0)) continue;
      const from = seeds.ordinals[i]!;
      for (let at = steps * i; at < steps * (i + 1); at++) {
        const ordinal = ordinals[at]!;
        const energy = energies[at]!;
        if (ordinal < 0 || ordinal === from) continue;
        const place = this.#place(ordinal, threads[at]!);
        this.energy[place]! += energy;
        if (energy <= this.strongest[place]!) continue;
        this.strongest[place] = energy;
        this.way[place] = at;
      }
    }
  }

  /** The place of the direct hit with the highest score among `places[start…end)`, or -1. */
  bestSeed(places: Int32Array, start: number, end: number, scores: Float64Array): number {
    let best = -1;
    for (let i = start; i < end; i++) {
      const place = places[i]!;
      if (place < this.seedCount && (best < 0 || scores[place]! > scores[best]!)) best = place;
    }
    return best;
  }

  /**
   * Lifts the memories at `places[start…end)` by `share` of what each is below the best direct hit among
   * them; of less than its score where there are more than `inFull` direct hits.
   */
  lift(
    places: Int32Array,
    start: number,
    end: number,
    scores: Float64Array,
    best: number,
    inFull: number,
    way: number,
  ): void {
    const { energy, strongest, seedCount } = this;
    let seeds = 0;
    for (let i = start; i < end; i++) if (places[i]! < seedCount) seeds++;
    const most = scores[best]! * Math.min(1, inFull / seeds);
    for (let i = start; i < end; i++) {
      const place = places[i]!;
      const lead = place < seedCount ? most - scores[place]! : most;
      if (!(lead > 0) || place === best) continue;
      const brought = this.#share * lead;
      energy[place]! += brought;
      if (brought <= strongest[place]!) continue;
      strongest[place] = brought;
      this.way[place] = way;
    }
  }

  #place(ordinal: number, thread: number): number {
    const place = this.#places.findOrPut(ordinal, this.count);
    if (place < this.count) return place;
    this.count++;
    if (place === this.ordinals.length) this.#grow();
    this.ordinals[place] = ordinal;
    this.energy[place] = 0;
    this.strongest[place] = 0;
    this.way[place] = NO_WAY;
    this.threads[place] = thread;
    return place;
  }

  #grow(): void {
    const length = 2 * this.ordinals.length;
    for (const name of ["ordinals", "way", "threads"] as const) {
      const grown = new Int32Array(length);
      grown.set(this[name]);
      this[name] = grown;
    }
    for (const name of ["energy", "strongest"] as const) {
      const grown = new Float64Array(length);
      grown.set(this[name]);
      this[name] = grown;
    }
  }
}
