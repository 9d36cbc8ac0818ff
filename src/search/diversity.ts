/**
 * Maximal marginal relevance (Carbonell and Goldstein, 1998): the next result is the one that is
 * relevant and unlike those already chosen. For lists in which one thing is said five times.
 */

export interface DiversityOptions {
  /** 0: by relevance alone; 1: as unlike each other as can be after the first. */
  strength: number;
  /** How many are chosen. */
  limit: number;
  /** Similarity of one item to each of the items, 0–1, in their order; asked once per chosen item. */
  similarities(item: number): ArrayLike<number>;
}

/**
 * Places of the chosen items, in the order in which they are shown.
 *
 * @param relevance of each item, best first; only its ratio to the best counts
 */
export function diversify(
  relevance: readonly number[],
  { strength, limit, similarities }: DiversityOptions,
): number[] {
  const best = relevance[0] ?? 0;
  const rest = new Set(relevance.keys());
  const likeness = new Float64Array(relevance.length);
  const chosen: number[] = [];
  while (chosen.length < limit && rest.size > 0) {
    let next = -1;
    let nextValue = -Infinity;
    for (const item of rest) {
      const value =
        (1 - strength) * (best > 0 ? relevance[item]! / best : 0) -
        (chosen.length === 0 ? 0 : strength * likeness[item]!);
      if (value > nextValue) [next, nextValue] = [item, value];
    }
    // The best stays the first, however strong.
    if (chosen.length === 0) next = 0;
    rest.delete(next);
    chosen.push(next);
    if (chosen.length === limit) break;
    const alike = similarities(next);
    for (const item of rest) likeness[item] = Math.max(likeness[item]!, alike[item] ?? 0);
  }
  return chosen;
}
