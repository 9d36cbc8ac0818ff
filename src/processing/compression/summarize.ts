/**
 * From an analysed text to its summary and keep level: makes candidates, measures them, lets the
 * gate decide. When nothing shorter may stand for the text, it is kept exactly, with the reason.
 */

import type {
  CompressionMode,
  ContentKind,
  Entity,
  KeepLevel,
  QualityVector,
} from "../../model/memory.ts";
import { gate } from "./gate.ts";
import {
  embedUnits,
  embedWindows,
  type QualityReport,
  type SourceChecker,
  type TextVectors,
} from "./quality.ts";
import { EXACT_QUALITY } from "./reconstructor.ts";
import { ownShare, type SourceAnalysis } from "./source-analysis.ts";
import {
  SummaryGenerator,
  summaryBudget,
  VERBATIM,
  VERBATIM_MAX_BYTES,
  type SummaryCandidate,
  type SummaryRequest,
  type WriterPreferences,
  type WrittenSummaries,
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

/** Entities kept beside an exact text (they are found again in it) and beside a summary alone. */
const MAX_ENTITIES = { exact: 64, summary: 1024 } as const;
/** A summary with its entities that saves less than this isn't worth the detail it costs. */
const MAX_SUMMARY_SHARE = 0.6;
/** Below this share of own words, the quoted rest may be stored nowhere else. */
const MIN_OWN_SHARE = 0.25;

/** The most certain entities, in order of first mention. */
function keptEntities(entities: readonly Entity[], limit: number): Entity[] {
  if (entities.length <= limit) return [...entities];
  const certain = new Set(
    [...entities].sort((a, b) => b.confidence - a.confidence).slice(0, limit),
  );
  return entities.filter((entity) => certain.has(entity));
}

/** Similarity by sentences must have grown by this before windows are compared again. */
const WINDOW_STEP = 0.01;

/** Summarises one analysed text. */
export async function summarize(input: SummarizeInput): Promise<SummaryOutcome> {
  const { source, sourceBytes, keep } = input;
  if (sourceBytes <= VERBATIM_MAX_BYTES || source.units.length === 0) return verbatim(input);
  if (keep === "summary") {
    const kept = await keepAsSummary(input);
    if (typeof kept !== "string") return kept;
    return { ...(await summarizeExact(input)), keepReason: kept };
  }
  return summarizeExact(input);
}

/** The text is its own summary; one without any word can't be shortened and has an empty one when it is long. */
function verbatim({ source, sourceBytes, keep }: SummarizeInput): SummaryOutcome {
  const short = sourceBytes <= VERBATIM_MAX_BYTES;
  return {
    summary: short ? source.text : "",
    model: VERBATIM,
    entities: keptEntities(source.entities, MAX_ENTITIES.exact),
    quality: short ? { ...EXACT_QUALITY } : { ...EXACT_QUALITY, similarity: null, coverage: null },
    keep: short ? keep : "exact",
    ...(!short &&
      keep === "summary" && { keepReason: "It holds no words that could be summarised" }),
  };
}

/**
 * Measures a candidate; unit vectors of extractive ones are already there. `windows` compares by
 * windows too, which costs an inference.
 */
async function measure(
  { source, checker, embedder, signal }: SummarizeInput,
  candidate: SummaryCandidate,
  entities: readonly Entity[],
  windows = false,
): Promise<QualityReport> {
  const indices = candidate.unitIndices;
  const units = indices ? indices.map((index) => source.units[index]!) : planUnits(candidate.text);
  let vectors: readonly Float32Array[] | null = null;
  if (source.vectors && indices) vectors = indices.map((index) => source.vectors![index]!);
  else if (source.vectors && embedder) vectors = await embedUnits(units, embedder, signal);
  const windowVector = windows && embedder ? await embedWindows(units, embedder, signal) : null;
  return checker.check(candidate.text, entities, units, vectors, windowVector);
}

/** A summary beside an exact text may be this much less like it than the extractive one: it reads better. */
const EXACT_SIMILARITY_SLACK = 0.1;

/** The summary beside an exact text: a writer's that says nothing unsupported, else the extractive one. */
async function summarizeExact(input: SummarizeInput): Promise<SummaryOutcome> {
  const { source, sourceBytes, generator, mode, preferences } = input;
  const entities = keptEntities(source.entities, MAX_ENTITIES.exact);
  const budgetBytes = summaryBudget(sourceBytes, mode);
  const extractive = generator.extractive({ source, budgetBytes });
  const own = await measure(input, extractive, entities);
  const outcome = (candidate: SummaryCandidate, quality: QualityVector): SummaryOutcome => ({
    summary: candidate.text,
    model: candidate.model,
    entities,
    quality,
    keep: "exact",
  });
  if (!generator.hasWriters(mode, preferences)) return outcome(extractive, own.quality);
  const written = await generator.written(requestOf(input, budgetBytes));
  let best: SummaryOutcome | null = null;
  const notes = [...written.notes];
  for (const candidate of written.candidates) {
    const { quality, evidence } = await measure(input, candidate, entities);
    const close =
      (quality.similarity ?? 1) >= (own.quality.similarity ?? 0) - EXACT_SIMILARITY_SLACK;
    const pass = quality.faithfulness === 1 && close;
    generator.judged(candidate, { pass, similarity: quality.similarity });
    if (!pass)
      notes.push(
        `The summary of ${candidate.model} was not taken: ${evidence.unsupported[0] ?? "it is less like the text than its own sentences are"}`,
      );
    else if (!best || (quality.similarity ?? 0) > (best.quality.similarity ?? 0))
      best = outcome(candidate, quality);
  }
  return { ...(best ?? outcome(extractive, own.quality)), ...reasonOf(written, notes, best) };
}

function requestOf(
  { source, kind, mode, preferences, signal }: SummarizeInput,
  budgetBytes: number,
): SummaryRequest {
  return {
    source,
    mode,
    budgetBytes,
    ...(kind && { kind }),
    ...(preferences && { preferences }),
    ...(signal && { signal }),
  };
}

/** One sentence on the model: why it was chosen, or why its summary isn't the one that is kept. */
function reasonOf(
  { route }: WrittenSummaries,
  notes: readonly string[],
  written: object | null,
): { modelReason?: string } {
  const reason = written ? route?.reason : (notes.at(-1) ?? route?.reason);
  return reason === undefined ? {} : { modelReason: reason };
}

/** The smallest summary that passes the gate, or why there is none. */
async function keepAsSummary(input: SummarizeInput): Promise<SummaryOutcome | string> {
  const { source, sourceBytes, generator, mode, preferences } = input;
  if (!source.vectors) return "Its meaning could not be compared: no embedding model is installed";
  const own = ownShare(source);
  if (own < MIN_OWN_SHARE)
    return `${Math.round((1 - own) * 100)} % of it is quoted text, which may be stored nowhere else`;
  const entities = keptEntities(source.entities, MAX_ENTITIES.summary);
  const entityBytes = entities.reduce((sum, entity) => sum + entity.text.length + 3, 0);
  const maxBytes = sourceBytes * MAX_SUMMARY_SHARE - entityBytes;
  let reason = "No summary is enough shorter than the text";
  const passes = (report: QualityReport): boolean => {
    const { pass, reasons } = gate(report.quality, mode, report.evidence);
    if (!pass) reason = reasons[0]!;
    return pass;
  };
  const outcome = (candidate: SummaryCandidate, { quality }: QualityReport): SummaryOutcome => ({
    summary: candidate.text,
    model: candidate.model,
    entities,
    quality,
    keep: "summary",
  });
  if (generator.hasWriters(mode, preferences)) {
    const budgetBytes = Math.min(maxBytes, summaryBudget(sourceBytes, mode));
    const written = await generator.written(requestOf(input, budgetBytes));
    for (const candidate of written.candidates) {
      const report = await measure(input, candidate, entities, true);
      const pass = passes(report);
      generator.judged(candidate, { pass, similarity: report.quality.similarity });
      if (pass) return { ...outcome(candidate, report), ...reasonOf(written, [], candidate) };
    }
  }
  // Quality grows with each unit: walk up until the gate opens by sentences, then ask by windows.
  let asked = 0;
  for (const candidate of generator.growing(source, maxBytes)) {
    const cheap = await measure(input, candidate, entities);
    if (!passes(cheap) || cheap.quality.similarity! < asked + WINDOW_STEP) continue;
    asked = cheap.quality.similarity!;
    const report = await measure(input, candidate, entities, true);
    if (passes(report)) return outcome(candidate, report);
  }
  return reason;
}
