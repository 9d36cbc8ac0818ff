/**
 * Whether a summary may replace its source: thresholds per mode, and the reasons in plain words.
 */

import type { CompressionMode, QualityVector } from "../../model/memory.ts";

import type { ClaimReport } from "./faithfulness.ts";

export interface GateThresholds {
  /** Must be exceeded. */
  similarity: number;
  coverage: number;
  /** Least covered part over the whole: a lead that stops half-way covers its end badly. */
  evenness: number;
  entityRecall: number;
  numberRecall: number;
  /** Always 1: nothing unsupported. */
  faithfulness: 1;
}

/** More effort buys a stricter gate. Figures: docs/decisions/0003-summary-gate.md. */
export const GATE_THRESHOLDS: Readonly<Record<CompressionMode, GateThresholds>> = {
  fast: {
    similarity: 0.85,
    coverage: 0.45,
    evenness: 0.7,
    entityRecall: 0.6,
    numberRecall: 0.6,
    faithfulness: 1,
  },
  balanced: {
    similarity: 0.88,
    coverage: 0.5,
    evenness: 0.7,
    entityRecall: 0.75,
    numberRecall: 0.75,
    faithfulness: 1,
  },
  high: {
    similarity: 0.9,
    coverage: 0.55,
    evenness: 0.75,
    entityRecall: 0.9,
    numberRecall: 0.9,
    faithfulness: 1,
  },
};

export interface GateResult {
  pass: boolean;
  /** Plain words, most important first; empty when it passes. */
  reasons: string[];
}

/** Counts behind the shares, so that a reason can say "2 of 9 names". */
export interface GateEvidence {
  nameCount: number;
  missingNames: readonly string[];
  numberCount: number;
  missingNumbers: readonly string[];
  unsupported: readonly string[];
  /** What was found out about each sentence of the summary. */
  claims?: readonly ClaimReport[];
  /** The summary is a stretch of the text, word for word: so many of its units; absent or null where it isn't. */
  excerpt?: { units: number; unitCount: number } | null;
  /** Null where vectors are missing. */
  evenness: { value: number; part: number; partCount: number } | null;
}

const percent = (value: number): string => value.toFixed(2);

function listed(items: readonly string[]): string {
  const shown = items.slice(0, 3).map((item) => `“${item}”`);
  return shown.join(", ") + (items.length > 3 ? ", …" : "");
}

/** Judges a quality vector; `evidence` makes the reasons concrete. */
export function gate(
  quality: QualityVector,
  mode: CompressionMode,
  evidence?: GateEvidence,
): GateResult {
  const limit = GATE_THRESHOLDS[mode];
  const reasons: string[] = [];
  if (quality.faithfulness < limit.faithfulness) {
    const first = evidence?.unsupported[0];
    reasons.push(
      first === undefined ? "The summary says something that the source doesn't" : first,
    );
  }
  if (evidence?.excerpt)
    reasons.push(
      `It is one stretch of the text (${evidence.excerpt.units} of ${evidence.excerpt.unitCount} sentences), not a summary of it`,
    );
  if (quality.similarity === null || quality.coverage === null)
    reasons.push("Its meaning could not be compared: no embedding model is installed");
  else {
    if (!(quality.similarity > limit.similarity))
      reasons.push(
        `Its meaning is ${percent(quality.similarity)} like the source's; above ${limit.similarity} is needed`,
      );
    if (quality.coverage < limit.coverage)
      reasons.push(
        `It covers ${percent(quality.coverage)} of the source; ${limit.coverage} is needed`,
      );
    if (evidence?.evenness && evidence.evenness.value < limit.evenness)
      reasons.push(
        `Part ${evidence.evenness.part + 1} of ${evidence.evenness.partCount} of the text is hardly in it`,
      );
  }
  if (quality.entityRecall < limit.entityRecall)
    reasons.push(
      evidence
        ? `${evidence.missingNames.length} of ${evidence.nameCount} names not in the summary: ${listed(evidence.missingNames)}`
        : `${percent(1 - quality.entityRecall)} of the names are not in the summary`,
    );
  if (quality.numberRecall < limit.numberRecall)
    reasons.push(
      evidence
        ? `${evidence.missingNumbers.length} of ${evidence.numberCount} numbers and dates not in the summary: ${listed(evidence.missingNumbers)}`
        : `${percent(1 - quality.numberRecall)} of the numbers and dates are not in the summary`,
    );
  return { pass: reasons.length === 0, reasons };
}
