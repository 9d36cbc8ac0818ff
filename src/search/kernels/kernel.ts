/**
 * The contract of the vector kernels: rows by slot, and the three stages of a search over them.
 *
 * 1. Sign scan: Hamming distance of the stored signs to the query's. T is the least distance with
 *    `candidates` rows at or below it; every row up to T goes on.
 * 2. Refinement: the same distance with the bits weighted by the query's values at 0…7; the
 *    `rescored` least by (weighted distance, ordinal) go on.
 * 3. Scores: the query at 14 bits with the rows at 9; the best by (score, ordinal).
 *
 * Stages 1 and 2 compare integers, and stage 3's products are integers: all kernels, on any number of
 * threads, give the same hits. No tie depends on slots, so neither do hits on the order of writes.
 */

import type { QuantizedVector } from "../../model/vector.ts";
import { roundTiesToEven } from "../../model/rounding.ts";
import { DIMENSIONS, SIGN_BYTES } from "./layout.ts";

export { DIMENSIONS, MAX_CANDIDATES, MAX_RESCORED, SIGN_BYTES } from "./layout.ts";

/** A query as the stages take it. */
export interface PreparedQuery {
  /** Bit i is 1 when value i is positive. */
  signs: Uint8Array;
  /** Three planes of 48 bytes: bit k of the weight of value i, |value[i]| at 0…7. */
  planes: Uint8Array;
  /** value[i] ≈ values[i] * scale, |values[i]| ≤ 8,191: 384 products with 9-bit rows fit 32 bits. */
  values: Int16Array;
  scale: number;
}

/** Hits of one search, best first, in arrays that are used again. */
export interface VectorHits {
  ordinals: Int32Array;
  scores: Float32Array;
  count: number;
}

/** Rows laid one after the other, as a column of vectors has them; views are welcome, none is kept. */
export interface VectorBlock {
  ordinals: Int32Array;
  /** n × 384, in [-127, 127]. */
  codes: Int8Array;
  scales: Float32Array;
  /** n × 48: the ninth bits, where they are known. */
  fine?: Uint8Array | null | undefined;
}

/** Candidates of a scan over a part of the slots; may be posted. */
export interface Candidates {
  /** Weighted distance << 52 | ordinal << 23 | slot. */
  keys: BigUint64Array<ArrayBuffer>;
  /** Hamming distances, in the order of the keys. */
  distances: Uint16Array<ArrayBuffer>;
  /** Rows by Hamming distance, exact up to this part's own T. */
  counts: Uint32Array<ArrayBuffer>;
}

/**
 * What a scanner does; each has its own candidates. `load` sets the query of the calls that follow, and
 * the candidates of one stage stay inside for the next.
 */
export interface VectorScan {
  load(query: PreparedQuery): void;
  /**
   * Stages 1 and half of 2 over slots [first, end): how many candidates there are now, each with its
   * weighted distance. Of equally far rows beyond what the buffer holds, those that can't be among the
   * `rescored` are left out. `filter` has one bit per ordinal.
   */
  nearestBySigns(
    first: number,
    end: number,
    candidates: number,
    rescored: number,
    filter: Uint32Array | null,
  ): number;
  /** The candidates of the last scan. */
  candidates(count: number): Candidates;
  /** Takes keys of candidates of other scanners; at most `BUFFER_KEYS`. */
  takeKeys(keys: BigUint64Array): void;
  /** Stage 2 over the first `count` candidates: how many slots are chosen, at most `wanted`. */
  refine(count: number, wanted: number): number;
  /** Takes slots without stages 1 and 2; at most `MAX_RESCORED`. */
  takeSlots(slots: ArrayLike<number>, count: number): void;
  /** The chosen slots, in no order. */
  slots(count: number): Uint32Array;
  /** Stage 3 over the first `count` chosen slots, in their order. */
  score(count: number, out: Float32Array): void;
  /** Stage 3, and the best `limit` that reach `minScore` into `hits`, which has room. */
  best(count: number, limit: number, minScore: number, hits: VectorHits): void;
}

/** What another thread needs to scan the same memory; may be posted to it. */
export interface SharedKernel {
  module: WebAssembly.Module;
  memory: WebAssembly.Memory;
  scanners: number;
}

/** Rows by slot. Slots are dense: the owner moves the last row into a gap. */
export interface VectorKernel extends VectorScan {
  readonly name: "wasm-simd" | "reference";
  /** Bytes held now, scratch included. */
  readonly memoryBytes: number;
  /** Makes room for slots below `slots` and ordinals below `ordinals`. `too_large` when there is none. */
  reserve(slots: number, ordinals: number): void;
  write(slot: number, ordinal: number, vector: QuantizedVector): void;
  /** Writes the rows [from, to) of a block to slots that follow each other. */
  writeMany(slot: number, block: VectorBlock, from: number, to: number): void;
  /** Copies a row over another. */
  move(from: number, to: number): void;
  /** Zeroes a row: nothing of it is left. */
  clear(slot: number): void;
  /** Gives back memory beyond `slots`, where that is much; true when rows lie elsewhere now. */
  shrink(slots: number): boolean;
  ordinalOf(slot: number): number;
  /** The sign bits of 1,024 slots: a view, good until the next write. */
  signsOfBlock(block: number): Uint8Array;
  /**
   * For scanners on other threads: the same object as long as rows stay in that memory; null when it
   * isn't shared.
   */
  share(): SharedKernel | null;
  /** A row as it is stored, and its vector. */
  read(slot: number): StoredRow & { ordinal: number; vector: QuantizedVector };
}

/** The stored form: nine bits per value, of which one is the sign. */
export interface StoredRow {
  signs: Uint8Array;
  /** u: |value| = (2u + 1) * |scale| / 4, or 2u * |scale| / 4 when the scale is negative. */
  magnitudes: Uint8Array;
  /** Negative: only INT8 codes were known. */
  scale: number;
}

const QUERY_MAX = 8191;
const MAX_WEIGHT = 7;

/** `into` is overwritten, so that a search allocates nothing. Null for a query of zeros. */
export function prepareQuery(query: Float32Array, into: PreparedQuery): PreparedQuery | null {
  let max = 0;
  for (let i = 0; i < DIMENSIONS; i++) max = Math.max(max, Math.abs(query[i]!));
  // A query that isn't finite is near nothing.
  if (!(max > 0) || max === Infinity) return null;
  const { signs, planes, values } = into;
  const toValue = QUERY_MAX / max;
  const toWeight = MAX_WEIGHT / max;
  for (let byte = 0; byte < SIGN_BYTES; byte++) {
    let sign = 0;
    let ones = 0;
    let twos = 0;
    let fours = 0;
    for (let bit = 0; bit < 8; bit++) {
      const value = query[byte * 8 + bit]!;
      values[byte * 8 + bit] = roundTiesToEven(value * toValue);
      const weight = Math.floor(Math.abs(value) * toWeight + 0.5);
      if (value > 0) sign |= 1 << bit;
      ones |= (weight & 1) << bit;
      twos |= ((weight >>> 1) & 1) << bit;
      fours |= ((weight >>> 2) & 1) << bit;
    }
    signs[byte] = sign;
    planes[byte] = ones;
    planes[SIGN_BYTES + byte] = twos;
    planes[2 * SIGN_BYTES + byte] = fours;
  }
  into.scale = max / QUERY_MAX;
  return into;
}

export function emptyQuery(): PreparedQuery {
  return {
    signs: new Uint8Array(SIGN_BYTES),
    planes: new Uint8Array(3 * SIGN_BYTES),
    values: new Int16Array(DIMENSIONS),
    scale: 0,
  };
}

/** The stored form of a vector; `decodeRow` is its inverse. */
export function encodeRow({ codes, scale, fine }: QuantizedVector): StoredRow {
  const signs = new Uint8Array(SIGN_BYTES);
  const magnitudes = new Uint8Array(DIMENSIONS);
  for (let i = 0; i < DIMENSIONS; i++) {
    const code = Math.max(-127, codes[i]!);
    const isAbove = fine !== undefined && ((fine[i >>> 3]! >>> (i & 7)) & 1) === 1;
    const isPositive = code > 0 || (code === 0 && isAbove);
    if (isPositive) signs[i >>> 3]! |= 1 << (i & 7);
    // One less where the value lies on the near side of its code's point, seen from zero.
    const isNear = fine !== undefined && isAbove !== isPositive;
    magnitudes[i] = 2 * Math.abs(code) - (isNear ? 1 : 0);
  }
  return { signs, magnitudes, scale: fine ? scale : -scale };
}

export function decodeRow({ signs, magnitudes, scale }: StoredRow): QuantizedVector {
  const hasFine = scale > 0;
  const codes = new Int8Array(DIMENSIONS);
  const fine = new Uint8Array(SIGN_BYTES);
  for (let i = 0; i < DIMENSIONS; i++) {
    const isPositive = ((signs[i >>> 3]! >>> (i & 7)) & 1) === 1;
    const magnitude = magnitudes[i]!;
    codes[i] = (isPositive ? 1 : -1) * ((magnitude + 1) >>> 1);
    if (isPositive === ((magnitude & 1) === 0)) fine[i >>> 3]! |= 1 << (i & 7);
  }
  return { codes, scale: Math.abs(scale), ...(hasFine && { fine }) };
}
