/** What both ways of summarising share: their input and outcome, and how a candidate is measured. */

import type { RouteDecision } from "../../model/language-model.ts";
import type {
  CompressionMode,
  ContentKind,
  Entity,
  KeepLevel,
  QualityVector,
} from "../../model/memory.ts";
import {
  embedUnits,
  embedWindows,
  type QualityReport,
  type SourceChecker,
  type TextVectors,
} from "./quality.ts";
import type { SourceAnalysis } from "./source-analysis.ts";
import type {
  SummaryCandidate,
  SummaryGenerator,
  SummaryRequest,
  WriterPreferences,
  WrittenSummaries,
} from "./summary.ts";
import { planUnits } from "./units.ts";

export interface SummarizeInput {
  source: SourceAnalysis;
  /** UTF-8 bytes of the text. */
  sourceBytes: number;
  checker: SourceChecker;
  generator: SummaryGenerator;
  embedder: TextVectors | null;
  mode: CompressionMode;
  keep: Extract<KeepLevel, "exact" | "summary">;
  kind?: ContentKind;
  preferences?: WriterPreferences;
  signal?: AbortSignal;
  /** Filled with what was considered, for who wants to see it. */
  trace?: SummaryTrace;
}

/** A candidate with what the gate said of it. */
export interface JudgedCandidate {
  candidate: SummaryCandidate;
  quality: QualityVector;
  pass: boolean;
  reasons: string[];
}

export interface SummaryTrace {
  judged: JudgedCandidate[];
  route: RouteDecision | null;
  notes: string[];
}

export interface SummaryOutcome {
  summary: string;
  model: string;
  entities: Entity[];
  quality: QualityVector;
  keep: Extract<KeepLevel, "exact" | "summary">;
  keepReason?: string;
  /** Why this model wrote it, or why none did; absent where none was asked. */
  modelReason?: string;
}

/**
 * Measures a candidate; unit vectors of extractive ones are already there. With `windows` by both
 * readings and from its text alone, which costs inferences.
 */
export async function measureCandidate(
  { source, checker, embedder, signal }: SummarizeInput,
  candidate: SummaryCandidate,
  entities: readonly Entity[],
  windows = false,
): Promise<QualityReport> {
  // The judgement that counts is made from the text alone, as anybody would make it.
  const indices = windows ? undefined : candidate.unitIndices;
  const units = indices ? indices.map((index) => source.units[index]!) : planUnits(candidate.text);
  let vectors: readonly Float32Array[] | null = null;
  if (source.vectors && indices) vectors = indices.map((index) => source.vectors![index]!);
  else if (source.vectors && embedder) vectors = await embedUnits(units, embedder, signal);
  const windowVector =
    windows && embedder ? await embedWindows(candidate.text, embedder, signal) : null;
  return checker.check(candidate.text, entities, units, vectors, windowVector);
}

export function requestOf(
  { source, kind, mode, preferences, signal }: SummarizeInput,
  budgetBytes: number,
  feedback?: readonly string[],
): SummaryRequest {
  return {
    source,
    mode,
    budgetBytes,
    ...(kind && { kind }),
    ...(preferences && { preferences }),
    ...(feedback && { feedback }),
    ...(signal && { signal }),
  };
}

/** One sentence on the model: why it was chosen, or why its summary isn't the one that is kept. */
export function reasonOf(
  { route }: Pick<WrittenSummaries, "route">,
  notes: readonly string[],
  isWritten: boolean,
): { modelReason?: string } {
  const reason = isWritten ? route?.reason : (notes.at(-1) ?? route?.reason);
  return reason === undefined ? {} : { modelReason: reason };
}
