/** The seam to the cognitive layer: search calls a spread that it is given, and never imports one. */

/** A direct hit that activation starts from. */
export interface SpreadSeed {
  ordinal: number;
  /** 0–1. */
  score: number;
}

export interface SpreadHit {
  ordinal: number;
  /** 0–1. */
  score: number;
  /** Ordinals from a direct hit to this one, both included. */
  path: number[];
}

/** Spreads activation from direct hits over connections; `allow` limits what may come back. */
export type Spread = (
  seeds: readonly SpreadSeed[],
  options: { limit: number; allow?: (ordinal: number) => boolean },
) => SpreadHit[];
