/**
 * A hash table from byte strings to small numbers, in typed arrays only: no string is made to look up
 * a word of a text that was seen before.
 */

export const FNV_OFFSET = 0x811c9dc5;
export const FNV_PRIME = 0x01000193;

/** FNV-1a over bytes [from, to). */
export function hashBytes(bytes: Uint8Array, from: number, to: number): number {
  let hash = FNV_OFFSET;
  for (let i = from; i < to; i++) hash = Math.imul(hash ^ bytes[i]!, FNV_PRIME);
  return hash;
}

export class TermTable {
  #slots = new Int32Array(2048);
  #hashes = new Int32Array(1024);
  #ends = new Uint32Array(1024);
  #pool = new Uint8Array(8192);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** The bytes of all entries; entry `i` is [start(i), end(i)). */
  get pool(): Uint8Array {
    return this.#pool;
  }

  get memoryBytes(): number {
    return 4 * (this.#slots.length + this.#hashes.length + this.#ends.length) + this.#pool.length;
  }

  start(entry: number): number {
    return entry === 0 ? 0 : this.#ends[entry - 1]!;
  }

  end(entry: number): number {
    return this.#ends[entry]!;
  }

  /** The entry of bytes [from, to), −1 when there is none. `hash` is `hashBytes` of them. */
  find(bytes: Uint8Array, from: number, to: number, hash: number): number {
    const mask = this.#slots.length - 1;
    const length = to - from;
    for (let slot = spread(hash) & mask; ; slot = (slot + 1) & mask) {
      const entry = this.#slots[slot]! - 1;
      if (entry < 0) return -1;
      if (this.#hashes[entry] !== hash) continue;
      const at = this.start(entry);
      if (this.#ends[entry]! - at !== length) continue;
      let i = 0;
      while (i < length && this.#pool[at + i] === bytes[from + i]) i++;
      if (i === length) return entry;
    }
  }

  /** Adds bytes that are not there yet; returns their entry, one more than the last. */
  add(bytes: Uint8Array, from: number, to: number, hash: number): number {
    const entry = this.#size++;
    if (entry >= this.#hashes.length) this.#grow();
    const at = this.start(entry);
    const end = at + to - from;
    if (end > this.#pool.length) {
      const pool = new Uint8Array(Math.max(end, this.#pool.length * 2));
      pool.set(this.#pool);
      this.#pool = pool;
    }
    for (let i = from, o = at; i < to; i++, o++) this.#pool[o] = bytes[i]!;
    this.#hashes[entry] = hash;
    this.#ends[entry] = end;
    this.#place(entry, hash);
    return entry;
  }

  #place(entry: number, hash: number): void {
    const mask = this.#slots.length - 1;
    let slot = spread(hash) & mask;
    while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
    this.#slots[slot] = entry + 1;
  }

  #grow(): void {
    const capacity = this.#hashes.length * 2;
    const hashes = new Int32Array(capacity);
    const ends = new Uint32Array(capacity);
    hashes.set(this.#hashes);
    ends.set(this.#ends);
    this.#hashes = hashes;
    this.#ends = ends;
    this.#slots = new Int32Array(capacity * 2);
    for (let entry = 0; entry < this.#size - 1; entry++) this.#place(entry, hashes[entry]!);
  }
}

/** FNV's low bits alone are weak for short words. */
function spread(hash: number): number {
  return hash ^ (hash >>> 15);
}
