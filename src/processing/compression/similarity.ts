/**
 * How alike the units of a text are: cosines of their vectors, or of tf-idf word weights where no
 * embedding model is there. Everything that compares units asks this.
 */

import { cosineSimilarity, dotProduct, weightedMeanVector } from "../../model/vector.ts";
import { STOP_WORDS, stemWord } from "./facts.ts";
import { isInformative } from "./pleasantries.ts";
import type { TextUnit } from "./units.ts";

/** Similarity of unit i of one list to unit j of another, 0–1. */
export type UnitSimilarity = (i: number, j: number) => number;

const WORDS = /[\p{L}\p{M}\p{N}]+/gu;

/** Unit-length tf-idf weights per text, document frequencies over the texts given. */
export function lexicalVectors(texts: readonly string[]): Map<string, number>[] {
  const counts = texts.map((text) => {
    const terms = new Map<string, number>();
    for (const [word] of text.toLowerCase().matchAll(WORDS)) {
      if (STOP_WORDS.has(word)) continue;
      const stem = stemWord(word);
      terms.set(stem, (terms.get(stem) ?? 0) + 1);
    }
    return terms;
  });
  const frequency = new Map<string, number>();
  for (const terms of counts)
    for (const term of terms.keys()) frequency.set(term, (frequency.get(term) ?? 0) + 1);
  return counts.map((terms) => {
    let norm = 0;
    for (const [term, count] of terms) {
      const weight = (1 + Math.log(count)) * Math.log(1 + texts.length / frequency.get(term)!);
      terms.set(term, weight);
      norm += weight * weight;
    }
    if (norm > 0) for (const [term, weight] of terms) terms.set(term, weight / Math.sqrt(norm));
    return terms;
  });
}

function sparseDot(a: ReadonlyMap<string, number>, b: ReadonlyMap<string, number>): number {
  const [small, large] = a.size <= b.size ? [a, b] : [b, a];
  let sum = 0;
  for (const [term, weight] of small) sum += weight * (large.get(term) ?? 0);
  return sum;
}

/** Similarity among the units of one text: by vectors where given, else lexical. */
export function unitSimilarity(
  units: readonly TextUnit[],
  vectors: readonly Float32Array[] | null,
): UnitSimilarity {
  if (vectors) return (i, j) => Math.max(0, dotProduct(vectors[i]!, vectors[j]!));
  const lexical = lexicalVectors(units.map((unit) => unit.text));
  return (i, j) => sparseDot(lexical[i]!, lexical[j]!);
}

/** Unit vector of a unit from its pieces' vectors. */
export function unitVector(unit: TextUnit, pieceVectors: readonly Float32Array[]): Float32Array {
  if (pieceVectors.length === 1) return pieceVectors[0]!;
  return weightedMeanVector(
    pieceVectors,
    unit.pieces.map((piece) => piece.length),
  );
}

/** The vector of a whole text: unit vectors weighted by length, normalised. Null without units. */
export function pooledVector(
  units: readonly TextUnit[],
  vectors: readonly Float32Array[],
): Float32Array | null {
  if (units.length === 0) return null;
  return weightedMeanVector(
    vectors,
    units.map((unit) => unit.weight),
  );
}

/** Pooled vector of windows, weighted by length; null without windows. */
export function pooledWindows(
  windows: readonly string[],
  vectors: readonly Float32Array[],
): Float32Array | null {
  if (windows.length === 0) return null;
  return weightedMeanVector(
    vectors,
    windows.map((window) => window.length),
  );
}

export interface UnitComparison {
  /** Cosine of the pooled vectors, 0–1. */
  similarity: number;
  /** Mean over source units (by length) of the best-matching summary unit, 0–1. */
  coverage: number;
  /** Coverage of the least covered part over that of all parts; 1 where the source is too short for parts. */
  evenness: number;
  /** Which part that is, from 0, and of how many. */
  leastCovered: { part: number; partCount: number };
}

/** Parts of a source for `evenness` are up to so many, of so many units at least. */
const MAX_PARTS = 4;
const MIN_PART_UNITS = 3;
const telling = new WeakMap<TextUnit, boolean>();

function isTelling(unit: TextUnit): boolean {
  let known = telling.get(unit);
  if (known === undefined) telling.set(unit, (known = isInformative(unit.core.text)));
  return known;
}

/**
 * The part of a source that each unit is in, from 0, and how many there are. Small talk is in no part
 * (-1), where something else is: a chat that ends in good-byes is covered without them.
 */
export function partsOf(units: readonly TextUnit[]): { partOf: Int8Array; partCount: number } {
  const told = [...units.keys()].filter((i) => isTelling(units[i]!));
  const counted = told.length > 0 ? told : [...units.keys()];
  const partCount = Math.max(1, Math.min(MAX_PARTS, Math.floor(counted.length / MIN_PART_UNITS)));
  const partOf = new Int8Array(units.length).fill(-1);
  counted.forEach((unit, i) => (partOf[unit] = Math.floor((i * partCount) / counted.length)));
  return { partOf, partCount };
}

/** How much of a source's units a summary's units keep. All vectors are unit vectors. */
export function compareUnits(
  source: { units: readonly TextUnit[]; vectors: readonly Float32Array[] },
  summary: { units: readonly TextUnit[]; vectors: readonly Float32Array[] },
): UnitComparison {
  const from = pooledVector(source.units, source.vectors);
  const to = pooledVector(summary.units, summary.vectors);
  if (!from || !to)
    return { similarity: 0, coverage: 0, evenness: 0, leastCovered: { part: 0, partCount: 1 } };
  const { partOf, partCount } = partsOf(source.units);
  const covered = new Float64Array(partCount);
  const weights = new Float64Array(partCount);
  let all = 0;
  let allWeight = 0;
  source.units.forEach((unit, i) => {
    let best = 0;
    for (const vector of summary.vectors)
      best = Math.max(best, dotProduct(source.vectors[i]!, vector));
    best = Math.min(1, best) * unit.weight;
    all += best;
    allWeight += unit.weight;
    const part = partOf[i]!;
    if (part < 0) return;
    covered[part]! += best;
    weights[part]! += unit.weight;
  });
  const coverage = all / Math.max(1, allWeight);
  const toldShare = sumOf(covered) / Math.max(1, sumOf(weights));
  let part = 0;
  for (let i = 1; i < partCount; i++)
    if (covered[i]! / weights[i]! < covered[part]! / weights[part]!) part = i;
  return {
    similarity: Math.max(0, Math.min(1, cosineSimilarity(from, to))),
    coverage,
    evenness: toldShare === 0 ? 0 : covered[part]! / weights[part]! / toldShare,
    leastCovered: { part, partCount },
  };
}

/** Sum of an array of numbers. */
export function sumOf(values: Float64Array): number {
  return values.reduce((total, value) => total + value, 0);
}
