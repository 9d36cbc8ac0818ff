/** Calibration text as token batches of like length, and the statistics that quantization needs of a layer's inputs. */

import { AppError } from "../../errors.ts";
import type { InputStatistics } from "../gptq.ts";
import type { ProductSizes } from "../kernels/kernels.ts";

/** Row-major [rows, columns] tokens, right-padded; `lengths` are the real ones of each row. */
export interface TokenRows {
  rows: number;
  columns: number;
  ids: Int32Array;
  mask: BigInt64Array;
  lengths: readonly number[];
}

/** Tokens of one batch, padding included: what is held at once while a stage runs. */
const BATCH_TOKENS = 2048;

/** `invalid_input` when there is no token, or one that the vocabulary doesn't have. */
export function planTokenRows(
  sequences: readonly Int32Array[],
  vocabularySize: number,
): TokenRows[] {
  const usable = sequences.filter((one) => one.length > 0).sort((a, b) => a.length - b.length);
  if (usable.length === 0)
    throw new AppError("invalid_input", "The calibration has no text in it.", {
      hint: "Give 100 to 1,000 sentences like those that the model will see.",
    });
  for (const sequence of usable)
    if (sequence.some((id) => id < 0 || id >= vocabularySize))
      throw new AppError(
        "invalid_input",
        "The calibration text was encoded for another vocabulary.",
        {
          hint: "Use the tokenizer.json that belongs to the weights.",
        },
      );
  const batches: TokenRows[] = [];
  for (let at = 0; at < usable.length;) {
    let rows = 0;
    while (at + rows < usable.length && (rows + 1) * usable[at + rows]!.length <= BATCH_TOKENS)
      rows++;
    rows = Math.max(1, rows);
    const part = usable.slice(at, at + rows);
    const columns = part.at(-1)!.length;
    const ids = new Int32Array(rows * columns);
    const mask = new BigInt64Array(rows * columns);
    part.forEach((sequence, row) => {
      ids.set(sequence, row * columns);
      mask.fill(1n, row * columns, row * columns + sequence.length);
    });
    batches.push({ rows, columns, ids, mask, lengths: part.map((one) => one.length) });
    at += rows;
  }
  return batches;
}

/** The rows of [rows, columns, size] values that stand for real tokens, one behind the other. */
export function realRows(
  values: Float32Array,
  { columns, lengths }: TokenRows,
  size: number,
): Float32Array {
  const count = lengths.reduce((sum, length) => sum + length, 0);
  const real = new Float32Array(count * size);
  let at = 0;
  lengths.forEach((length, row) => {
    const from = row * columns * size;
    real.set(values.subarray(from, from + length * size), at);
    at += length * size;
  });
  return real;
}

export interface LayerInputs extends InputStatistics {
  size: number;
  /** Σ (x₀ - x) xᵀ, x₀ being the same inputs in the original network, [size, size]; or null. */
  drift: Float64Array | null;
  /** W times it, [rows, size], where that was asked for instead; or null. */
  outputDrift: Float64Array | null;
  /** Mean of each input over the tokens, in the original and in the quantized network. */
  originalMean: Float64Array;
  mean: Float64Array;
  /** Lowest and highest value of each input in the quantized network. */
  min: Float32Array;
  max: Float32Array;
  /** Mean square of each input. */
  energy: Float64Array;
}

/** The products that statistics are made of; without them only means, extremes and energies are. */
export interface StatisticsProducts {
  /** xᵀ x of [k, n]. */
  gram(inputs: Float32Array, sizes: ProductSizes): Float32Array;
  /** leftᵀ right of [k, m] and [k, n]. */
  cross(left: Float32Array, right: Float32Array, sizes: ProductSizes): Promise<Float32Array>;
  /** Inputs [k, n] through the one layer that takes them, [k, rows]; null: several do, or it is as wide. */
  project: ((inputs: Float32Array, count: number) => Promise<Float32Array>) | null;
}

/** Adds up batch by batch what reaches a layer in both networks. */
export class InputCollector {
  readonly #products: StatisticsProducts | null;
  readonly #result: LayerInputs;

  constructor(products: StatisticsProducts | null, size: number) {
    this.#products = products;
    this.#result = {
      size,
      count: 0,
      gram: new Float64Array(products === null ? 0 : size * size),
      drift: null,
      outputDrift: null,
      originalMean: new Float64Array(size),
      mean: new Float64Array(size),
      min: new Float32Array(size),
      max: new Float32Array(size),
      energy: new Float64Array(size),
    };
  }

  /** Tokens so far. */
  get count(): number {
    return this.#result.count;
  }

  /** Values of real tokens only, [count, size]; `original` is the same array where nothing differs yet. */
  async add(original: Float32Array, quantized: Float32Array): Promise<void> {
    const result = this.#result;
    const { size } = result;
    const k = quantized.length / size;
    result.count += k;
    addMoments(result, quantized);
    addSums(result.originalMean, original);
    const products = this.#products;
    if (products === null) return;
    addTo(result.gram, products.gram(quantized, { k, m: size, n: size }));
    if (original === quantized) return;
    const difference = new Float32Array(original.length);
    for (let i = 0; i < difference.length; i++) difference[i] = original[i]! - quantized[i]!;
    if (products.project === null) {
      result.drift ??= new Float64Array(size * size);
      const sizes = { k, m: size, n: size };
      addTo(result.drift, await products.cross(difference, quantized, sizes));
      return;
    }
    const outputs = await products.project(difference, k);
    const rows = outputs.length / k;
    result.outputDrift ??= new Float64Array(rows * size);
    addTo(result.outputDrift, await products.cross(outputs, quantized, { k, m: rows, n: size }));
  }

  finish(): LayerInputs {
    const { count, mean, originalMean, energy } = this.#result;
    if (count > 0)
      for (let i = 0; i < mean.length; i++) {
        mean[i]! /= count;
        energy[i]! /= count;
        originalMean[i]! /= count;
      }
    return this.#result;
  }
}

/** Adds the rows of [k, sums.length] values. */
function addSums(sums: Float64Array, values: Float32Array): void {
  const size = sums.length;
  let at = 0;
  // Four rows at a time: half of the time goes into reading and writing the sums.
  for (const last = values.length - 4 * size; at <= last; at += 4 * size)
    for (let i = 0, row = at; i < size; i++, row++)
      sums[i]! +=
        values[row]! + values[row + size]! + (values[row + 2 * size]! + values[row + 3 * size]!);
  for (; at < values.length; at += size) for (let i = 0; i < size; i++) sums[i]! += values[at + i]!;
}

function addMoments({ size, mean, energy, min, max }: LayerInputs, values: Float32Array): void {
  addSums(mean, values);
  for (let at = 0; at < values.length; at += 2 * size) {
    const next = at + size < values.length ? size : 0;
    for (let i = 0, row = at; i < size; i++, row++) {
      const a = values[row]!;
      const b = values[row + next]!;
      energy[i]! += next === 0 ? a * a : a * a + b * b;
      const low = a < b ? a : b;
      const high = a < b ? b : a;
      if (low < min[i]!) min[i] = low;
      if (high > max[i]!) max[i] = high;
    }
  }
}

function addTo(sums: Float64Array, part: Float32Array): void {
  for (let i = 0; i < sums.length; i++) sums[i]! += part[i]!;
}
