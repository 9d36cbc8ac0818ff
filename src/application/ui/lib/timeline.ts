/** Counts per month as an even axis: gaps become zeros, long spans are gathered into years or decades. */

import type { FacetCount } from "../../../model/query.ts";

export interface Timeline {
  unit: "month" | "year" | "decade";
  points: { label: string; count: number }[];
}

/** More bars than this can't be told apart. */
const MAX_POINTS = 72;

export function timeline(months: readonly FacetCount[]): Timeline {
  const counts = new Map<number, number>();
  for (const { value, count } of months) {
    const match = /^(-?\d{1,6})-(\d{2})$/.exec(value);
    if (!match) continue;
    const index = Number(match[1]) * 12 + Number(match[2]) - 1;
    counts.set(index, (counts.get(index) ?? 0) + count);
  }
  if (counts.size === 0) return { unit: "month", points: [] };
  const span = (size: number): number =>
    Math.floor(Math.max(...counts.keys()) / size) -
    Math.floor(Math.min(...counts.keys()) / size) +
    1;
  if (span(1) <= MAX_POINTS) return { unit: "month", points: gather(counts, 1, monthLabel) };
  if (span(12) <= MAX_POINTS) return { unit: "year", points: gather(counts, 12, String) };
  return { unit: "decade", points: gather(counts, 120, (index) => `${index * 10}s`) };
}

function monthLabel(index: number): string {
  const year = String(Math.floor(index / 12)).padStart(4, "0");
  return `${year}-${String((index % 12) + 1).padStart(2, "0")}`;
}

function gather(
  counts: ReadonlyMap<number, number>,
  size: number,
  label: (index: number) => string,
): Timeline["points"] {
  const sums = new Map<number, number>();
  for (const [month, count] of counts) {
    const index = Math.floor(month / size);
    sums.set(index, (sums.get(index) ?? 0) + count);
  }
  const points: Timeline["points"] = [];
  for (let index = Math.min(...sums.keys()); index <= Math.max(...sums.keys()); index++)
    points.push({ label: label(index), count: sums.get(index) ?? 0 });
  return points;
}
