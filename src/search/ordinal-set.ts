/**
 * A set of ordinals as a bitmap: what a filter allows, pushed down into both candidate stages, and
 * who has which value of a field. Grows with the ordinals that are added.
 */
export class OrdinalSet {
  #words: Uint32Array;
  #size = 0;

  /** Room for ordinals in [0, limit); larger ones make room when they are added. */
  constructor(limit: number) {
    this.#words = new Uint32Array((limit + 31) >>> 5);
  }

  static of(limit: number, ordinals: Iterable<number>): OrdinalSet {
    const set = new OrdinalSet(limit);
    for (const ordinal of ordinals) set.add(ordinal);
    return set;
  }

  /** @param words a bitmap, taken over */
  static ofWords(words: Uint32Array): OrdinalSet {
    const set = new OrdinalSet(0);
    set.#words = words;
    for (const word of words) set.#size += popcount(word);
    return set;
  }

  get size(): number {
    return this.#size;
  }

  /** The bitmap: bit `ordinal & 31` of word `ordinal >>> 5`. May be shorter than other sets'. Not to be written to. */
  get words(): Uint32Array {
    return this.#words;
  }

  add(ordinal: number): void {
    const word = ordinal >>> 5;
    if (word >= this.#words.length) this.#reserve(word + 1);
    const bit = 1 << (ordinal & 31);
    if ((this.#words[word]! & bit) !== 0) return;
    this.#words[word]! |= bit;
    this.#size++;
  }

  delete(ordinal: number): void {
    if (!this.has(ordinal)) return;
    this.#words[ordinal >>> 5]! &= ~(1 << (ordinal & 31));
    this.#size--;
  }

  has(ordinal: number): boolean {
    return ((this.#words[ordinal >>> 5] ?? 0) & (1 << (ordinal & 31))) !== 0;
  }

  clone(): OrdinalSet {
    const copy = new OrdinalSet(0);
    copy.#words = this.#words.slice();
    copy.#size = this.#size;
    return copy;
  }

  /** Ordinals of both sets, as a new one. */
  intersect(other: OrdinalSet): OrdinalSet {
    const result = new OrdinalSet(0);
    const length = Math.min(this.#words.length, other.#words.length);
    const words = new Uint32Array(length);
    let size = 0;
    for (let i = 0; i < length; i++) {
      const word = this.#words[i]! & other.#words[i]!;
      words[i] = word;
      if (word !== 0) size += popcount(word);
    }
    result.#words = words;
    result.#size = size;
    return result;
  }

  /** Adds every ordinal of another group; of a bitmap word by word. */
  addAll(other: Iterable<number>): void {
    if (!(other instanceof OrdinalSet)) {
      for (const ordinal of other) this.add(ordinal);
      return;
    }
    this.#reserve(other.#words.length);
    for (let i = 0; i < other.#words.length; i++) {
      const before = this.#words[i]!;
      const word = before | other.#words[i]!;
      if (word === before >>> 0) continue;
      this.#words[i] = word;
      this.#size += popcount(word) - popcount(before);
    }
  }

  *[Symbol.iterator](): Generator<number> {
    for (let word = 0; word < this.#words.length; word++)
      for (let bits = this.#words[word]!; bits !== 0; bits &= bits - 1)
        yield word * 32 + (31 - Math.clz32(bits & -bits));
  }

  #reserve(words: number): void {
    if (words <= this.#words.length) return;
    const grown = new Uint32Array(Math.max(words, Math.ceil(this.#words.length * 1.5)));
    grown.set(this.#words);
    this.#words = grown;
  }
}

function popcount(word: number): number {
  word -= (word >>> 1) & 0x55555555;
  word = (word & 0x33333333) + ((word >>> 2) & 0x33333333);
  return Math.imul((word + (word >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}
