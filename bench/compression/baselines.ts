/** What the extractive summary is measured against: the lead, and TextRank (Mihalcea & Tarau 2004). */

import { unitSimilarity } from "../../src/processing/compression/similarity.ts";
import type { TextUnit } from "../../src/processing/compression/units.ts";

function takeWhileFits(
  units: readonly TextUnit[],
  order: readonly number[],
  bytes: number,
): number[] {
  const chosen: number[] = [];
  let size = 0;
  for (const index of order) {
    const length = Buffer.byteLength(units[index]!.text) + 1;
    if (chosen.length > 0 && size + length > bytes) continue;
    chosen.push(index);
    size += length;
  }
  return chosen.sort((a, b) => a - b);
}

/** The first units that fit. */
export function leadUnits(units: readonly TextUnit[], bytes: number): number[] {
  const chosen: number[] = [];
  let size = 0;
  for (const [index, unit] of units.entries()) {
    size += Buffer.byteLength(unit.text) + 1;
    if (index > 0 && size > bytes) break;
    chosen.push(index);
  }
  return chosen;
}

/** The units of highest rank in the graph of word overlap that fit. */
export function textRankUnits(units: readonly TextUnit[], bytes: number): number[] {
  const similarity = unitSimilarity(units, null);
  const n = units.length;
  const damping = 0.85;
  const weights = units.map((_, i) => units.map((__, j) => (i === j ? 0 : similarity(i, j))));
  const totals = weights.map((row) => row.reduce((sum, weight) => sum + weight, 0));
  let rank = units.map(() => 1 / n);
  for (let round = 0; round < 50; round++)
    rank = units.map(
      (_, j) =>
        (1 - damping) / n +
        damping *
          rank.reduce(
            (sum, value, i) => sum + (totals[i] ? (value * weights[i]![j]!) / totals[i] : 0),
            0,
          ),
    );
  const order = units.map((_, i) => i).sort((a, b) => rank[b]! - rank[a]! || a - b);
  return takeWhileFits(units, order, bytes);
}
