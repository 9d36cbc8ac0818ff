/**
 * One score out of several signals: a convex combination of parts that are each 0–1. It beats
 * reciprocal rank fusion by far on questions over conversations (decisions/0005, 0021).
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
  lexical: 0.22,
  semantic: 0.15,
  activation: 0.36,
  fields: 0.26,
  recency: 0.01,
};

/**
 * The weights of the signals that take part, scaled to add up to 1 again. Words and meaning stand in
 * for each other: what one can't weigh, the other does.
 */
export function activeWeights(
  active: ReadonlySet<keyof SignalWeights>,
  weights: SignalWeights = WEIGHTS,
): SignalWeights {
  const scaled = { ...weights };
  const text = weights.lexical + weights.semantic;
  if (!active.has("semantic") && weights.lexical > 0) scaled.lexical = text;
  if (!active.has("lexical") && weights.semantic > 0) scaled.semantic = text;
  const signals = Object.keys(scaled) as (keyof SignalWeights)[];
  for (const signal of signals) if (!active.has(signal)) scaled[signal] = 0;
  const sum = signals.reduce((total, signal) => total + scaled[signal], 0);
  for (const signal of signals) scaled[signal] = sum === 0 ? 0 : scaled[signal] / sum;
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

/** The cosine from which a text counts as fully about the query, for sentence models of this family. */
const FULL_COSINE = 0.6;

/**
 * A cosine as 0–1. Absolute: where nothing is about the query, nothing gets much for it, and what else
 * was found doesn't change a candidate's score.
 */
export function semanticScore(cosine: number): number {
  return Math.max(0, Math.min(1, cosine / FULL_COSINE));
}

const RECENCY_HALF_LIFE_MS = 365 * 86_400_000;

/** 1 now, one half a year ago at 365 days; the future counts as now. */
export function recencyScore(timestamp: number, nowMs: number): number {
  return 2 ** (-Math.max(0, nowMs - timestamp) / RECENCY_HALF_LIFE_MS);
}
