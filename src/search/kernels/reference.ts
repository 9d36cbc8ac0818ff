/**
 * The vector kernels in plain TypeScript: the specification of `scan.as.ts`, and what runs where
 * WebAssembly SIMD is absent.
 */

import type { QuantizedVector } from "../../model/vector.ts";
import {
  DIMENSIONS,
  SIGN_BYTES,
  decodeRow,
  emptyQuery,
  encodeRow,
  type Candidates,
  type PreparedQuery,
  type StoredRow,
  type VectorBlock,
  type VectorHits,
  type VectorKernel,
} from "./kernel.ts";
import { BLOCK_SLOTS } from "./layout.ts";

const POPCOUNT = Uint8Array.from({ length: 256 }, (_, byte) => {
  let count = 0;
  for (let bits = byte; bits !== 0; bits &= bits - 1) count++;
  return count;
});

interface Candidate {
  distance: number;
  weighted: number;
  ordinal: number;
  slot: number;
}

export class ReferenceKernel implements VectorKernel {
  readonly name = "reference";
  #signs = new Uint8Array(0);
  #magnitudes = new Uint8Array(0);
  #scales = new Float32Array(0);
  #ordinals = new Int32Array(0);
  #query: PreparedQuery = emptyQuery();
  #candidates: Candidate[] = [];
  readonly #counts = new Uint32Array(DIMENSIONS + 1);
  #chosen: number[] = [];

  get memoryBytes(): number {
    return this.#ordinals.length * (SIGN_BYTES + DIMENSIONS + 8);
  }

  reserve(slots: number, _ordinals: number): void {
    if (slots <= this.#ordinals.length) return;
    this.#resize(Math.max(slots, Math.ceil(this.#ordinals.length * 1.25), BLOCK_SLOTS));
  }

  write(slot: number, ordinal: number, vector: QuantizedVector): void {
    const { signs, magnitudes, scale } = encodeRow(vector);
    this.#signs.set(signs, slot * SIGN_BYTES);
    this.#magnitudes.set(magnitudes, slot * DIMENSIONS);
    this.#scales[slot] = scale;
    this.#ordinals[slot] = ordinal;
  }

  writeMany(slot: number, block: VectorBlock, from: number, to: number): void {
    const { ordinals, codes, scales, fine } = block;
    for (let i = from; i < to; i++)
      this.write(slot + i - from, ordinals[i]!, {
        codes: codes.subarray(i * DIMENSIONS, (i + 1) * DIMENSIONS),
        scale: scales[i]!,
        ...(fine && { fine: fine.subarray(i * SIGN_BYTES, (i + 1) * SIGN_BYTES) }),
      });
  }

  move(from: number, to: number): void {
    this.#signs.copyWithin(to * SIGN_BYTES, from * SIGN_BYTES, (from + 1) * SIGN_BYTES);
    this.#magnitudes.copyWithin(to * DIMENSIONS, from * DIMENSIONS, (from + 1) * DIMENSIONS);
    this.#scales[to] = this.#scales[from]!;
    this.#ordinals[to] = this.#ordinals[from]!;
  }

  clear(slot: number): void {
    this.#signs.fill(0, slot * SIGN_BYTES, (slot + 1) * SIGN_BYTES);
    this.#magnitudes.fill(0, slot * DIMENSIONS, (slot + 1) * DIMENSIONS);
    this.#scales[slot] = 0;
    this.#ordinals[slot] = 0;
  }

  shrink(slots: number): boolean {
    if (2 * slots + BLOCK_SLOTS > this.#ordinals.length) return false;
    this.#resize(slots);
    return true;
  }

  ordinalOf(slot: number): number {
    return this.#ordinals[slot]!;
  }

  signsOfBlock(block: number): Uint8Array {
    const bytes = BLOCK_SLOTS * SIGN_BYTES;
    const signs = new Uint8Array(bytes);
    signs.set(this.#signs.subarray(block * bytes, (block + 1) * bytes));
    return signs;
  }

  share(): null {
    return null;
  }

  read(slot: number): StoredRow & { ordinal: number; vector: QuantizedVector } {
    const row = {
      signs: this.#signs.slice(slot * SIGN_BYTES, (slot + 1) * SIGN_BYTES),
      magnitudes: this.#magnitudes.slice(slot * DIMENSIONS, (slot + 1) * DIMENSIONS),
      scale: this.#scales[slot]!,
    };
    return { ...row, ordinal: this.#ordinals[slot]!, vector: decodeRow(row) };
  }

  load({ signs, planes, values, scale }: PreparedQuery): void {
    this.#query = {
      signs: signs.slice(),
      planes: planes.slice(),
      values: values.slice(),
      scale,
    };
  }

  nearestBySigns(
    first: number,
    end: number,
    candidates: number,
    _rescored: number,
    filter: Uint32Array | null,
  ): number {
    const { signs, planes } = this.#query;
    const found: Candidate[] = [];
    this.#counts.fill(0);
    for (let slot = first; slot < end; slot++) {
      const ordinal = this.#ordinals[slot]!;
      if (filter && (((filter[ordinal >>> 5] ?? 0) >>> (ordinal & 31)) & 1) === 0) continue;
      let distance = 0;
      let weighted = 0;
      for (let i = 0; i < SIGN_BYTES; i++) {
        const differing = signs[i]! ^ this.#signs[slot * SIGN_BYTES + i]!;
        distance += POPCOUNT[differing]!;
        for (let plane = 0; plane < 3; plane++)
          weighted += POPCOUNT[differing & planes[plane * SIGN_BYTES + i]!]! << plane;
      }
      this.#counts[distance]!++;
      found.push({ distance, weighted, ordinal, slot });
    }
    let threshold = 0;
    let below = this.#counts[0]!;
    while (below < candidates && threshold < DIMENSIONS) below += this.#counts[++threshold]!;
    this.#candidates = found.filter(({ distance }) => distance <= threshold);
    return this.#candidates.length;
  }

  candidates(count: number): Candidates {
    const list = this.#candidates.slice(0, count);
    return {
      keys: BigUint64Array.from(
        list,
        ({ weighted, ordinal, slot }) =>
          (BigInt(weighted) << 52n) | (BigInt(ordinal) << 23n) | BigInt(slot),
      ),
      distances: Uint16Array.from(list, ({ distance }) => distance),
      counts: this.#counts.slice(),
    };
  }

  takeKeys(keys: BigUint64Array): void {
    this.#candidates = Array.from(keys, (key) => ({
      distance: 0,
      weighted: Number(key >> 52n),
      ordinal: Number((key >> 23n) & 0x1fffffffn),
      slot: Number(key & 0x7fffffn),
    }));
  }

  refine(count: number, wanted: number): number {
    this.#chosen = this.#candidates
      .slice(0, count)
      .sort((a, b) => a.weighted - b.weighted || a.ordinal - b.ordinal)
      .slice(0, wanted)
      .map(({ slot }) => slot);
    return this.#chosen.length;
  }

  takeSlots(slots: ArrayLike<number>, count: number): void {
    this.#chosen = Array.from({ length: count }, (_, i) => slots[i]!);
  }

  slots(count: number): Uint32Array {
    return Uint32Array.from(this.#chosen.slice(0, count));
  }

  score(count: number, out: Float32Array): void {
    for (let i = 0; i < count; i++) out[i] = this.#scoreOf(this.#chosen[i]!);
  }

  best(count: number, limit: number, minScore: number, hits: VectorHits): void {
    const found = this.#chosen
      .slice(0, count)
      .map((slot) => ({ ordinal: this.#ordinals[slot]!, score: this.#scoreOf(slot) }))
      .filter(({ score }) => score >= Math.fround(minScore))
      .sort((a, b) => b.score - a.score || a.ordinal - b.ordinal)
      .slice(0, limit);
    found.forEach(({ ordinal, score }, i) => {
      hits.ordinals[i] = ordinal;
      hits.scores[i] = score;
    });
    hits.count = found.length;
  }

  #scoreOf(slot: number): number {
    const { values, scale } = this.#query;
    const rowScale = this.#scales[slot]!;
    const half = rowScale < 0 ? 0 : 1;
    let product = 0;
    for (let i = 0; i < DIMENSIONS; i++) {
      const isPositive = (this.#signs[slot * SIGN_BYTES + (i >>> 3)]! >>> (i & 7)) & 1;
      const magnitude = 2 * this.#magnitudes[slot * DIMENSIONS + i]! + half;
      product += values[i]! * (isPositive ? magnitude : -magnitude);
    }
    return Math.fround(product * (scale * (Math.abs(rowScale) * 0.25))) + 0;
  }

  #resize(slots: number): void {
    const signs = new Uint8Array(slots * SIGN_BYTES);
    const magnitudes = new Uint8Array(slots * DIMENSIONS);
    const scales = new Float32Array(slots);
    const ordinals = new Int32Array(slots);
    signs.set(this.#signs.subarray(0, signs.length));
    magnitudes.set(this.#magnitudes.subarray(0, magnitudes.length));
    scales.set(this.#scales.subarray(0, slots));
    ordinals.set(this.#ordinals.subarray(0, slots));
    this.#signs = signs;
    this.#magnitudes = magnitudes;
    this.#scales = scales;
    this.#ordinals = ordinals;
  }
}
