/** Sentence vectors out of token vectors: mean over the real tokens, then unit length (Sentence-BERT, arXiv:1908.10084). */

/**
 * @param hidden row-major [rows, columns, dimensions] as the network gives it
 * @param lengths real tokens per row; padding behind them is ignored
 * @returns one new unit vector per row; a row of length 0 gives zeros
 */
export function meanPool(
  hidden: Float32Array,
  lengths: readonly number[],
  columns: number,
  dimensions: number,
): Float32Array[] {
  if (hidden.length !== lengths.length * columns * dimensions)
    throw new RangeError(
      `The network gave ${hidden.length} values where ${lengths.length} × ${columns} × ${dimensions} were expected.`,
    );
  return lengths.map((length, row) => {
    const sum = new Float64Array(dimensions);
    for (let column = 0; column < length; column++) {
      const base = (row * columns + column) * dimensions;
      for (let i = 0; i < dimensions; i++) sum[i]! += hidden[base + i]!;
    }
    let squares = 0;
    for (const value of sum) squares += value * value;
    // The mean's divisor cancels against the normalisation.
    const scale = squares === 0 ? 0 : 1 / Math.sqrt(squares);
    return Float32Array.from(sum, (value) => value * scale);
  });
}
