/** The contract of the vector kernels: stored rows in, slots and dot products out. */

import { EMBEDDING_DIMENSIONS } from "../../model/vector.ts";

export const DIMENSIONS = EMBEDDING_DIMENSIONS;
/** Bytes of the sign bits of one vector. */
export const SIGN_BYTES = DIMENSIONS / 8;

/** Rows of sign bits and INT8 codes by slot, and the two scans over them. */
export interface VectorKernel {
  readonly name: "wasm-simd" | "reference";
  /** Bytes held now. */
  readonly memoryBytes: number;
  /** Stores a vector and makes its slot live; grows as needed. `codes` has 384 values in [-127, 127]. */
  write(slot: number, codes: Int8Array): void;
  /** The slot no longer takes part; its bytes are zeroed. */
  clear(slot: number): void;
  /**
   * The `wanted` live slots nearest to the query's sign bits by Hamming distance; ties go to lower
   * slots; in ascending order of slots. `filter` has one bit per slot (little-endian), or null.
   */
  nearestBySigns(signs: Uint8Array, wanted: number, filter: Uint8Array | null): Uint32Array;
  /** Exact integer dot products of an INT16 query with the INT8 rows of `slots`. */
  dot(query: Int16Array, slots: Uint32Array): Int32Array;
  /** Signs and codes as they are stored, for tests. */
  read(slot: number): { signs: Uint8Array; codes: Int8Array };
}

/** Bit i (little-endian within bytes) is 1 when value i is positive. */
export function signBits(values: ArrayLike<number>): Uint8Array {
  const bits = new Uint8Array(SIGN_BYTES);
  for (let i = 0; i < DIMENSIONS; i++) if (values[i]! > 0) bits[i >>> 3]! |= 1 << (i & 7);
  return bits;
}
