/**
 * One score out of several signals: a convex combination of parts that were each brought to 0–1.
 * It beats reciprocal rank fusion by far on questions over conversations (decisions/0005).
 */

import type { ScoreParts } from "../model/query.ts";

/** What is known of one candidate, every signal 0–1. */
export interface CandidateSignals {
  ordinal: number;
  lexical: number;
  semantic: number;
  activation: number;
  recency: number;
  fields: number;
}

export type SignalWeights = Omit<CandidateSignals, "ordinal">;

/** Round numbers on purpose: chosen on a plateau, not fitted to a data set. They add up to 1. */
export const WEIGHTS: SignalWeights = {
  lexical: 0.4,
  semantic: 0.2,
  activation: 0.25,
  fields: 0.14,
  recency: 0.01,
};

/** The weights of the signals that take part, scaled to add up to 1 again. */
export function activeWeights(
  active: ReadonlySet<keyof SignalWeights>,
  weights: SignalWeights = WEIGHTS,
): SignalWeights {
  const signals = Object.keys(weights) as (keyof SignalWeights)[];
  const sum = signals.reduce(
    (total, signal) => total + (active.has(signal) ? weights[signal] : 0),
    0,
  );
  const scaled = { ...weights };
  for (const signal of signals) scaled[signal] = active.has(signal) ? weights[signal] / sum : 0;
  return scaled;
}

export function scoreParts(candidate: CandidateSignals, weights: SignalWeights): ScoreParts {
  const lexical = weights.lexical * candidate.lexical;
  const semantic = weights.semantic * candidate.semantic;
  const activation = weights.activation * candidate.activation;
  const recency = weights.recency * candidate.recency;
  const fields = weights.fields * candidate.fields;
  return {
    lexical,
    semantic,
    activation,
    recency,
    fields,
    total: lexical + semantic + activation + recency + fields,
  };
}

/** Cosines as 0–1: the best candidate is 1, the pool's worst (never above 0.9 of the best) is 0. */
export function semanticScale(scores: readonly number[]): (cosine: number) => number {
  const best = Math.max(0, ...scores);
  const worst = Math.max(0, Math.min(best * 0.9, ...scores));
  if (best <= 0) return () => 0;
  return (cosine) => Math.max(0, Math.min(1, (cosine - worst) / (best - worst)));
}

const RECENCY_HALF_LIFE_MS = 365 * 86_400_000;

/** 1 now, one half a year ago at 365 days; the future counts as now. */
export function recencyScore(timestamp: number, nowMs: number): number {
  return 2 ** (-Math.max(0, nowMs - timestamp) / RECENCY_HALF_LIFE_MS);
}
