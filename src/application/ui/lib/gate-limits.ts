/** What the quality gate asks of each measure, for the bars that show how near a summary came. */

import type { CompressionMode, QualityVector } from "../../../model/memory.ts";
import { GATE_THRESHOLDS } from "../../../processing/compression/gate.ts";

export type GateLimits = Readonly<Record<keyof QualityVector, number>>;

export function gateLimits(mode: CompressionMode): GateLimits {
  const { similarity, coverage, entityRecall, numberRecall, faithfulness } = GATE_THRESHOLDS[mode];
  return { similarity, coverage, entityRecall, numberRecall, faithfulness };
}

/** Whether one measure is enough; null where it was not measured. Similarity must exceed its limit. */
export function meetsLimit(
  key: keyof QualityVector,
  value: number | null,
  limit: number,
): boolean | null {
  if (value === null) return null;
  return key === "similarity" ? value > limit : value >= limit;
}
