/**
 * Plans which texts go through the network together: pure arithmetic over token counts.
 *
 * A batch costs rows × its longest row, so texts of like length belong together, and a small bound
 * keeps the plan close to unpadded while leaving short gaps in which a cancel or a query gets in.
 */

export interface BatchLimits {
  /** Rows × longest row, padding included. A single longer row still makes a batch of one. */
  maxTokens: number;
  maxRows: number;
}

/**
 * Row indices per batch, shortest texts first; every index with a positive length is in exactly one
 * batch. Length 0 (an empty text) is left out.
 */
export function planBatches(lengths: readonly number[], limits: BatchLimits): number[][] {
  const order = lengths
    .map((_, index) => index)
    .filter((index) => lengths[index]! > 0)
    .sort((a, b) => lengths[a]! - lengths[b]! || a - b);
  const batches: number[][] = [];
  let batch: number[] = [];
  for (const index of order) {
    const tokens = (batch.length + 1) * lengths[index]!;
    if (batch.length > 0 && (tokens > limits.maxTokens || batch.length >= limits.maxRows)) {
      batches.push(batch);
      batch = [];
    }
    batch.push(index);
  }
  if (batch.length > 0) batches.push(batch);
  return batches;
}

/** Model input of one batch, row-major [rows, columns], right-padded with token 0 and mask 0. */
export interface TokenBatch {
  rows: number;
  columns: number;
  inputIds: BigInt64Array;
  attentionMask: BigInt64Array;
  /** Real tokens per row. */
  lengths: number[];
}

export function packBatch(sequences: readonly Int32Array[]): TokenBatch {
  const rows = sequences.length;
  const lengths = sequences.map((sequence) => sequence.length);
  const columns = Math.max(...lengths);
  const inputIds = new BigInt64Array(rows * columns);
  const attentionMask = new BigInt64Array(rows * columns);
  sequences.forEach((sequence, row) => {
    for (let column = 0; column < sequence.length; column++) {
      inputIds[row * columns + column] = BigInt(sequence[column]!);
      attentionMask[row * columns + column] = 1n;
    }
  });
  return { rows, columns, inputIds, attentionMask, lengths };
}
