/** The seam to the cognitive layer: search calls a spread that it is given, and never imports one. */

import type { PathLink } from "../model/query.ts";

/** Direct hits that activation starts from, as parallel arrays: places in [0, count), any order. */
export interface SpreadSeeds {
  readonly count: number;
  readonly ordinals: Int32Array;
  /** 0–1. */
  readonly scores: Float64Array;
}

export interface SpreadOptions {
  /** Whether a memory ends in a question: what follows it answers it. */
  asks?: (ordinal: number) => boolean;
}

export interface BringOptions {
  /** Memories, at most. */
  limit: number;
  /** Those with less may be left out: they can't be among the results. Default 0. */
  minScore?: number;
  /** Limits what may be brought. */
  allow?: (ordinal: number) => boolean;
}

/** As parallel arrays in [0, count), in no order. */
export interface Brought {
  readonly count: number;
  readonly ordinals: Int32Array;
  /** 0–1. */
  readonly scores: Float64Array;
}

/** How activation came to a memory, from a direct hit. */
export interface Way {
  /** Ordinals from a direct hit to this one, both included. */
  path: number[];
  /** What links each with the next. */
  links: PathLink[];
}

/** Valid until the next spread: its arrays are used again. */
export interface SpreadResult {
  /** Of each seed, in their order, 0–1. */
  readonly seedScores: Float64Array;
  /** The strongest of what activation led to beside the seeds. */
  bring(options: BringOptions): Brought;
  /** The strongest way to a memory; null for one that nothing else led to. */
  wayTo(ordinal: number): Way | null;
}

/** Spreads activation from direct hits over connections. */
export type Spread = (seeds: SpreadSeeds, options: SpreadOptions) => SpreadResult;
