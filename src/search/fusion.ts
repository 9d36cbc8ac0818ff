/** Brings the candidates of the words and of the meaning together in one pool, each with both signals. */

import type { CandidatePool } from "./candidate-pool.ts";
import { semanticScore, type SignalWeights } from "./ranking.ts";
import type { VectorSearch } from "./vector-index.ts";

export interface ScoredOrdinal {
  ordinal: number;
  score: number;
}

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
  lexical: readonly ScoredOrdinal[],
  nearest: readonly ScoredOrdinal[],
): void {
  for (const hit of lexical) pool.lexical[pool.place(hit.ordinal)] = hit.score;
  if (vector === null) return;
  const lexicalCount = pool.count;
  for (const hit of nearest) pool.semantic[pool.place(hit.ordinal)] = semanticScore(hit.score);
  // Whose cosine the scan of the nearest didn't give.
  const rest: number[] = [];
  for (let place = 0; place < lexicalCount; place++)
    if (pool.semantic[place] === 0) rest.push(place);
  const cosines = new Float32Array(rest.length);
  const ordinals = new Int32Array(rest.length);
  for (let i = 0; i < rest.length; i++) ordinals[i] = pool.ordinals[rest[i]!]!;
  vectors.scoresInto(vector, ordinals, rest.length, cosines);
  for (let i = 0; i < rest.length; i++)
    if (!Number.isNaN(cosines[i]!)) pool.semantic[rest[i]!] = semanticScore(cosines[i]!);
}

/**
 * Word matches of a part of the store (a period) on the scale of those of the whole: each search
 * divides by its own best. Without a common hit they rank below everything that the whole search gave.
 */
export function rescaled(
  part: readonly ScoredOrdinal[],
  whole: readonly ScoredOrdinal[],
): ScoredOrdinal[] {
  const known = new Map(whole.map((hit) => [hit.ordinal, hit.score]));
  const common = part.find((hit) => hit.score > 0 && known.has(hit.ordinal));
  const factor =
    common === undefined ? (whole.at(-1)?.score ?? 1) : known.get(common.ordinal)! / common.score;
  return part
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
