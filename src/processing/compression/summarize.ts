/**
 * From an analysed text to its summary and keep level: makes candidates, measures them, lets the
 * gate decide. When nothing shorter may stand for the text, it is kept exactly, with the reason.
 */

import type { QualityVector } from "../../model/memory.ts";
import { entitiesBesideExact } from "./kept-entities.ts";
import { EXACT_QUALITY } from "./reconstructor.ts";
import {
  measureCandidate,
  reasonOf,
  requestOf,
  type SummarizeInput,
  type SummaryOutcome,
} from "./summarize-steps.ts";
import { summaryBudget, VERBATIM, VERBATIM_MAX_BYTES, type SummaryCandidate } from "./summary.ts";
import { replaceBySummary } from "./summary-ladder.ts";

export type { SummarizeInput, SummaryOutcome } from "./summarize-steps.ts";

/** Summarises one analysed text. */
export async function summarize(input: SummarizeInput): Promise<SummaryOutcome> {
  const { source, sourceBytes, keep } = input;
  if (sourceBytes <= VERBATIM_MAX_BYTES || source.units.length === 0) return verbatim(input);
  if (keep === "summary") {
    const kept = await replaceBySummary(input);
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
    entities: entitiesBesideExact(source.entities),
    quality: short ? { ...EXACT_QUALITY } : { ...EXACT_QUALITY, similarity: null, coverage: null },
    keep: short ? keep : "exact",
    ...(!short &&
      keep === "summary" && { keepReason: "It holds no words that could be summarised" }),
  };
}

/** A summary beside an exact text may be this much less like it than the extractive one: it reads better. */
const EXACT_SIMILARITY_SLACK = 0.1;

/** The summary beside an exact text: a writer's that says nothing unsupported, else the extractive one. */
async function summarizeExact(input: SummarizeInput): Promise<SummaryOutcome> {
  const { source, sourceBytes, generator, mode, preferences } = input;
  const entities = entitiesBesideExact(source.entities);
  const budgetBytes = summaryBudget(sourceBytes, mode);
  const extractive = generator.extractive({ source, budgetBytes });
  const own = await measureCandidate(input, extractive, entities);
  const outcome = (candidate: SummaryCandidate, quality: QualityVector): SummaryOutcome => ({
    summary: candidate.text,
    model: candidate.model,
    entities,
    quality,
    keep: "exact",
  });
  const { trace } = input;
  const isFaithful = own.quality.faithfulness === 1;
  trace?.judged.push({
    candidate: extractive,
    quality: own.quality,
    pass: isFaithful,
    reasons: isFaithful ? [] : [...own.evidence.unsupported],
  });
  if (!generator.hasWriters(mode, preferences)) return outcome(extractive, own.quality);
  const written = await generator.written(requestOf(input, budgetBytes));
  let best: SummaryOutcome | null = null;
  const notes = [...written.notes];
  for (const candidate of written.candidates) {
    const { quality, evidence } = await measureCandidate(input, candidate, entities);
    const close =
      (quality.similarity ?? 1) >= (own.quality.similarity ?? 0) - EXACT_SIMILARITY_SLACK;
    const pass = quality.faithfulness === 1 && close;
    generator.judged(candidate, { pass, similarity: quality.similarity });
    const reasons = pass
      ? []
      : [evidence.unsupported[0] ?? "It is less like the text than the text's own sentences are"];
    trace?.judged.push({ candidate, quality, pass, reasons });
    if (!pass) notes.push(`The summary of ${candidate.model} was not taken: ${reasons[0]!}`);
    else if (!best || (quality.similarity ?? 0) > (best.quality.similarity ?? 0))
      best = outcome(candidate, quality);
  }
  return {
    ...(best ?? outcome(extractive, own.quality)),
    ...reasonOf(written, notes, best !== null),
  };
}
