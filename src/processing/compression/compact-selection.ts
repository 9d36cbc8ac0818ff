/**
 * The fewest bytes of a text's own units that still meet given thresholds: how an extractive
 * summary that replaces its text is chosen.
 *
 * Between the analysis and the gate. The objective is the gate's own measures (pooled cosine to
 * both readings of the source, coverage, evenness, recall), computed from the unit vectors without
 * inference: greedy growth with several exponents of cost, then removal and exchange of units while
 * everything still holds. The gate itself measures the result anew.
 */

import { dotProduct } from "../../model/vector.ts";
import { partsOf, sumOf } from "./similarity.ts";
import { MAX_CHOSEN_CHARS, type TextUnit } from "./units.ts";

/** What a set of units must reach; all inclusive. */
export interface CompactNeeds {
  /** Cosine of the set's pooled vector to each target, in the order of `targets`. */
  cosines: readonly number[];
  coverage: number;
  evenness: number;
}

export interface CompactInput {
  units: readonly TextUnit[];
  /** One unit vector per unit. */
  vectors: readonly Float32Array[];
  /** Unit vectors of the whole source: pooled sentences, pooled windows. */
  targets: readonly Float32Array[];
  /** UTF-8 bytes that each unit costs in a summary. */
  sizesBytes: readonly number[];
  /** Bytes kept beside a summary of these units so that enough facts are named. */
  besideBytes(chosen: readonly number[]): number;
  /** Keys of the facts that each unit names. */
  facts: readonly ReadonlySet<string>[];
  /** False for units that say nothing by themselves; they are chosen only where nothing else suffices. */
  informative: readonly boolean[];
  /** Most that a set may cost, with what is kept beside it. */
  maxBytes: number;
}

/** Exponents of cost in "gain per byte"; the smallest result of all counts. */
const COST_EXPONENTS = [0.3, 0.6, 0.9];
/** Weight of the share of new facts in the gain. */
const FACT_WEIGHT = 0.3;
/** In a long text only the units most like the whole, and the best of each stretch, can be chosen. */
const MAX_CANDIDATES = 320;
/** Rounds of removal and exchange. */
const MAX_ROUNDS = 4;

/** A growing set with its measures, all from dot products that are computed once. */
class UnitSet {
  readonly chosen: number[] = [];
  readonly #model: SelectionModel;
  readonly #numerators: Float64Array;
  /** Per candidate: weighted dot products with all chosen. */
  readonly #cross: Float64Array;
  #squared = 0;
  readonly covered: Float32Array;

  constructor(model: SelectionModel) {
    this.#model = model;
    this.#numerators = new Float64Array(model.targetCount);
    this.#cross = new Float64Array(model.candidates.length);
    this.covered = new Float32Array(model.unitCount);
  }

  add(candidate: number): void {
    const { weights, targetDots, rows, candidates } = this.#model;
    const weight = weights[candidate]!;
    this.#squared += 2 * weight * this.#cross[candidate]! + weight * weight;
    targetDots.forEach((dots, k) => (this.#numerators[k]! += weight * dots[candidate]!));
    const row = rows[candidate]!;
    for (let i = 0; i < row.length; i++) if (row[i]! > this.covered[i]!) this.covered[i] = row[i]!;
    candidates.forEach((unit, c) => (this.#cross[c]! += weight * row[unit]!));
    this.chosen.push(candidate);
  }

  /** Cosine to a target, with one more candidate when given. */
  cosine(target: number, candidate?: number): number {
    let numerator = this.#numerators[target]!;
    let squared = this.#squared;
    if (candidate !== undefined) {
      const weight = this.#model.weights[candidate]!;
      numerator += weight * this.#model.targetDots[target]![candidate]!;
      squared += 2 * weight * this.#cross[candidate]! + weight * weight;
    }
    return squared <= 0 ? 0 : numerator / Math.sqrt(squared);
  }

  /** What is covered, in weight: of each part and of the whole. */
  covering(candidate?: number): { parts: Float64Array; whole: number } {
    const { unitWeights, partOf, partWeights, rows } = this.#model;
    const parts = new Float64Array(partWeights.length);
    const row = candidate === undefined ? null : rows[candidate]!;
    let whole = 0;
    for (let i = 0; i < unitWeights.length; i++) {
      const known = this.covered[i]!;
      const gained = (row && row[i]! > known ? row[i]! : known) * unitWeights[i]!;
      whole += gained;
      if (partOf[i]! >= 0) parts[partOf[i]!]! += gained;
    }
    return { parts, whole };
  }
}

/** Everything about a source that selection asks for, computed once. */
export class SelectionModel {
  readonly input: CompactInput;
  readonly unitCount: number;
  readonly targetCount: number;
  /** Units that can be chosen. */
  readonly candidates: number[];
  readonly weights: Float64Array;
  readonly targetDots: Float64Array[];
  /** Per candidate its dot product with every unit. */
  readonly rows: Float32Array[];
  readonly unitWeights: Float64Array;
  /** Part of each unit; -1: none. */
  readonly partOf: Int8Array;
  readonly partWeights: Float64Array;
  readonly totalWeight: number;
  /** Of what is in parts. */
  readonly #toldWeight: number;
  readonly #factCount: number;

  constructor(input: CompactInput) {
    this.input = input;
    const { units, vectors, targets } = input;
    this.unitCount = units.length;
    this.targetCount = targets.length;
    this.unitWeights = Float64Array.from(units, (unit) => unit.weight);
    this.candidates = chooseCandidates(input);
    this.weights = Float64Array.from(this.candidates, (unit) => units[unit]!.weight);
    this.targetDots = targets.map((target) =>
      Float64Array.from(this.candidates, (unit) => dotProduct(vectors[unit]!, target)),
    );
    this.rows = this.candidates.map((unit) =>
      Float32Array.from(vectors, (vector) => dotProduct(vectors[unit]!, vector)),
    );
    const { partOf, partCount } = partsOf(units);
    this.partOf = partOf;
    this.partWeights = new Float64Array(partCount);
    units.forEach((unit, i) => {
      if (partOf[i]! >= 0) this.partWeights[partOf[i]!]! += unit.weight;
    });
    this.#toldWeight = Math.max(1, sumOf(this.partWeights));
    this.totalWeight = Math.max(1, sumOf(this.unitWeights));
    this.#factCount = Math.max(1, new Set(input.facts.flatMap((keys) => [...keys])).size);
  }

  /** The smallest set found that meets `needs`: unit indices, ascending; null when none does. */
  smallest(needs: CompactNeeds): number[] | null {
    for (const telling of [true, false]) {
      let best: number[] | null = null;
      let bestBytes = this.input.maxBytes;
      for (const exponent of COST_EXPONENTS) {
        const grown = this.#grow(needs, exponent, telling, this.input.maxBytes);
        if (!grown.met) continue;
        const chosen = this.#shrink(grown.chosen, needs, telling);
        const bytes = this.bytesOf(chosen);
        if (bytes > bestBytes) continue;
        best = chosen;
        bestBytes = bytes;
      }
      if (best) return this.#unitsOf(best);
    }
    return null;
  }

  /** The set that comes nearest to `needs` within a number of bytes: unit indices, ascending. */
  nearest(needs: CompactNeeds, maxBytes: number): number[] {
    return this.#unitsOf(this.#grow(needs, COST_EXPONENTS[1]!, true, maxBytes).chosen);
  }

  #unitsOf(chosen: readonly number[]): number[] {
    return chosen.map((candidate) => this.candidates[candidate]!).sort((a, b) => a - b);
  }

  bytesOf(chosen: readonly number[]): number {
    const units = chosen.map((candidate) => this.candidates[candidate]!);
    const { sizesBytes, besideBytes } = this.input;
    return units.reduce((sum, unit) => sum + sizesBytes[unit]! + 1, 0) + besideBytes(units);
  }

  #meets(set: UnitSet, needs: CompactNeeds): boolean {
    if (needs.cosines.some((cosine, k) => set.cosine(k) < cosine)) return false;
    const { parts, whole } = set.covering();
    const coverage = whole / this.totalWeight;
    if (coverage < needs.coverage) return false;
    const least = needs.evenness * (sumOf(parts) / this.#toldWeight);
    return parts.every((part, i) => part / Math.max(1, this.partWeights[i]!) >= least);
  }

  #potential(set: UnitSet, needs: CompactNeeds, candidate?: number): number {
    let value = 0;
    needs.cosines.forEach((need, k) => {
      const cosine = set.cosine(k, candidate);
      // Above what is needed it still counts a little: room for the other measures to cost some.
      value += Math.min(cosine, need) + 0.1 * Math.max(0, cosine - need);
    });
    const { parts, whole } = set.covering(candidate);
    const coverage = whole / this.totalWeight;
    value += Math.min(coverage, needs.coverage);
    let least = 1;
    parts.forEach((part, i) => {
      least = Math.min(least, part / Math.max(1, this.partWeights[i]!));
    });
    return value + 0.5 * Math.min(least, needs.evenness * Math.max(coverage, needs.coverage));
  }

  #grow(
    needs: CompactNeeds,
    exponent: number,
    telling: boolean,
    maxBytes: number,
  ): { chosen: number[]; met: boolean } {
    const set = new UnitSet(this);
    const { sizesBytes, facts, informative } = this.input;
    const left = new Set(
      [...this.candidates.keys()].filter((c) => !telling || informative[this.candidates[c]!]),
    );
    const named = new Set<string>();
    let bytes = 0;
    while (!this.#meets(set, needs)) {
      const before = this.#potential(set, needs);
      let best = -1;
      let bestScore = -Infinity;
      for (const candidate of left) {
        const unit = this.candidates[candidate]!;
        if (bytes + sizesBytes[unit]! + 1 > maxBytes) continue;
        let fresh = 0;
        for (const key of facts[unit]!) if (!named.has(key)) fresh++;
        const gain =
          this.#potential(set, needs, candidate) - before + (FACT_WEIGHT * fresh) / this.#factCount;
        const score = gain > 0 ? gain / sizesBytes[unit]! ** exponent : gain;
        if (score > bestScore) {
          best = candidate;
          bestScore = score;
        }
      }
      if (best < 0) return { chosen: set.chosen, met: false };
      const unit = this.candidates[best]!;
      left.delete(best);
      set.add(best);
      for (const key of facts[unit]!) named.add(key);
      bytes += sizesBytes[unit]! + 1;
    }
    return { chosen: set.chosen, met: true };
  }

  #holds(chosen: readonly number[], needs: CompactNeeds): boolean {
    if (chosen.length === 0 || !this.#cosinesHold(chosen, needs)) return false;
    const set = new UnitSet(this);
    for (const candidate of chosen) set.add(candidate);
    return this.#meets(set, needs);
  }

  /** Asked first: it costs nothing of the text's length, and most sets fail here. */
  #cosinesHold(chosen: readonly number[], needs: CompactNeeds): boolean {
    let squared = 0;
    for (const i of chosen) {
      const row = this.rows[i]!;
      let cross = 0;
      for (const j of chosen) cross += this.weights[j]! * row[this.candidates[j]!]!;
      squared += this.weights[i]! * cross;
    }
    const norm = Math.sqrt(squared);
    return needs.cosines.every((need, k) => {
      let numerator = 0;
      for (const i of chosen) numerator += this.weights[i]! * this.targetDots[k]![i]!;
      return norm > 0 && numerator / norm >= need;
    });
  }

  /** Removes and exchanges units while the needs are met and bytes fall. */
  #shrink(start: readonly number[], needs: CompactNeeds, telling: boolean): number[] {
    let chosen = [...start];
    let bytes = this.bytesOf(chosen);
    const size = (candidate: number): number => this.input.sizesBytes[this.candidates[candidate]!]!;
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const before = bytes;
      for (const candidate of chosen.toSorted((a, b) => size(b) - size(a))) {
        const without = chosen.filter((other) => other !== candidate);
        const less = this.bytesOf(without);
        if (less < bytes && this.#holds(without, needs)) {
          chosen = without;
          bytes = less;
        }
      }
      // Exchange is quadratic: in long texts only what is near to the removed unit is tried.
      for (const candidate of chosen.toSorted((a, b) => size(b) - size(a))) {
        const rest = chosen.filter((other) => other !== candidate);
        const shorter = this.#shorterThan(candidate, chosen, telling);
        for (const other of shorter) {
          const exchanged = [...rest, other];
          const less = this.bytesOf(exchanged);
          if (less < bytes && this.#holds(exchanged, needs)) {
            chosen = exchanged;
            bytes = less;
            break;
          }
        }
      }
      if (bytes === before) break;
    }
    return chosen;
  }

  /** Candidates shorter than one of the set, shortest first, at most as many as are affordable to try. */
  #shorterThan(candidate: number, chosen: readonly number[], telling: boolean): number[] {
    const taken = new Set(chosen);
    const limit = this.input.sizesBytes[this.candidates[candidate]!]!;
    const row = this.rows[candidate]!;
    return [...this.candidates.keys()]
      .filter((other) => {
        const size = this.input.sizesBytes[this.candidates[other]!]!;
        return (
          !taken.has(other) &&
          size < limit &&
          (!telling || this.input.informative[this.candidates[other]!]!)
        );
      })
      .sort((a, b) => row[this.candidates[b]!]! - row[this.candidates[a]!]!)
      .slice(0, 24);
  }
}

/** All choosable units, or in a long text the likest to the whole of each stretch. */
function chooseCandidates({ units, vectors, targets }: CompactInput): number[] {
  const choosable = [...units.keys()].filter((i) => units[i]!.text.length <= MAX_CHOSEN_CHARS);
  if (choosable.length <= MAX_CANDIDATES) return choosable;
  const likeness = new Map(
    choosable.map((i) => [
      i,
      targets.reduce((total, target) => total + dotProduct(vectors[i]!, target), 0),
    ]),
  );
  const stretches = 16;
  const perStretch = Math.floor(MAX_CANDIDATES / 2 / stretches);
  const best = (list: readonly number[], count: number): number[] =>
    list.toSorted((a, b) => likeness.get(b)! - likeness.get(a)!).slice(0, count);
  const picked = new Set(best(choosable, MAX_CANDIDATES / 2));
  for (let s = 0; s < stretches; s++) {
    const from = Math.floor((s * choosable.length) / stretches);
    const to = Math.floor(((s + 1) * choosable.length) / stretches);
    for (const i of best(choosable.slice(from, to), perStretch)) picked.add(i);
  }
  return [...picked].sort((a, b) => a - b);
}
