/**
 * Which segments are merged: as in log-structured merging, runs of the last ones of about the same
 * size, so that a word is written anew once per size class (O'Neil et al., "The Log-Structured Merge-Tree", 1996).
 */

import type { Segment } from "./segment.ts";

/** A run of as many segments of about the same size becomes one. */
const FAN_IN = 4;
/** Segments of fewer words are of the lowest size class. */
const SMALLEST_TOKENS = 2048;
/** So many segments of one size are merged at once, even when nothing has let the background run. */
export const MAX_RUN = 8 * FAN_IN;

/**
 * The last segments down to where larger ones begin, when enough of them are of the largest size class
 * among them; of several such ends the shortest. Null: nothing is to be merged. Files end a run.
 */
export function chooseRun<P extends { segment: Segment }>(
  parts: readonly P[],
  isFile: (part: P) => boolean,
): P[] | null {
  let level = -1;
  let ofLevel = 0;
  for (let from = parts.length - 1; from >= -1; from--) {
    const part = from < 0 ? null : parts[from]!;
    const isEnd = part === null || isFile(part);
    const own = isEnd ? Infinity : levelOf(part.segment);
    if (own > level) {
      if (ofLevel >= FAN_IN) return parts.slice(from + 1);
      if (isEnd) return null;
      level = own;
      ofLevel = 0;
    }
    if (own === level) ofLevel++;
  }
  return null;
}

/** Size class of a segment: each is `FAN_IN` times the one before. */
function levelOf({ tokens }: Segment): number {
  return tokens < SMALLEST_TOKENS
    ? 0
    : 1 + Math.floor(Math.log(tokens / SMALLEST_TOKENS) / Math.log(FAN_IN));
}
