/** Joins the candidates of a query that several workers shared. */

/** Distances are at most 384. */
const DISTANCES = 512;
/** A key is distance << 55 | ordinal << 24 | slot (`kernels/kernel.ts`): the distance begins its upper word. */
const DISTANCE_SHIFT = 23;

/**
 * The least `wanted` keys of all parts, in no order; all when there are fewer. By counting distances:
 * only those at the last distance that fits have to be sorted.
 */
export function leastKeys(parts: readonly BigUint64Array[], wanted: number): BigUint64Array {
  const total = parts.reduce((sum, part) => sum + part.length, 0);
  const counts = new Uint32Array(DISTANCES);
  for (const part of parts) {
    const words = new Uint32Array(part.buffer, part.byteOffset, 2 * part.length);
    for (let i = 1; i < words.length; i += 2) counts[words[i]! >>> DISTANCE_SHIFT]!++;
  }
  let limit = 0;
  let below = 0;
  while (limit < DISTANCES && below + counts[limit]! <= wanted) below += counts[limit++]!;

  const least = new BigUint64Array(Math.min(wanted, total));
  const ties = new BigUint64Array(limit < DISTANCES ? counts[limit]! : 0);
  let [taken, tied] = [0, 0];
  for (const part of parts) {
    const words = new Uint32Array(part.buffer, part.byteOffset, 2 * part.length);
    for (let i = 0; i < part.length; i++) {
      const distance = words[2 * i + 1]! >>> DISTANCE_SHIFT;
      if (distance < limit) least[taken++] = part[i]!;
      else if (distance === limit) ties[tied++] = part[i]!;
    }
  }
  least.set(ties.sort().subarray(0, least.length - taken), taken);
  return least;
}
