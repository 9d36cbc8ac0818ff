/**
 * Embedding vectors and their compact forms.
 *
 * A memory's vector is a 384-d unit vector. Segments keep it as INT8 codes with one scale
 * (388 bytes instead of 1,536); the first scan uses its sign bits (48 bytes).
 */

import { roundTiesToEven } from "./rounding.ts";

export const EMBEDDING_DIMENSIONS = 384;

/** Symmetric INT8: value[i] ≈ codes[i] * scale, codes in [-127, 127]. */
export interface QuantizedVector {
  codes: Int8Array;
  scale: number;
}

/** INT8 codes of a vector by absolute maximum; a zero vector has scale 0. Non-finite input throws `RangeError`. */
export function quantizeVector(vector: Float32Array): QuantizedVector {
  let max = 0;
  for (const value of vector) {
    if (!Number.isFinite(value))
      throw new RangeError("The vector holds a value that is not finite.");
    max = Math.max(max, Math.abs(value));
  }
  const codes = new Int8Array(vector.length);
  if (max === 0) return { codes, scale: 0 };
  const scale = Math.fround(max / 127);
  for (let i = 0; i < vector.length; i++)
    codes[i] = Math.max(-127, Math.min(127, roundTiesToEven(vector[i]! / scale)));
  return { codes, scale };
}

export function dequantizeVector(vector: QuantizedVector): Float32Array {
  return Float32Array.from(vector.codes, (code) => code * vector.scale);
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
