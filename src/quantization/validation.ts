/** End to end: sentence vectors of a quantized network beside those of the original, on text that calibration hasn't seen. */

import { throwIfAborted } from "../errors.ts";
import type { TaskOptions } from "../model/task-control.ts";
import { cosineSimilarity, dotProduct } from "../model/vector.ts";
import { INPUTS } from "./bert/bert-blocks.ts";
import { OUTPUTS } from "./bert/bert-graph.ts";
import { planTokenRows } from "./bert/calibration-input.ts";
import type { GraphRuntime, GraphTensor } from "./graph-runtime.ts";

export interface VectorQuality {
  /** Texts compared. */
  count: number;
  cosineMean: number;
  /** The fifth percentile: one text in twenty is worse. */
  cosineP5: number;
  /** Share of the ten nearest other texts that are the same; null with fewer than 12 texts. */
  top10Overlap: number | null;
}

/** Does the first half of a text still find its other half among those of all others? */
export interface RetrievalQuality {
  /** Texts long enough to be halved. */
  queries: number;
  /** By the original's vectors. */
  original: Recall;
  quantized: Recall;
}

/** Share whose other half is the nearest, and among the nearest ten. */
export interface Recall {
  recall1: number;
  recall10: number;
}

/** Unit vectors of token sequences, in order; an empty one gives zeros. */
export async function embedSequences(
  runtime: GraphRuntime,
  network: Uint8Array,
  sequences: readonly Int32Array[],
  options: TaskOptions = {},
): Promise<Float32Array[]> {
  const session = await runtime.load(network);
  try {
    const order = sequences.map((_, i) => i).filter((i) => sequences[i]!.length > 0);
    order.sort((a, b) => sequences[a]!.length - sequences[b]!.length || a - b);
    const vectors: Float32Array[] = sequences.map(() => new Float32Array(0));
    let at = 0;
    // Planned in the same order: shortest first, ties as they came.
    for (const { rows, columns, ids, mask } of planTokenRows(
      order.map((i) => sequences[i]!),
      Infinity,
    )) {
      throwIfAborted(options.signal);
      const dims = [rows, columns];
      const feed = (data: BigInt64Array): GraphTensor => ({ type: "int64", dims, data });
      const outputs = await session.run({
        [INPUTS.ids]: feed(BigInt64Array.from(ids, BigInt)),
        [INPUTS.mask]: feed(mask),
        [INPUTS.types]: feed(new BigInt64Array(ids.length)),
      });
      const data = outputs[OUTPUTS.sentence]!.data as Float32Array;
      const size = data.length / rows;
      for (let row = 0; row < rows; row++)
        vectors[order[at++]!] = data.slice(row * size, (row + 1) * size);
      options.onProgress?.({ stage: "Embedding texts", done: at, total: order.length });
    }
    const size = vectors.find((vector) => vector.length > 0)?.length ?? 0;
    return vectors.map((vector) => (vector.length > 0 ? vector : new Float32Array(size)));
  } finally {
    await session.release();
  }
}

/** How close the vectors of one network are to those of another. */
export function compareVectors(
  originals: readonly Float32Array[],
  vectors: readonly Float32Array[],
): VectorQuality {
  const cosines = originals.map((original, i) => cosineSimilarity(original, vectors[i]!));
  const sorted = [...cosines].sort((a, b) => a - b);
  const count = sorted.length;
  return {
    count,
    cosineMean: count === 0 ? 0 : sorted.reduce((sum, value) => sum + value, 0) / count,
    cosineP5: sorted[Math.floor(count * 0.05)] ?? 0,
    top10Overlap: count < 12 ? null : neighbourOverlap(originals, vectors),
  };
}

function neighbourOverlap(
  originals: readonly Float32Array[],
  vectors: readonly Float32Array[],
): number {
  let same = 0;
  for (let i = 0; i < originals.length; i++) {
    const wanted = new Set(nearest(originals, i));
    for (const other of nearest(vectors, i)) if (wanted.has(other)) same++;
  }
  return same / (10 * originals.length);
}

function nearest(vectors: readonly Float32Array[], of: number): number[] {
  return vectors
    .map((vector, i) => ({ i, score: i === of ? -Infinity : dotProduct(vectors[of]!, vector) }))
    .sort((a, b) => b.score - a.score || a.i - b.i)
    .slice(0, 10)
    .map(({ i }) => i);
}

/** Tokens of a half below which it says too little to be found by. */
const MIN_HALF_TOKENS = 6;

/**
 * Texts as two halves with the first and last token (the model's own marks) around each. Those too
 * short for it are left out.
 */
export function halves(sequences: readonly Int32Array[]): {
  first: Int32Array[];
  second: Int32Array[];
} {
  const long = sequences.filter(({ length }) => length - 2 >= 2 * MIN_HALF_TOKENS);
  const part = (sequence: Int32Array, from: number, to: number): Int32Array =>
    Int32Array.of(sequence[0]!, ...sequence.subarray(from, to), sequence.at(-1)!);
  const middle = (sequence: Int32Array): number => sequence.length >> 1;
  return {
    first: long.map((sequence) => part(sequence, 1, middle(sequence))),
    second: long.map((sequence) => part(sequence, middle(sequence), sequence.length - 1)),
  };
}

/** How often `first[i]` finds `second[i]` among all second halves. */
export function halfRecall(
  first: readonly Float32Array[],
  second: readonly Float32Array[],
): Recall {
  let [top1, top10] = [0, 0];
  first.forEach((query, i) => {
    const own = dotProduct(query, second[i]!);
    const better = second.filter((other, j) => j !== i && dotProduct(query, other) >= own).length;
    if (better < 1) top1++;
    if (better < 10) top10++;
  });
  const count = Math.max(1, first.length);
  return { recall1: top1 / count, recall10: top10 / count };
}

/** Everything that is compared of two networks. `retrieval` is null with too few long texts. */
export async function compareNetworks(
  runtime: GraphRuntime,
  originals: Reference,
  network: Uint8Array,
  options: TaskOptions = {},
): Promise<{ quality: VectorQuality; retrieval: RetrievalQuality | null }> {
  const { sequences, split } = originals;
  const all = await embedSequences(
    runtime,
    network,
    [...sequences, ...split.first, ...split.second],
    options,
  );
  const quality = compareVectors(originals.whole, all.slice(0, sequences.length));
  const queries = split.first.length;
  if (queries < MIN_QUERIES) return { quality, retrieval: null };
  const first = all.slice(sequences.length, sequences.length + queries);
  const quantized = halfRecall(first, all.slice(sequences.length + queries));
  return { quality, retrieval: { queries, original: originals.recall, quantized } };
}

const MIN_QUERIES = 20;

/** The original network's vectors, made once for all that are compared with it. */
export interface Reference {
  sequences: readonly Int32Array[];
  split: { first: Int32Array[]; second: Int32Array[] };
  whole: Float32Array[];
  recall: Recall;
}

export async function referenceOf(
  runtime: GraphRuntime,
  original: Uint8Array,
  sequences: readonly Int32Array[],
  options: TaskOptions = {},
): Promise<Reference> {
  const split = halves(sequences);
  const all = await embedSequences(
    runtime,
    original,
    [...sequences, ...split.first, ...split.second],
    options,
  );
  const queries = split.first.length;
  const first = all.slice(sequences.length, sequences.length + queries);
  const recall = halfRecall(first, all.slice(sequences.length + queries));
  return { sequences, split, whole: all.slice(0, sequences.length), recall };
}
