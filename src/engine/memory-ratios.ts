/** The three ratios, computed from stored bytes and token counts. */

import type { Ratios } from "../model/memory.ts";

/** INT8 codes and their scale, as a segment keeps them. */
export const EMBEDDING_BYTES = 388;

export interface RatioInput {
  originalBytes: number;
  storedBytes: number;
  /** Bytes of vectors and indexes that belong to it. */
  indexBytes: number;
  originalTokens: number;
  /** Tokens that recall hands to a language model: summary and entities. */
  contextTokens: number;
}

export function computeRatios(input: RatioInput): Ratios {
  const { originalBytes, storedBytes, indexBytes } = input;
  return {
    originalBytes,
    storedBytes,
    storedRatio: ratio(originalBytes, storedBytes),
    totalRatio: ratio(originalBytes, storedBytes + indexBytes),
    contextRatio: ratio(input.originalTokens, input.contextTokens),
  };
}

/** 1 where there is nothing to compare. */
function ratio(original: number, kept: number): number {
  return original === 0 || kept === 0 ? 1 : original / kept;
}
