/** Ordinals in ascending order, for groups of a few to some thousand: 4–8 bytes each instead of a Set's 40. */

/** What readers see of a group of memories. */
export interface OrdinalGroup extends Iterable<number> {
  readonly size: number;
  has(ordinal: number): boolean;
}

export class OrdinalList implements OrdinalGroup {
  readonly #ordinals: number[];

  /** @param ordinals ascending, distinct; taken over */
  constructor(ordinals: number[] = []) {
    this.#ordinals = ordinals;
  }

  get size(): number {
    return this.#ordinals.length;
  }

  has(ordinal: number): boolean {
    return this.#ordinals[this.#placeOf(ordinal)] === ordinal;
  }

  /** False when it was there. */
  add(ordinal: number): boolean {
    const at = this.#placeOf(ordinal);
    if (this.#ordinals[at] === ordinal) return false;
    if (at === this.#ordinals.length) this.#ordinals.push(ordinal);
    else this.#ordinals.splice(at, 0, ordinal);
    return true;
  }

  delete(ordinal: number): void {
    const at = this.#placeOf(ordinal);
    if (this.#ordinals[at] === ordinal) this.#ordinals.splice(at, 1);
  }

  [Symbol.iterator](): Iterator<number> {
    return this.#ordinals[Symbol.iterator]();
  }

  /** The place of the ordinal, or where it would be. */
  #placeOf(ordinal: number): number {
    const ordinals = this.#ordinals;
    let to = ordinals.length;
    // Most additions are the newest.
    if (to === 0 || ordinals[to - 1]! < ordinal) return to;
    let from = 0;
    while (from < to) {
      const middle = (from + to) >>> 1;
      if (ordinals[middle]! < ordinal) from = middle + 1;
      else to = middle;
    }
    return from;
  }
}
