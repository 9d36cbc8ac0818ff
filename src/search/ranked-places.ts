/**
 * The best candidates of a pool by all signals, with as little asked of the others as their rank allows:
 * what costs more comes after a bound that leaves out whom it can't bring among the best.
 */

import type { CandidatePool } from "./candidate-pool.ts";
import type { FieldSignals } from "./field-signals.ts";
import { totalScore } from "./fusion.ts";
import { recencyScore, type SignalWeights } from "./ranking.ts";

/** Sums in another order differ by less. */
const ROUNDING = 1e-9;

export interface RankingOptions {
  /** Places, at most. */
  limit: number;
  weights: SignalWeights;
  fields: FieldSignals;
  nowMs: number;
  /** Gists that speak for no memory, and what was forgotten meanwhile, are no hits. */
  isHit(ordinal: number): boolean;
  /** Undefined for what isn't there any more. */
  timeOf(ordinal: number): number | undefined;
}

export class RankedPlaces {
  readonly #pool: CandidatePool;
  readonly #options: RankingOptions;
  /** Places below have a total of all signals but names and recency. */
  #scored = 0;

  constructor(pool: CandidatePool, options: RankingOptions) {
    this.#pool = pool;
    this.#options = options;
  }

  /**
   * The activation that a memory without words or meaning of the query needs to be among the best, given
   * what is in the pool by now.
   */
  leastActivation(): number {
    const { weights, fields } = this.#options;
    if (weights.activation === 0) return 0;
    const extra = weights.fields * fields.max + weights.recency + ROUNDING;
    return (this.#leastTotal() - extra) / weights.activation;
  }

  /** Best first; their places in the pool have every signal. */
  best(): number[] {
    const { limit, weights, fields } = this.#options;
    const pool = this.#pool;
    const extra = weights.fields * fields.maxOfNames + weights.recency + ROUNDING;
    const reachable = this.#leastTotal() - extra;
    for (let place = 0; place < pool.count; place++)
      if (pool.total[place]! >= reachable) this.#complete(place);
    return pool.best(pool.total, limit);
  }

  /** What the last of the best has at least; -Infinity while there are too few. */
  #leastTotal(): number {
    const { limit } = this.#options;
    const pool = this.#pool;
    this.#score();
    const best = pool.best(pool.total, limit);
    let least = best.length < limit ? -Infinity : Infinity;
    for (const place of best) {
      this.#complete(place);
      least = Math.min(least, pool.total[place]!);
    }
    return least;
  }

  /** Scores what came since the last time. */
  #score(): void {
    const { weights, fields, isHit } = this.#options;
    const pool = this.#pool;
    const { total, ordinals } = pool;
    for (let place = this.#scored; place < pool.count; place++) {
      const ordinal = ordinals[place]!;
      if (!isHit(ordinal)) {
        total[place] = -Infinity;
        continue;
      }
      pool.fields[place] = fields.withoutNames(ordinal);
      total[place] = totalScore(pool, place, weights);
    }
    this.#scored = pool.count;
  }

  #complete(place: number): void {
    const { weights, fields, nowMs } = this.#options;
    const pool = this.#pool;
    if (pool.isComplete[place] === 1 || pool.total[place] === -Infinity) return;
    pool.isComplete[place] = 1;
    const ordinal = pool.ordinals[place]!;
    const time = this.#options.timeOf(ordinal);
    if (time === undefined) return;
    pool.fields[place] = fields.of(ordinal, pool.fields[place]!);
    pool.recency[place] = recencyScore(time, nowMs);
    pool.total[place] = totalScore(pool, place, weights);
  }
}
