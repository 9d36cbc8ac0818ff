/**
 * Finds the place of an ordinal among the some thousand of one query. Its size follows what is in it and
 * not the store: a table by ordinal would be out of the processor's caches whenever the vectors were scanned.
 */

const FIRST_SLOTS = 4096;
const EMPTY = -1;
/** 2^32 over the golden ratio: neighbours, as ordinals mostly are, come apart. */
const SPREAD = 0x9e3779b1;

export class PlaceTable {
  /** Ordinal and place, side by side; a power of two of slots, at most half of them taken. */
  #slots = new Int32Array(2 * FIRST_SLOTS).fill(EMPTY);
  #shift = 32 - Math.log2(FIRST_SLOTS);
  #count = 0;

  clear(): void {
    if (this.#count > 0) this.#slots.fill(EMPTY);
    this.#count = 0;
  }

  /** The place of an ordinal, -1 when it has none. */
  find(ordinal: number): number {
    const slots = this.#slots;
    const mask = slots.length - 1;
    let at = 2 * (Math.imul(ordinal, SPREAD) >>> this.#shift);
    for (;;) {
      const place = slots[at + 1]!;
      if (place === EMPTY || slots[at] === ordinal) return place;
      at = (at + 2) & mask;
    }
  }

  /** The place of an ordinal, which becomes `next` when it has none. */
  findOrPut(ordinal: number, next: number): number {
    const slots = this.#slots;
    const mask = slots.length - 1;
    let at = 2 * (Math.imul(ordinal, SPREAD) >>> this.#shift);
    for (;;) {
      const place = slots[at + 1]!;
      if (place === EMPTY) break;
      if (slots[at] === ordinal) return place;
      at = (at + 2) & mask;
    }
    slots[at] = ordinal;
    slots[at + 1] = next;
    if (++this.#count * 4 > slots.length) this.#grow();
    return next;
  }

  #grow(): void {
    const before = this.#slots;
    this.#slots = new Int32Array(2 * before.length).fill(EMPTY);
    this.#shift--;
    this.#count = 0;
    for (let at = 0; at < before.length; at += 2)
      if (before[at + 1] !== EMPTY) this.findOrPut(before[at]!, before[at + 1]!);
  }
}
