/** Regroups batches of any size into batches of `size` (the last one may be shorter). */
export async function* rebatch<T>(
  batches: AsyncIterable<readonly T[]>,
  size: number,
): AsyncGenerator<T[]> {
  let pending: T[] = [];
  for await (const batch of batches)
    for (const item of batch) {
      pending.push(item);
      if (pending.length === size) {
        yield pending;
        pending = [];
      }
    }
  if (pending.length > 0) yield pending;
}
