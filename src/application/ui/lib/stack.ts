/** Layers of bars on each other: each series plus all below it. */
export function stack(series: readonly (readonly number[])[]): number[][] {
  const heights: number[] = [];
  return series.map((values) =>
    values.map((value, index) => (heights[index] = (heights[index] ?? 0) + value)),
  );
}
