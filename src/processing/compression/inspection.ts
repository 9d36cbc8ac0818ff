/**
 * A summary laid open: its verdict, and for each of its sentences where the source says so. For
 * anyone's summary (`inspectSummary`), and for all candidates that a compression made (`inspectCandidates`).
 */

import type { Comparison, Evaluation, SentenceLink, TextRange } from "../../model/comparison.ts";
import type { CompressionMode, ContentKind, Entity } from "../../model/memory.ts";
import { dotProduct } from "../../model/vector.ts";
import { splitSentences } from "../content/segmentation.ts";
import { loadZstd } from "../../storage/zstd.ts";
import type { EntityExtractor } from "./entities.ts";
import { gate } from "./gate.ts";
import { MentionIndex } from "./mentions.ts";
import { embedUnits, embedWindows, SourceChecker, type TextVectors } from "./quality.ts";
import { analyzeSource, type ForeignSpans, type SourceAnalysis } from "./source-analysis.ts";
import type { SummaryGenerator, WriterPreferences } from "./summary.ts";
import type { JudgedCandidate, SummaryTrace } from "./summarize-steps.ts";
import { summarize } from "./summarize.ts";
import { cleanSlice, planUnits } from "./units.ts";

/** What judging needs of a compressor. */
export interface InspectionParts {
  extractor: EntityExtractor;
  foreignSpans: ForeignSpans;
  embedder: TextVectors | null;
  generator: SummaryGenerator;
}

export interface InspectSummaryInput {
  original: string;
  summary: string;
  entities?: readonly Entity[];
  mode: CompressionMode;
  kind?: ContentKind;
  signal?: AbortSignal;
}

/** A sentence of the source that is less like the nearest of the summary is dropped. */
const STANDS_FOR = 0.55;
const LINK_SENTENCES = 3;
const utf8 = new TextEncoder();

async function readSource(
  { extractor, foreignSpans, embedder }: InspectionParts,
  text: string,
  kind: ContentKind | undefined,
  signal: AbortSignal | undefined,
  withQuotes = true,
): Promise<SourceAnalysis> {
  const source = analyzeSource(text, extractor, foreignSpans, kind, { withQuotes });
  if (embedder) {
    source.vectors = await embedUnits(source.units, embedder, signal);
    source.windowVector = await embedWindows(text, embedder, signal);
  }
  return source;
}

/** Where each sentence of a summary comes from. */
export function linkSentences(
  summary: string,
  source: SourceAnalysis,
  checker: SourceChecker,
): SentenceLink[] {
  const spans = splitSentences(summary).filter(({ start, end }) =>
    /[\p{L}\p{N}]/u.test(summary.slice(start, end)),
  );
  const claims = checker.link(spans.map((span) => cleanSlice(summary, span)));
  return claims.map((claim, i) => ({
    range: { start: spans[i]!.start, end: spans[i]!.end },
    sources: claim.sources.slice(0, LINK_SENTENCES).flatMap(({ index, score }) => {
      const sentence = source.sentences[index];
      return sentence ? [{ start: sentence.start, end: sentence.end, score }] : [];
    }),
    verbatim: claim.verbatim,
    problems: claim.problems,
  }));
}

/** Judges a summary by the gate of a mode; without an embedder its meaning counts as not compared. */
export async function inspectSummary(
  parts: InspectionParts,
  { original, summary, entities = [], mode, kind, signal }: InspectSummaryInput,
): Promise<Evaluation> {
  const { embedder } = parts;
  const source = await readSource(parts, original, kind, signal);
  const checker = new SourceChecker(source);
  const units = planUnits(summary);
  const { quality, evidence } = checker.check(
    summary,
    entities,
    units,
    embedder ? await embedUnits(units, embedder, signal) : null,
    embedder ? await embedWindows(summary, embedder, signal) : null,
  );
  const { pass, reasons } = gate(quality, mode, evidence);
  return {
    verdict: pass ? "pass" : "fail",
    reasons,
    mode,
    quality,
    missingNames: [...evidence.missingNames],
    missingNumbers: [...evidence.missingNumbers],
    unsupported: [...evidence.unsupported],
    originalBytes: utf8.encode(original).length,
    summaryBytes: utf8.encode(summary).length,
    links: linkSentences(summary, source, checker),
  };
}

export interface InspectCandidatesInput {
  text: string;
  mode: CompressionMode;
  keep: "exact" | "summary";
  kind?: ContentKind;
  preferences?: WriterPreferences;
  signal?: AbortSignal;
}

/** Summarises a text as compression would and shows every candidate with its verdict. Stores nothing. */
export async function inspectCandidates(
  parts: InspectionParts,
  { text, mode, keep, kind, preferences, signal }: InspectCandidatesInput,
): Promise<Comparison> {
  const source = await readSource(parts, text, kind, signal, keep === "summary");
  const checker = new SourceChecker(source);
  const trace: SummaryTrace = { judged: [], route: null, notes: [] };
  const originalBytes = utf8.encode(text).length;
  const outcome = await summarize({
    source,
    sourceBytes: originalBytes,
    checker,
    generator: parts.generator,
    embedder: parts.embedder,
    mode,
    keep,
    trace,
    ...(kind && { kind }),
    ...(preferences && { preferences }),
    ...(signal && { signal }),
  });
  const judged = [...trace.judged];
  if (!judged.some(({ candidate }) => candidate.text === outcome.summary))
    judged.push({
      candidate: { text: outcome.summary, model: outcome.model },
      quality: outcome.quality,
      pass: true,
      reasons: [],
    });
  const named = new MentionIndex([
    outcome.summary,
    ...outcome.entities.map((entity) => entity.text),
  ]);
  return {
    original: text,
    mode,
    keep: outcome.keep,
    ...(outcome.keepReason !== undefined && { keepReason: outcome.keepReason }),
    candidates: judged.map((one) => ({
      ...viewOf(one, source, checker),
      chosen: one.candidate.text === outcome.summary,
    })),
    route: trace.route,
    notes: trace.notes,
    entities: outcome.entities,
    droppedEntities: source.entities.filter((entity) => !named.names(entity)),
    droppedRanges: await droppedRanges(outcome.summary, source, checker, parts.embedder, signal),
    foreignRanges: source.excluded.map(({ start, end }) => ({ start, end })),
    originalBytes,
    summaryBytes: await packedBytes(outcome.summary, outcome.entities),
  };
}

function viewOf(
  { candidate, quality, pass, reasons }: JudgedCandidate,
  source: SourceAnalysis,
  checker: SourceChecker,
): Omit<Comparison["candidates"][number], "chosen"> {
  return {
    text: candidate.text,
    model: candidate.model,
    verdict: pass ? "pass" : "fail",
    reasons,
    quality,
    bytes: utf8.encode(candidate.text).length,
    links: linkSentences(candidate.text, source, checker),
    elapsedMs: candidate.elapsedMs ?? 0,
    costUsd: candidate.costUsd ?? 0,
  };
}

/** Units of the source that no sentence of the summary is linked to or means about the same as. */
async function droppedRanges(
  summary: string,
  source: SourceAnalysis,
  checker: SourceChecker,
  embedder: TextVectors | null,
  signal: AbortSignal | undefined,
): Promise<TextRange[]> {
  const linked = linkSentences(summary, source, checker).flatMap(({ sources }) => sources);
  const vectors =
    source.vectors && embedder ? await embedUnits(planUnits(summary), embedder, signal) : [];
  return source.units.flatMap(({ start, end, core }, i) => {
    const isLinked = linked.some((range) => range.start < core.end && core.start < range.end);
    const own = source.vectors?.[i];
    const isMeant =
      own !== undefined && vectors.some((vector) => dotProduct(own, vector) >= STANDS_FOR);
    return isLinked || isMeant ? [] : [{ start, end }];
  });
}

async function packedBytes(summary: string, entities: readonly Entity[]): Promise<number> {
  const zstd = await loadZstd();
  const text = [summary, ...entities.map((entity) => entity.text)].join("\n");
  return zstd.compress(utf8.encode(text), 19).length;
}
