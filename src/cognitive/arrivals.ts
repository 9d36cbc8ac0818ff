/**
 * What one spread of activation has brought where, as parallel arrays that are used again: the energy of
 * each memory and the strongest way to it, which is a number to whoever spreads.
 */

import { PlaceTable } from "../search/place-table.ts";

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

  /** Begins anew with the seeds, each once, and the thread of each. */
  reset(
    seeds: { readonly count: number; readonly ordinals: Int32Array },
    threads: Int32Array,
  ): void {
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
    this.#addAt(this.#place(ordinal, thread), energy, way);
  }

  /**
   * Lifts the memories at `places[start…end)` by a share of what each is below `most`, from one direct hit.
   * @param scores by place, of the seeds; others have none
   */
  lift(
    places: Int32Array,
    scores: ArrayLike<number>,
    by: { start: number; end: number; most: number; share: number; from: number; way: number },
  ): void {
    const { most, share, from, way, end } = by;
    const { ordinals, seedCount } = this;
    for (let i = by.start; i < end; i++) {
      const place = places[i]!;
      const lead = place < seedCount ? most - scores[place]! : most;
      if (lead > 0 && ordinals[place] !== from) this.#addAt(place, share * lead, way);
    }
  }

  #addAt(place: number, energy: number, way: number): void {
    this.energy[place]! += energy;
    if (energy <= this.strongest[place]!) return;
    this.strongest[place] = energy;
    this.way[place] = way;
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
