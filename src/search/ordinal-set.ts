/** A set of ordinals as a bitmap: what a filter allows, pushed down into both candidate stages. */
export class OrdinalSet {
  readonly #words: Uint32Array;
  #size = 0;

  /** Room for ordinals in [0, limit). */
  constructor(limit: number) {
    this.#words = new Uint32Array((limit + 31) >>> 5);
  }

  static of(limit: number, ordinals: Iterable<number>): OrdinalSet {
    const set = new OrdinalSet(limit);
    for (const ordinal of ordinals) set.add(ordinal);
    return set;
  }

  get size(): number {
    return this.#size;
  }

  add(ordinal: number): void {
    const word = ordinal >>> 5;
    const bit = 1 << (ordinal & 31);
    if (word >= this.#words.length || (this.#words[word]! & bit) !== 0) return;
    this.#words[word]! |= bit;
    this.#size++;
  }

  has(ordinal: number): boolean {
    return ((this.#words[ordinal >>> 5] ?? 0) & (1 << (ordinal & 31))) !== 0;
  }

  /** Ordinals of both sets. */
  intersect(other: OrdinalSet): OrdinalSet {
    const result = new OrdinalSet(this.#words.length * 32);
    for (const ordinal of this) if (other.has(ordinal)) result.add(ordinal);
    return result;
  }

  *[Symbol.iterator](): Generator<number> {
    for (let word = 0; word < this.#words.length; word++)
      for (let bits = this.#words[word]!; bits !== 0; bits &= bits - 1)
        yield word * 32 + (31 - Math.clz32(bits & -bits));
  }
}
