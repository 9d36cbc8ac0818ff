/** Brings the candidates of the words and of the meaning together in one pool, each with both signals. */

import type { CandidatePool } from "./candidate-pool.ts";
import { semanticScore, type SignalWeights } from "./ranking.ts";
import type { VectorSearch } from "./vector-index.ts";

/** Memories and what a stage gave each, as parallel arrays. */
export interface Scored {
  readonly ordinals: ArrayLike<number>;
  readonly scores: ArrayLike<number>;
}

export const NOTHING: Scored = { ordinals: [], scores: [] };

/**
 * Candidates of both stages with both signals; the cosine of word matches is looked up exactly.
 *
 * @param lexical BM25 divided by that of the best hit
 * @param nearest cosines
 */
export function fuse(
  vectors: VectorSearch,
  pool: CandidatePool,
  vector: Float32Array | null,
  lexical: Scored,
  nearest: Scored,
): void {
  for (let i = 0; i < lexical.ordinals.length; i++) {
    // Placing may exchange the arrays for larger ones.
    const place = pool.place(lexical.ordinals[i]!);
    pool.lexical[place] = lexical.scores[i]!;
  }
  if (vector === null) return;
  const lexicalCount = pool.count;
  for (let i = 0; i < nearest.ordinals.length; i++) {
    const place = pool.place(nearest.ordinals[i]!);
    pool.semantic[place] = semanticScore(nearest.scores[i]!);
  }
  // Whose cosine the scan of the nearest didn't give.
  const rest = new Int32Array(lexicalCount);
  let count = 0;
  for (let place = 0; place < lexicalCount; place++)
    if (pool.semantic[place] === 0) rest[count++] = place;
  const ordinals = new Int32Array(count);
  for (let i = 0; i < count; i++) ordinals[i] = pool.ordinals[rest[i]!]!;
  const cosines = new Float32Array(count);
  vectors.scoresInto(vector, ordinals, count, cosines);
  for (let i = 0; i < count; i++)
    if (!Number.isNaN(cosines[i]!)) pool.semantic[rest[i]!] = semanticScore(cosines[i]!);
}

/**
 * Word matches of a part of the store (a period) on the scale of those of the whole: each search
 * divides by its own best. Without a common hit they rank below everything that the whole search gave.
 */
export function rescaled(part: Scored, whole: Scored): { ordinal: number; score: number }[] {
  const known = new Map<number, number>();
  for (let i = 0; i < whole.ordinals.length; i++) known.set(whole.ordinals[i]!, whole.scores[i]!);
  const hits = Array.from(part.ordinals, (ordinal, i) => ({ ordinal, score: part.scores[i]! }));
  const common = hits.find((hit) => hit.score > 0 && known.has(hit.ordinal));
  const lowest = whole.scores[whole.scores.length - 1] ?? 1;
  const factor = common === undefined ? lowest : known.get(common.ordinal)! / common.score;
  return hits
    .filter((hit) => !known.has(hit.ordinal))
    .map(({ ordinal, score }) => ({ ordinal, score: Math.min(1, factor * score) }));
}

/** Fills `pool.total` with the score of the text signals alone, 0–1: what activation starts from. */
export function scoreDirectly(pool: CandidatePool, weights: SignalWeights): void {
  const sum = weights.lexical + weights.semantic;
  for (let place = 0; place < pool.count; place++)
    pool.total[place] =
      sum === 0
        ? 0
        : (weights.lexical * pool.lexical[place]! + weights.semantic * pool.semantic[place]!) / sum;
}

/** The same sum as `scoreParts` gives. */
export function totalScore(pool: CandidatePool, place: number, weights: SignalWeights): number {
  return (
    weights.lexical * pool.lexical[place]! +
    weights.semantic * pool.semantic[place]! +
    weights.activation * pool.activation[place]! +
    weights.recency * pool.recency[place]! +
    weights.fields * pool.fields[place]!
  );
}
