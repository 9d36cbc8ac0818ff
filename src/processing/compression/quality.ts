/**
 * What a summary keeps of its source, measured: similarity, coverage, entity and number recall,
 * faithfulness. Works for any summary, extractive or written by a model.
 *
 * Last step before the gate. Vectors come from the embedder it is given; units that the source and
 * an extractive summary share are the same strings, so their vectors are computed once.
 */

import type { CompressionMode, Entity, QualityVector } from "../../model/memory.ts";
import { cosineSimilarity } from "../../model/vector.ts";
import { splitSentences } from "../content/segmentation.ts";
import type { EntityExtractor } from "./entities.ts";
import { entityKey, isNumericEntity } from "./entity-key.ts";
import { FaithfulnessChecker } from "./faithfulness.ts";
import { gate, type GateEvidence, type GateResult } from "./gate.ts";
import { compareUnits, pooledWindows, unitVector } from "./similarity.ts";
import { analyzeSource, type ForeignSpans, type SourceAnalysis } from "./source-analysis.ts";
import { cleanSlice, planUnits, unitWindows, type TextUnit } from "./units.ts";

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
  entities: readonly Entity[];
  signal?: AbortSignal;
}

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

/** Pooled vector of the windows of units' text. */
export async function embedWindows(
  units: readonly TextUnit[],
  embedder: TextVectors,
  signal?: AbortSignal,
): Promise<Float32Array | null> {
  const windows = unitWindows(units);
  if (windows.length === 0) return null;
  return pooledWindows(windows, await embedder.embed(windows, signal ? { signal } : {}));
}

/** Folds case and white space, for "is this entity mentioned". */
function haystack(summary: string, entities: readonly Entity[]): string {
  return ` ${[summary, ...entities.map((entity) => entity.text)].map(entityKey).join(" \n ")} `;
}

function isMentioned(key: string, hay: string): boolean {
  for (let at = hay.indexOf(key); at >= 0; at = hay.indexOf(key, at + 1)) {
    const before = hay[at - 1] ?? " ";
    const after = hay[at + key.length] ?? " ";
    if (!/[\p{L}\p{N}]/u.test(before) && !/[\p{L}\p{N}]/u.test(after)) return true;
  }
  return false;
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
    const { text, sentences, units, vectors, windowVector } = this.#analysis;
    const hay = haystack(summary, entities);
    const missingNames: string[] = [];
    const missingNumbers: string[] = [];
    let nameCount = 0;
    let numberCount = 0;
    for (const entity of this.#analysis.entities) {
      const numeric = isNumericEntity(entity.type);
      if (numeric) numberCount++;
      else nameCount++;
      if (!isMentioned(entityKey(entity.text), hay))
        (numeric ? missingNumbers : missingNames).push(entity.text);
    }
    this.#faithfulness ??= new FaithfulnessChecker(
      sentences.map((span) => cleanSlice(text, span)),
      units.map((unit) => unit.text),
    );
    // A unit taken whole is one claim; anything else is checked sentence by sentence.
    const known = new Set(units.map((unit) => unit.text));
    const claims = summaryUnits.flatMap((unit) =>
      known.has(unit.text)
        ? [unit.text]
        : splitSentences(unit.text).map((span) => cleanSlice(unit.text, span)),
    );
    const faithfulness = this.#faithfulness.check(claims);
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
        evenness: measured && { value: measured.evenness, ...measured.leastCovered },
      },
    };
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
  async evaluate({ source, summary, entities, signal }: EvaluateInput): Promise<QualityReport> {
    const analysis = analyzeSource(source, this.#extractor, this.#foreignSpans);
    const units = planUnits(summary);
    const checker = new SourceChecker(analysis);
    if (!this.#embedder) return checker.check(summary, entities, units, null);
    analysis.vectors = await embedUnits(analysis.units, this.#embedder, signal);
    analysis.windowVector = await embedWindows(analysis.units, this.#embedder, signal);
    const vectors = await embedUnits(units, this.#embedder, signal);
    const windowVector = await embedWindows(units, this.#embedder, signal);
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
