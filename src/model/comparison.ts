/** A text beside what a compression made of it: candidates, verdicts, and which sentence comes from where. */

import type { RouteDecision } from "./language-model.ts";
import type { CompressionMode, Entity, KeepLevel, QualityVector } from "./memory.ts";

/** Half-open range of UTF-16 offsets. */
export interface TextRange {
  start: number;
  end: number;
}

/** One sentence of a summary and where its source says so. */
export interface SentenceLink {
  /** In the summary. */
  range: TextRange;
  /** In the original, best first; empty when nothing supports it. */
  sources: (TextRange & { score: number })[];
  /** Word for word. */
  verbatim: boolean;
  /** What in it is unsupported, in plain words. */
  problems: string[];
}

export interface Verdict {
  verdict: "pass" | "fail";
  /** Plain words, most important first; empty when it passes. */
  reasons: string[];
}

/** The judgement of one summary against one original, by the gate of a mode. */
export interface Evaluation extends Verdict {
  mode: CompressionMode;
  quality: QualityVector;
  missingNames: string[];
  missingNumbers: string[];
  unsupported: string[];
  originalBytes: number;
  summaryBytes: number;
  links: SentenceLink[];
}

export interface SummaryCandidateView extends Verdict {
  text: string;
  /** "extractive" or the id of the model that wrote it. */
  model: string;
  quality: QualityVector;
  /** UTF-8. */
  bytes: number;
  chosen: boolean;
  links: SentenceLink[];
  elapsedMs: number;
  costUsd: number;
}

export interface Comparison {
  original: string;
  mode: CompressionMode;
  keep: KeepLevel;
  /** Why `summary` was asked and `exact` was kept. */
  keepReason?: string;
  candidates: SummaryCandidateView[];
  /** Why this model, or none. */
  route: RouteDecision | null;
  /** Why candidates are missing: a model that failed, a budget that is used up. */
  notes: string[];
  entities: Entity[];
  /** Entities of the original that neither the chosen summary nor `entities` names. */
  droppedEntities: Entity[];
  /** Sentences of the original that nothing in the chosen summary stands for. */
  droppedRanges: TextRange[];
  /** Quotes, signatures and footers: not part of what is summarised. */
  foreignRanges: TextRange[];
  originalBytes: number;
  /** Summary and entities of the chosen candidate, ZSTD-compressed by themselves. */
  summaryBytes: number;
}
