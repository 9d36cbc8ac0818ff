/**
 * Proposes summaries: the extractive one, always; those of other writers (language models) where
 * they are given. Which candidate is taken is decided by the quality gate, not here.
 */

import { isAbortError, toError } from "../../errors.ts";
import type { RouteDecision } from "../../model/language-model.ts";
import type { CompressionMode, ContentKind } from "../../model/memory.ts";
import { splitSentences } from "../content/segmentation.ts";
import { fitBudget, rankUnits } from "./selection.ts";
import type { SourceAnalysis } from "./source-analysis.ts";

/** Model name of summaries made of the source's own sentences. */
export const EXTRACTIVE = "extractive";
/** Model name where the text is its own summary. */
export const VERBATIM = "verbatim";

/** Texts up to this many bytes are their own summary: there is nothing to leave out. */
export const VERBATIM_MAX_BYTES = 320;

/** What the caller wants of a language model; names as in the engine's `CompressOptions`. */
export interface WriterPreferences {
  /** "auto" lets the writer choose, "extractive" keeps all out, else a model's id. */
  model?: string;
  /** Longest that one text may be expected to take. */
  latencyBudgetMs?: number;
  /** Most that one text may be expected to cost. */
  costLimitUsd?: number;
}

export interface SummaryRequest {
  source: SourceAnalysis;
  /** What the text is, where known. */
  kind?: ContentKind;
  mode: CompressionMode;
  /** UTF-8 bytes the summary should not exceed. */
  budgetBytes: number;
  /** What the gate said about an earlier candidate, in plain words. */
  feedback?: readonly string[];
  preferences?: WriterPreferences;
  signal?: AbortSignal;
}

export interface SummaryCandidate {
  text: string;
  /** "extractive", "verbatim" or the id of the model that wrote it. */
  model: string;
  /** Ascending indices of the source's units, where it consists of them. */
  unitIndices?: number[];
  costUsd?: number;
  elapsedMs?: number;
}

export interface WrittenSummaries {
  /** Best first; empty when no model took part. */
  candidates: SummaryCandidate[];
  /** Which model was chosen and why; null when nothing was routed. */
  route: RouteDecision | null;
  /** Why a model took no part or failed, plain words. */
  notes: string[];
}

/** Something that writes summaries: language models behind a router. */
export interface SummaryWriter {
  /** Whether it might take part at this level of effort: cheap, synchronous. */
  supports(mode: CompressionMode, preferences?: WriterPreferences): boolean;
  /** Throws nothing but `AbortError`: what failed is in the notes. */
  write(request: SummaryRequest): Promise<WrittenSummaries>;
  /** Told how the gate judged one of its candidates. */
  judged?(candidate: SummaryCandidate, verdict: { pass: boolean; similarity: number | null }): void;
}

const BUDGET_FACTOR: Readonly<Record<CompressionMode, number>> = {
  fast: 8,
  balanced: 10,
  high: 12,
};

/**
 * Byte budget of the summary beside an exact text: factor × √bytes, at least 160. A 1.7 KB mail
 * gets 330 bytes in mode "fast", a 40 KB address 1,600: reading time grows slower than the text.
 */
export function summaryBudget(sourceBytes: number, mode: CompressionMode): number {
  return Math.max(160, Math.round(BUDGET_FACTOR[mode] * Math.sqrt(sourceBytes)));
}

/** What may stand between two units, the plainest first. */
const SEPARATORS = [" ", "\n", "\n\n"];

/**
 * Puts a unit behind others so that it is read as a sentence of its own: messages often end without a
 * mark, and a sentence that ends in "Inc." doesn't end before every capital.
 */
export function joinUnit(joined: string, text: string): string {
  if (joined === "") return text;
  const separator = SEPARATORS.find((between) => {
    const start = joined.length + between.length;
    return splitSentences(joined + between + text).some((span) => span.start === start);
  });
  return joined + (separator ?? SEPARATORS.at(-1)!) + text;
}

/**
 * The text of chosen units, in the source's order: each with its speaker where that changes, and
 * in quotation marks where it is quoted from somebody else. `bare` leaves out the fragments around
 * their sentences ("Thanks!").
 */
export function renderUnits(
  source: SourceAnalysis,
  indices: readonly number[],
  { bare = false }: { bare?: boolean } = {},
): string {
  let speaker: string | null = null;
  return indices
    .map((index) => {
      const unit = source.units[index]!;
      const { text } = bare ? unit.core : unit;
      if (source.quoted[index]) return `"${text}"`;
      const says = source.speakers[index] ?? null;
      const label = says !== null && says !== speaker && !text.startsWith(`${says}:`);
      speaker = says;
      return label ? `${says}: ${text}` : text;
    })
    .reduce(joinUnit, "");
}

/** The extractive candidate of chosen units (ascending). */
export function extractiveCandidate(
  source: SourceAnalysis,
  unitIndices: number[],
  options: { bare?: boolean } = {},
): SummaryCandidate {
  return { text: renderUnits(source, unitIndices, options), model: EXTRACTIVE, unitIndices };
}

/** Makes candidate summaries of one analysed source at a time. */
export class SummaryGenerator {
  readonly #writers: readonly SummaryWriter[];
  readonly #authors = new WeakMap<SummaryCandidate, SummaryWriter>();

  constructor(writers: readonly SummaryWriter[] = []) {
    this.#writers = writers;
  }

  /** Whether any writer takes part: decides if a text is worth asking them. */
  hasWriters(mode: CompressionMode, preferences?: WriterPreferences): boolean {
    return (
      preferences?.model !== EXTRACTIVE &&
      this.#writers.some((writer) => writer.supports(mode, preferences))
    );
  }

  /**
   * What the writers that take part propose, all together. A writer that breaks its promise and
   * throws becomes a note: a text is never lost to a model.
   */
  async written(request: SummaryRequest): Promise<WrittenSummaries> {
    const all: WrittenSummaries = { candidates: [], route: null, notes: [] };
    if (request.preferences?.model === EXTRACTIVE) return all;
    for (const writer of this.#writers) {
      if (!writer.supports(request.mode, request.preferences)) continue;
      try {
        const written = await writer.write(request);
        for (const candidate of written.candidates) {
          all.candidates.push(candidate);
          this.#authors.set(candidate, writer);
        }
        all.route ??= written.route;
        all.notes.push(...written.notes);
      } catch (error) {
        if (isAbortError(error)) throw error;
        all.notes.push(`A language model failed: ${toError(error).message}`);
      }
    }
    return all;
  }

  /** Passes the gate's verdict on to whoever wrote the candidate. */
  judged(candidate: SummaryCandidate, verdict: { pass: boolean; similarity: number | null }): void {
    this.#authors.get(candidate)?.judged?.(candidate, verdict);
  }

  /** The extractive summary within the budget (one unit at least). */
  extractive({
    source,
    budgetBytes,
  }: Pick<SummaryRequest, "source" | "budgetBytes">): SummaryCandidate {
    return extractiveCandidate(source, fitBudget(source.units, this.#order(source), budgetBytes));
  }

  #order(source: SourceAnalysis): number[] {
    return rankUnits({ units: source.units, vectors: source.vectors, facts: source.unitFacts });
  }
}
