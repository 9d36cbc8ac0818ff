/**
 * Embedding vectors and their compact forms.
 *
 * A memory's vector is a 384-d unit vector. It is kept as INT8 codes with one scale (388 bytes instead
 * of 1,536) and, where the float vector was there to make it from, a ninth bit per value (48 bytes) that
 * halves the error: what the exact order of near neighbours needs (decisions/0016).
 */

import { roundTiesToEven } from "./rounding.ts";

export const EMBEDDING_DIMENSIONS = 384;

/** Symmetric INT8: value[i] ≈ codes[i] * scale, codes in [-127, 127]. */
export interface QuantizedVector {
  codes: Int8Array;
  scale: number;
  /**
   * Bit i (little-endian within bytes) is 1 when value[i] lies at or above its code's point, else below:
   * value[i] ≈ (codes[i] ± ¼) * scale. Absent when only the INT8 codes are known.
   */
  fine?: Uint8Array;
}

/** Codes and ninth bits of several vectors in two buffers: one of its own for each costs as much as its values. */
export class VectorRoom {
  readonly #count: number;
  readonly #dimensions: number;
  readonly #codes: Int8Array;
  readonly #fine: Uint8Array;
  #used = 0;

  constructor(count: number, dimensions: number = EMBEDDING_DIMENSIONS) {
    this.#count = count;
    this.#dimensions = dimensions;
    this.#codes = new Int8Array(count * dimensions);
    this.#fine = new Uint8Array(count * fineBytes(dimensions));
  }

  /** Room for one more; `RangeError` beyond the count, and for a vector of another size. */
  take(dimensions: number): { codes: Int8Array; fine: Uint8Array } {
    if (dimensions !== this.#dimensions || this.#used >= this.#count)
      throw new RangeError("There is no room for this vector.");
    const at = this.#used++;
    const [size, fineSize] = [dimensions, fineBytes(dimensions)];
    return {
      codes: this.#codes.subarray(at * size, (at + 1) * size),
      fine: this.#fine.subarray(at * fineSize, (at + 1) * fineSize),
    };
  }
}

function fineBytes(dimensions: number): number {
  return (dimensions + 7) >>> 3;
}

/**
 * INT8 codes of a vector by absolute maximum, and unless `fine` is false the ninth bits; a zero vector has scale 0.
 * They are in `room`, where that is given. Non-finite input throws `RangeError`.
 */
export function quantizeVector(
  vector: Float32Array,
  { fine = true, room }: { fine?: boolean; room?: VectorRoom } = {},
): QuantizedVector {
  let max = 0;
  let sum = 0;
  for (let i = 0; i < vector.length; i++) {
    const size = Math.abs(vector[i]!);
    sum += size;
    if (size > max) max = size;
  }
  // A sum of finite single-precision values doesn't overflow.
  if (!Number.isFinite(sum)) throw new RangeError("The vector holds a value that is not finite.");
  const { codes, fine: ninths } = (room ?? new VectorRoom(1, vector.length)).take(vector.length);
  const bits = fine ? ninths : undefined;
  if (max === 0) return { codes, scale: 0, ...(bits && { fine: bits }) };
  const scale = Math.fround(max / 127);
  let byte = 0;
  for (let i = 0; i < vector.length; i++) {
    const value = vector[i]! / scale;
    let code = roundTiesToEven(value);
    if (code > 127) code = 127;
    else if (code < -127) code = -127;
    codes[i] = code;
    if (bits === undefined) continue;
    // Without a branch: which side a value lies on can't be foretold.
    byte |= (Math.floor(value - code) + 1) << (i & 7);
    if ((i & 7) !== 7 && i !== vector.length - 1) continue;
    bits[i >>> 3] = byte;
    byte = 0;
  }
  return { codes, scale, ...(bits && { fine: bits }) };
}

export function dequantizeVector(vector: QuantizedVector): Float32Array {
  const values = new Float32Array(vector.codes.length);
  writeDequantized(vector, values, 0);
  return values;
}

/** Writes the vector's values into `out`, from index `at` on. */
export function writeDequantized(
  { codes, scale, fine }: QuantizedVector,
  out: Float32Array,
  at: number,
): void {
  for (let i = 0; i < codes.length; i++) {
    const offset = fine ? ((fine[i >>> 3]! >>> (i & 7)) & 1 ? 0.25 : -0.25) : 0;
    out[at + i] = (codes[i]! + offset) * scale;
  }
}

export function dotProduct(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

/** Cosine similarity; 0 when either vector is zero. */
export function cosineSimilarity(a: Float32Array, b: Float32Array): number {
  const norms = Math.sqrt(dotProduct(a, a) * dotProduct(b, b));
  return norms === 0 ? 0 : dotProduct(a, b) / norms;
}

/** The vector scaled to length 1, as a new array; a zero vector stays zero. */
export function normalizeVector(vector: Float32Array): Float32Array {
  const norm = Math.sqrt(dotProduct(vector, vector));
  return norm === 0 ? vector.slice() : vector.map((value) => value / norm);
}

/** Unit-length mean of vectors weighted by `weights` (for example chunk lengths in characters). */
export function weightedMeanVector(
  vectors: readonly Float32Array[],
  weights: readonly number[],
): Float32Array {
  const mean = new Float32Array(vectors[0]?.length ?? EMBEDDING_DIMENSIONS);
  vectors.forEach((vector, index) => {
    const weight = weights[index] ?? 0;
    for (let i = 0; i < mean.length; i++) mean[i]! += vector[i]! * weight;
  });
  return normalizeVector(mean);
}
