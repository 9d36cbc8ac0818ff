/**
 * The vector kernels in plain TypeScript: the specification of `scan.as.ts`, and what runs where
 * WebAssembly SIMD is absent.
 */

import { DIMENSIONS, SIGN_BYTES, signBits, type VectorKernel } from "./kernel.ts";

const POPCOUNT = Uint8Array.from({ length: 256 }, (_, byte) => {
  let count = 0;
  for (let bits = byte; bits !== 0; bits &= bits - 1) count++;
  return count;
});

export class ReferenceKernel implements VectorKernel {
  readonly name = "reference";
  #signs = new Uint8Array(0);
  #codes = new Int8Array(0);
  #live = new Uint8Array(0);

  get memoryBytes(): number {
    return this.#signs.length + this.#codes.length + this.#live.length;
  }

  write(slot: number, codes: Int8Array): void {
    this.#reserve(slot + 1);
    this.#signs.set(signBits(codes), slot * SIGN_BYTES);
    this.#codes.set(codes, slot * DIMENSIONS);
    this.#live[slot] = 1;
  }

  clear(slot: number): void {
    if (slot >= this.#live.length) return;
    this.#signs.fill(0, slot * SIGN_BYTES, (slot + 1) * SIGN_BYTES);
    this.#codes.fill(0, slot * DIMENSIONS, (slot + 1) * DIMENSIONS);
    this.#live[slot] = 0;
  }

  nearestBySigns(signs: Uint8Array, wanted: number, filter: Uint8Array | null): Uint32Array {
    const found: { slot: number; distance: number }[] = [];
    for (let slot = 0; slot < this.#live.length; slot++) {
      if (this.#live[slot] === 0) continue;
      if (filter !== null && ((filter[slot >>> 3] ?? 0) & (1 << (slot & 7))) === 0) continue;
      let distance = 0;
      for (let i = 0; i < SIGN_BYTES; i++)
        distance += POPCOUNT[signs[i]! ^ this.#signs[slot * SIGN_BYTES + i]!]!;
      found.push({ slot, distance });
    }
    found.sort((a, b) => a.distance - b.distance || a.slot - b.slot);
    return Uint32Array.from(found.slice(0, wanted), ({ slot }) => slot).sort();
  }

  dot(query: Int16Array, slots: Uint32Array): Int32Array {
    return Int32Array.from(slots, (slot) => {
      let sum = 0;
      for (let i = 0; i < DIMENSIONS; i++) sum += query[i]! * this.#codes[slot * DIMENSIONS + i]!;
      return sum;
    });
  }

  read(slot: number): { signs: Uint8Array; codes: Int8Array } {
    return {
      signs: this.#signs.slice(slot * SIGN_BYTES, (slot + 1) * SIGN_BYTES),
      codes: this.#codes.slice(slot * DIMENSIONS, (slot + 1) * DIMENSIONS),
    };
  }

  #reserve(slots: number): void {
    if (slots <= this.#live.length) return;
    const capacity = Math.max(slots, Math.ceil(this.#live.length * 1.25), 1024);
    const signs = new Uint8Array(capacity * SIGN_BYTES);
    const codes = new Int8Array(capacity * DIMENSIONS);
    const live = new Uint8Array(capacity);
    signs.set(this.#signs);
    codes.set(this.#codes);
    live.set(this.#live);
    this.#signs = signs;
    this.#codes = codes;
    this.#live = live;
  }
}
