/**
 * Proposes summaries: the extractive one, always; those of other writers (language models) where
 * they are given. Which candidate is taken is decided by the quality gate, not here.
 */

import type { CompressionMode } from "../../model/memory.ts";
import { fitBudget, rankUnits } from "./selection.ts";
import type { SourceAnalysis } from "./source-analysis.ts";
import type { TextUnit } from "./units.ts";

/** Model name of summaries made of the source's own sentences. */
export const EXTRACTIVE = "extractive";
/** Model name where the text is its own summary. */
export const VERBATIM = "verbatim";

/** Texts up to this many bytes are their own summary: there is nothing to leave out. */
export const VERBATIM_MAX_BYTES = 320;

export interface SummaryCandidate {
  text: string;
  /** "extractive", "verbatim" or the name of the model that wrote it. */
  model: string;
  /** Ascending indices of the source's units, where it consists of them. */
  unitIndices?: number[];
}

export interface SummaryRequest {
  source: SourceAnalysis;
  mode: CompressionMode;
  /** UTF-8 bytes the summary should not exceed. */
  budgetBytes: number;
  /** What the gate said about an earlier candidate. */
  feedback?: readonly string[];
  signal?: AbortSignal;
}

/** Something that writes summaries: a language model behind a prompt. */
export interface SummaryWriter {
  readonly model: string;
  /** Whether it takes part at this level of effort. */
  supports(mode: CompressionMode): boolean;
  /** One or more candidates, best first. */
  write(request: SummaryRequest): Promise<SummaryCandidate[]>;
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

/** The text of chosen units, in the source's order. */
export function renderUnits(units: readonly TextUnit[], indices: readonly number[]): string {
  return indices.map((index) => units[index]!.text).join(" ");
}

function candidateOf(source: SourceAnalysis, unitIndices: number[]): SummaryCandidate {
  return { text: renderUnits(source.units, unitIndices), model: EXTRACTIVE, unitIndices };
}

/** Makes candidate summaries of one analysed source at a time. */
export class SummaryGenerator {
  readonly #writers: readonly SummaryWriter[];

  constructor(writers: readonly SummaryWriter[] = []) {
    this.#writers = writers;
  }

  /** Candidates within the budget: those of the writers that take part, then the extractive one. */
  async *candidates(request: SummaryRequest): AsyncGenerator<SummaryCandidate> {
    for (const writer of this.#writers)
      if (writer.supports(request.mode)) yield* await writer.write(request);
    yield this.extractive(request);
  }

  hasWriters(mode: CompressionMode): boolean {
    return this.#writers.some((writer) => writer.supports(mode));
  }

  /** The extractive summary within the budget (one unit at least). */
  extractive({
    source,
    budgetBytes,
  }: Pick<SummaryRequest, "source" | "budgetBytes">): SummaryCandidate {
    return candidateOf(source, fitBudget(source.units, this.#order(source), budgetBytes));
  }

  /**
   * Extractive summaries of growing size, one unit more each time, until `maxBytes`: what the
   * search for the smallest passing one walks along.
   */
  *growing(source: SourceAnalysis, maxBytes: number): Generator<SummaryCandidate> {
    const encoder = new TextEncoder();
    const chosen: number[] = [];
    let bytes = 0;
    for (const index of this.#order(source)) {
      const size = encoder.encode(source.units[index]!.text).length + 1;
      if (bytes + size > maxBytes) continue;
      bytes += size;
      chosen.push(index);
      yield candidateOf(
        source,
        chosen.toSorted((a, b) => a - b),
      );
    }
  }

  #order(source: SourceAnalysis): number[] {
    return rankUnits({ units: source.units, vectors: source.vectors, facts: source.unitFacts });
  }
}
