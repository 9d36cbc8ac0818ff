/**
 * The order in which units enter an extractive summary: greedy by gain per byte.
 *
 * Gain is a weighted sum of monotone submodular functions (coverage of the text by the chosen
 * units; entities and numbers named), so lazy evaluation finds the same order as full evaluation
 * (Minoux 1978), and greedy per byte is the budgeted approximation of Lin & Bilmes (2010).
 */

import { MAX_CHOSEN_CHARS, type TextUnit } from "./units.ts";
import { unitSimilarity } from "./similarity.ts";

export interface SelectionInput {
  units: readonly TextUnit[];
  /** One unit vector per unit; null: lexical coverage. */
  vectors: readonly Float32Array[] | null;
  /** Keys of the entities and numbers that each unit names. */
  facts: readonly ReadonlySet<string>[];
  /** Default `WEIGHTS`. */
  weights?: SelectionWeights;
}

/** Parts of the gain of a unit. */
export interface SelectionWeights {
  /** Of the share of facts that a unit adds, beside 1 for coverage. */
  facts: number;
  /** Of the share of the text (by length) that a unit itself is. */
  mass: number;
  /** Of coming first, falling linearly to 0 at the end. */
  position: number;
  /** Cost = bytes to this power: 1 favours many short units, 0 the largest gain. */
  cost: number;
}

/** Tuned on State of the Union addresses and mails; figures in docs/decisions/0002-sentence-units.md. */
export const WEIGHTS: Readonly<SelectionWeights> = {
  facts: 0.15,
  mass: 0.1,
  position: 0.02,
  cost: 0.75,
};

/** Coverage is computed inside windows of this many units: the work stays linear in a long text. */
const WINDOW_UNITS = 256;

interface Scored {
  index: number;
  score: number;
}

function byteLength(unit: TextUnit): number {
  return unit.text.length;
}

function rankWindow(
  input: SelectionInput,
  from: number,
  to: number,
  totalWeight: number,
  factCount: number,
): Scored[] {
  const units = input.units.slice(from, to);
  const similarity = unitSimilarity(units, input.vectors?.slice(from, to) ?? null);
  const n = units.length;
  const matrix = new Float32Array(n * n);
  for (let i = 0; i < n; i++) {
    matrix[i * n + i] = 1;
    for (let j = i + 1; j < n; j++) matrix[i * n + j] = matrix[j * n + i] = similarity(i, j);
  }
  const covered = new Float32Array(n);
  const named = new Set<string>();
  const weights = input.weights ?? WEIGHTS;
  const gainOf = (j: number): number => {
    let coverage = 0;
    for (let i = 0; i < n; i++) {
      const more = matrix[j * n + i]! - covered[i]!;
      if (more > 0) coverage += more * units[i]!.weight;
    }
    let facts = 0;
    for (const key of input.facts[from + j]!) if (!named.has(key)) facts++;
    const position = 1 - (from + j) / input.units.length;
    const gain =
      coverage / totalWeight +
      (weights.facts * facts) / Math.max(1, factCount) +
      (weights.mass * units[j]!.weight) / totalWeight +
      (weights.position * position * units[j]!.weight) / totalWeight;
    return gain / byteLength(units[j]!) ** weights.cost;
  };
  // Upper bounds, largest first; a bound that still leads after being recomputed is the maximum.
  const queue: Scored[] = [];
  for (let j = 0; j < n; j++)
    if (units[j]!.text.length <= MAX_CHOSEN_CHARS) queue.push({ index: j, score: gainOf(j) });
  const order: Scored[] = [];
  while (queue.length > 0) {
    let best: number;
    for (;;) {
      best = 0;
      for (let k = 1; k < queue.length; k++) {
        const a = queue[k]!;
        const b = queue[best]!;
        if (a.score > b.score || (a.score === b.score && a.index < b.index)) best = k;
      }
      const lead = queue[best]!;
      const fresh = gainOf(lead.index);
      if (fresh >= lead.score - 1e-12) break;
      lead.score = fresh;
    }
    const { index, score } = queue.splice(best, 1)[0]!;
    order.push({ index: from + index, score });
    for (let i = 0; i < n; i++) covered[i] = Math.max(covered[i]!, matrix[index * n + i]!);
    for (const key of input.facts[from + index]!) named.add(key);
  }
  return order;
}

/** Indices of all choosable units, best first. Deterministic: ties go to the earlier unit. */
export function rankUnits(input: SelectionInput): number[] {
  const totalWeight = input.units.reduce((sum, unit) => sum + unit.weight, 0);
  if (totalWeight === 0) return [];
  const factCount = new Set(input.facts.flatMap((keys) => [...keys])).size;
  const ranked: Scored[] = [];
  for (let from = 0; from < input.units.length; from += WINDOW_UNITS)
    ranked.push(
      ...rankWindow(
        input,
        from,
        Math.min(input.units.length, from + WINDOW_UNITS),
        totalWeight,
        factCount,
      ),
    );
  // Within a window the scores fall, so the merged order keeps each window's own.
  return ranked.sort((a, b) => b.score - a.score || a.index - b.index).map(({ index }) => index);
}

/** The units of `order` that fit into `budgetBytes`, in the text's order; at least the best one that is choosable. */
export function fitBudget(
  units: readonly TextUnit[],
  order: readonly number[],
  budgetBytes: number,
): number[] {
  const encoder = new TextEncoder();
  const chosen: number[] = [];
  let bytes = 0;
  for (const index of order) {
    const size = encoder.encode(units[index]!.text).length + (chosen.length > 0 ? 1 : 0);
    if (chosen.length > 0 && bytes + size > budgetBytes) continue;
    chosen.push(index);
    bytes += size;
    if (bytes >= budgetBytes) break;
  }
  return chosen.sort((a, b) => a - b);
}
