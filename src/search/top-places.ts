/** The best few of many values, without sorting them all. */

/**
 * Places of the `limit` highest of `values[0…count)` above -Infinity, best first; ties by the lower
 * `ordinals` value.
 */
export function topPlaces(
  values: ArrayLike<number>,
  ordinals: ArrayLike<number>,
  count: number,
  limit: number,
): number[] {
  const before = (a: number, b: number): boolean => {
    const difference = values[a]! - values[b]!;
    return difference > 0 || (difference === 0 && ordinals[a]! < ordinals[b]!);
  };
  if (limit <= 0 || count === 0) return [];
  // Many of many: the native sort of numbers finds the lowest that is in, and only those that are get sorted.
  if (limit > 48) {
    const sorted = new Float64Array(count);
    for (let place = 0; place < count; place++) sorted[place] = values[place]!;
    sorted.sort();
    const lowest = limit >= count ? -Infinity : sorted[count - limit]!;
    const all: number[] = [];
    for (let place = 0; place < count; place++)
      if (values[place]! >= lowest && values[place] !== -Infinity) all.push(place);
    all.sort((a, b) => (before(a, b) ? -1 : 1));
    if (all.length > limit) all.length = limit;
    return all;
  }
  const best: number[] = [];
  for (let place = 0; place < count; place++) {
    if (values[place] === -Infinity) continue;
    const isFull = best.length === limit;
    if (isFull && !before(place, best[limit - 1]!)) continue;
    let at = isFull ? limit - 1 : best.push(place) - 1;
    for (; at > 0 && before(place, best[at - 1]!); at--) best[at] = best[at - 1]!;
    best[at] = place;
  }
  return best;
}
