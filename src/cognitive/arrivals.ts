/**
 * What one spread of activation has brought where, as parallel arrays that are used again: the energy of
 * each memory and the strongest way to it.
 */

import type { LinkKind } from "../model/query.ts";

const FIRST_CAPACITY = 2048;

/** The order is that of the numbers in the arrays. */
export const LINK_KINDS: readonly LinkKind[] = [
  "previous",
  "next",
  "reply",
  "entity",
  "learned",
  "supersedes",
  "thread",
];

/** Numbers of the kinds. */
export const LINK = Object.fromEntries(LINK_KINDS.map((kind, i) => [kind, i])) as Record<
  LinkKind,
  number
>;

export class Arrivals {
  /** Memories in [0, count): the seeds first. */
  count = 0;
  seedCount = 0;
  ordinals = new Int32Array(FIRST_CAPACITY);
  /** What arrived by all ways together. */
  energy = new Float64Array(FIRST_CAPACITY);
  /** The energy of the strongest way, which `from` (a direct hit), `middle` (-1: none) and the kinds tell. */
  strongest = new Float64Array(FIRST_CAPACITY);
  from = new Int32Array(FIRST_CAPACITY);
  middle = new Int32Array(FIRST_CAPACITY);
  firstKind = new Uint8Array(FIRST_CAPACITY);
  lastKind = new Uint8Array(FIRST_CAPACITY);
  /** By ordinal; true only where `ordinals[place]` says so and the place is below `count`. */
  #places = new Int32Array(0);

  reset(ordinalLimit: number): void {
    this.count = 0;
    this.seedCount = 0;
    if (this.#places.length < ordinalLimit)
      this.#places = new Int32Array(Math.ceil(ordinalLimit * 1.1) + 64);
  }

  /** The place of an ordinal, or -1. */
  find(ordinal: number): number {
    const place = this.#places[ordinal] ?? -1;
    return place >= 0 && place < this.count && this.ordinals[place] === ordinal ? place : -1;
  }

  /** The place of an ordinal, which is added when it isn't there; -1 for one out of range. */
  place(ordinal: number): number {
    const known = this.find(ordinal);
    if (known >= 0) return known;
    if (ordinal < 0 || ordinal >= this.#places.length) return -1;
    const place = this.count++;
    if (place === this.ordinals.length) this.#grow();
    this.ordinals[place] = ordinal;
    this.energy[place] = 0;
    this.strongest[place] = 0;
    this.from[place] = -1;
    this.#places[ordinal] = place;
    return place;
  }

  /** Brings energy to a memory from a direct hit, over one more memory when `middle` isn't -1. */
  add(
    ordinal: number,
    energy: number,
    from: number,
    middle: number,
    firstKind: number,
    lastKind: number,
  ): void {
    if (ordinal < 0 || ordinal === from) return;
    const place = this.place(ordinal);
    if (place >= 0) this.#addAt(place, energy, from, middle, firstKind, lastKind);
  }

  /**
   * Lifts the memories at `places[start…end)` by a share of what each is below `most`, from one direct hit.
   * @param scores by place, of the seeds; others have none
   */
  lift(
    places: Int32Array,
    scores: ArrayLike<number>,
    by: { start: number; end: number; most: number; share: number; from: number; kind: number },
  ): void {
    const { most, share, from, kind } = by;
    for (let i = by.start; i < by.end; i++) {
      const place = places[i]!;
      const lead = most - (place < this.seedCount ? scores[place]! : 0);
      if (lead > 0 && this.ordinals[place] !== from)
        this.#addAt(place, share * lead, from, -1, kind, kind);
    }
  }

  #addAt(
    place: number,
    energy: number,
    from: number,
    middle: number,
    firstKind: number,
    lastKind: number,
  ): void {
    this.energy[place]! += energy;
    if (energy <= this.strongest[place]!) return;
    this.strongest[place] = energy;
    this.from[place] = from;
    this.middle[place] = middle;
    this.firstKind[place] = firstKind;
    this.lastKind[place] = lastKind;
  }

  #grow(): void {
    const length = 2 * this.ordinals.length;
    for (const name of ["ordinals", "from", "middle"] as const) {
      const grown = new Int32Array(length);
      grown.set(this[name]);
      this[name] = grown;
    }
    for (const name of ["energy", "strongest"] as const) {
      const grown = new Float64Array(length);
      grown.set(this[name]);
      this[name] = grown;
    }
    for (const name of ["firstKind", "lastKind"] as const) {
      const grown = new Uint8Array(length);
      grown.set(this[name]);
      this[name] = grown;
    }
  }
}
