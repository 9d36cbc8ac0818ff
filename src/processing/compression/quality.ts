/**
 * What a summary keeps of its source, measured: similarity, coverage, entity and number recall,
 * faithfulness. Works for any summary, extractive or written by a model.
 *
 * Last step before the gate. Vectors come from the embedder it is given; units that the source and
 * an extractive summary share are the same strings, so their vectors are computed once.
 */

import type { CompressionMode, ContentKind, Entity, QualityVector } from "../../model/memory.ts";
import { cosineSimilarity } from "../../model/vector.ts";
import { splitSentences } from "../content/segmentation.ts";
import type { EntityExtractor } from "./entities.ts";
import { isNumericEntity } from "./entity-key.ts";
import { FaithfulnessChecker, type ClaimReport } from "./faithfulness.ts";
import { gate, type GateEvidence, type GateResult } from "./gate.ts";
import { MentionIndex } from "./mentions.ts";
import { compareUnits, pooledWindows, unitVector } from "./similarity.ts";
import { correspondents, speakersAt } from "./speakers.ts";
import { analyzeSource, type ForeignSpans, type SourceAnalysis } from "./source-analysis.ts";
import { cleanSlice, planUnits, textWindows, type TextUnit } from "./units.ts";

/** The part of an embedder that compression needs: one unit vector per text. */
export interface TextVectors {
  embed(texts: readonly string[], options?: { signal?: AbortSignal }): Promise<Float32Array[]>;
}

export interface QualityReport {
  quality: QualityVector;
  evidence: GateEvidence;
}

export interface EvaluateInput {
  source: string;
  summary: string;
  /** What is kept beside the summary. */
  entities: readonly Entity[];
  /** What the source is, where known. */
  kind?: ContentKind;
  signal?: AbortSignal;
}

const QUOTE_MARKER = /[>|]/;

const round = (value: number): number => Math.round(value * 1e4) / 1e4;

/** Vectors of units: all pieces in one call, pooled per unit. */
export async function embedUnits(
  units: readonly TextUnit[],
  embedder: TextVectors,
  signal?: AbortSignal,
): Promise<Float32Array[]> {
  const pieces = units.flatMap((unit) => unit.pieces);
  if (pieces.length === 0) return [];
  const vectors = await embedder.embed(pieces, signal ? { signal } : {});
  let at = 0;
  return units.map((unit) => unitVector(unit, vectors.slice(at, (at += unit.pieces.length))));
}

/** An excerpt has at least so many units, or fewer where its last one is cut off, of a text of so many. */
const EXCERPT_UNITS = 3;
const CUT_EXCERPT_UNITS = 2;
const EXCERPT_SOURCE_UNITS = 5;
/** Nearly the whole text is no excerpt. */
const WHOLE_SHARE = 0.9;

/** Whether a summary of several sentences is the beginning of its text, wherever it was cut. */
function opensWith(text: string, summary: string): boolean {
  const whole = cleanSlice(text, { start: 0, end: text.length });
  const said = cleanSlice(summary, { start: 0, end: summary.length });
  return (
    said.length < whole.length * WHOLE_SHARE &&
    planUnits(summary).length >= CUT_EXCERPT_UNITS &&
    whole.startsWith(said)
  );
}

/** Whether a summary is one stretch of its source, word for word, whatever its last sentence was cut to. */
function excerptOf(
  source: readonly TextUnit[],
  summary: readonly TextUnit[],
): { units: number; unitCount: number } | null {
  const unitCount = source.length;
  const units = summary.length;
  if (units < CUT_EXCERPT_UNITS || units >= unitCount * WHOLE_SHARE) return null;
  const first = source.findIndex(({ text }) => text === summary[0]!.text);
  if (first < 0) return null;
  if (summary.slice(0, -1).some(({ text }, i) => source[first + i]?.text !== text)) return null;
  const last = source[first + units - 1];
  const said = summary.at(-1)!.text;
  if (!last?.text.startsWith(said.replace(/[\s.…]+$/u, ""))) return null;
  const isCut = last.text.length > said.length + 1;
  const least = isCut ? CUT_EXCERPT_UNITS : EXCERPT_UNITS;
  return units >= least && (isCut || unitCount >= EXCERPT_SOURCE_UNITS)
    ? { units, unitCount }
    : null;
}

/** Pooled vector of the windows of a whole text; null for one without words. */
export async function embedWindows(
  text: string,
  embedder: TextVectors,
  signal?: AbortSignal,
): Promise<Float32Array | null> {
  const windows = textWindows(text);
  if (windows.length === 0) return null;
  return pooledWindows(windows, await embedder.embed(windows, signal ? { signal } : {}));
}

/** Checks summaries against one analysed source; keeps the alignment index between them. */
export class SourceChecker {
  readonly #analysis: SourceAnalysis;
  #faithfulness: FaithfulnessChecker | undefined;

  constructor(analysis: SourceAnalysis) {
    this.#analysis = analysis;
  }

  /**
   * Null `summaryVectors` leave similarity unmeasured. With the window vectors of both sides,
   * similarity is the lower of the two readings: by sentences, and by windows of 256 tokens.
   */
  check(
    summary: string,
    entities: readonly Entity[],
    summaryUnits: readonly TextUnit[],
    summaryVectors: readonly Float32Array[] | null,
    summaryWindowVector: Float32Array | null = null,
  ): QualityReport {
    const { units, vectors, windowVector } = this.#analysis;
    const named = new MentionIndex([summary, ...entities.map((entity) => entity.text)]);
    const missingNames: string[] = [];
    const missingNumbers: string[] = [];
    let nameCount = 0;
    let numberCount = 0;
    for (const entity of this.#analysis.entities) {
      const numeric = isNumericEntity(entity.type);
      if (numeric) numberCount++;
      else nameCount++;
      if (!named.names(entity)) (numeric ? missingNumbers : missingNames).push(entity.text);
    }
    const faithfulness = this.#checker().check(this.#claims(summaryUnits));
    const measured =
      vectors && summaryVectors
        ? compareUnits({ units, vectors }, { units: summaryUnits, vectors: summaryVectors })
        : null;
    const windows =
      windowVector && summaryWindowVector ? cosineSimilarity(windowVector, summaryWindowVector) : 1;
    return {
      quality: {
        similarity: measured && round(Math.max(0, Math.min(measured.similarity, windows))),
        coverage: measured && round(measured.coverage),
        entityRecall: nameCount === 0 ? 1 : round(1 - missingNames.length / nameCount),
        numberRecall: numberCount === 0 ? 1 : round(1 - missingNumbers.length / numberCount),
        // Rounded down: 1 means that nothing at all is unsupported.
        faithfulness: Math.floor(faithfulness.score * 1e4) / 1e4,
      },
      evidence: {
        nameCount,
        missingNames,
        numberCount,
        missingNumbers,
        unsupported: faithfulness.unsupported,
        claims: faithfulness.sentences,
        excerpt: opensWith(this.#analysis.text, summary)
          ? { units: summaryUnits.length, unitCount: units.length }
          : excerptOf(units, summaryUnits),
        evenness: measured && { value: measured.evenness, ...measured.leastCovered },
      },
    };
  }

  /** Which source sentences stand for each sentence of a summary; indices are those of the analysis' sentences. */
  link(sentences: readonly string[]): ClaimReport[] {
    return this.#checker().check(sentences).sentences;
  }

  #checker(): FaithfulnessChecker {
    if (this.#faithfulness) return this.#faithfulness;
    const { text, sentences, units, turns } = this.#analysis;
    const speakers = speakersAt(
      turns,
      sentences.map((span) => span.start),
    );
    const letter = turns.length === 0 ? correspondents(text) : { author: null, addressee: null };
    const sources = sentences.map((span, i) => ({
      text: cleanSlice(text, span),
      speaker: speakers[i] ?? null,
      ...(QUOTE_MARKER.test(text.slice(text.lastIndexOf("\n", span.start) + 1, span.start))
        ? {}
        : letter),
    }));
    let next = 0;
    const verbatim = units.flatMap((unit, i) => {
      while (next + 1 < sentences.length && sentences[next]!.end <= unit.core.start) next++;
      const speaker = this.#analysis.speakers[i] ?? null;
      return [unit.text, unit.core.text].map((said) => ({ text: said, speaker, index: next }));
    });
    const unlabelled = sources.flatMap(({ text: said, speaker }, index) =>
      speaker !== null && said.startsWith(`${speaker}: `)
        ? [{ text: said.slice(speaker.length + 2), speaker, index }]
        : [],
    );
    const namesOf = (wanted: Entity["type"]): string[] =>
      this.#analysis.entities.flatMap(({ type, text: name }) => (type === wanted ? [name] : []));
    this.#faithfulness = new FaithfulnessChecker(sources, [...verbatim, ...unlabelled], {
      persons: namesOf("person"),
      places: namesOf("place"),
      organizations: namesOf("organization"),
    });
    return this.#faithfulness;
  }

  /** A unit taken whole is one claim; anything else is checked sentence by sentence. */
  #claims(summaryUnits: readonly TextUnit[]): string[] {
    const known = new Set(this.#analysis.units.flatMap((unit) => [unit.text, unit.core.text]));
    return summaryUnits.flatMap((unit) =>
      known.has(unit.text)
        ? [unit.text]
        : splitSentences(unit.text).map((span) => cleanSlice(unit.text, span)),
    );
  }
}

/** Measures summaries against their sources. */
export class QualityEvaluator {
  readonly #extractor: EntityExtractor;
  readonly #foreignSpans: ForeignSpans;
  readonly #embedder: TextVectors | null;

  constructor(
    extractor: EntityExtractor,
    foreignSpans: ForeignSpans,
    embedder: TextVectors | null,
  ) {
    this.#extractor = extractor;
    this.#foreignSpans = foreignSpans;
    this.#embedder = embedder;
  }

  /** Measures one pair from the texts alone. `similarity` and `coverage` are null without an embedder. */
  async evaluate({
    source,
    summary,
    entities,
    kind,
    signal,
  }: EvaluateInput): Promise<QualityReport> {
    const analysis = analyzeSource(source, this.#extractor, this.#foreignSpans, kind, {
      withQuotes: true,
    });
    const units = planUnits(summary);
    const checker = new SourceChecker(analysis);
    if (!this.#embedder) return checker.check(summary, entities, units, null);
    analysis.vectors = await embedUnits(analysis.units, this.#embedder, signal);
    analysis.windowVector = await embedWindows(source, this.#embedder, signal);
    const vectors = await embedUnits(units, this.#embedder, signal);
    const windowVector = await embedWindows(summary, this.#embedder, signal);
    return checker.check(summary, entities, units, vectors, windowVector);
  }

  /** `evaluate`, then the gate of a mode. */
  async judge(
    input: EvaluateInput & { mode: CompressionMode },
  ): Promise<QualityReport & GateResult> {
    const report = await this.evaluate(input);
    return { ...report, ...gate(report.quality, input.mode, report.evidence) };
  }
}
