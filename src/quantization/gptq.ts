/**
 * GPTQ: rounds the weights of a linear layer column by column and lets the columns that are still to
 * come make up for the error, by the second-order statistics of the layer's inputs.
 * Frantar et al., "GPTQ: Accurate Post-Training Quantization for Generative Pre-trained Transformers"
 * (2022, arXiv:2210.17323), algorithm 1, with its dampening, activation order and groups.
 *
 * Beyond the paper: when the layer's inputs in the quantized network differ from those in the original
 * (`InputStatistics.drift`), the weights are first moved to give the original's outputs from the inputs they
 * will really see (least squares, as in "GPTAQ", 2025, arXiv:2504.02692).
 */

import { AppError } from "../errors.ts";
import {
  chooseRange,
  encodeValue,
  inverseScale,
  lowestCode,
  type AffineRange,
} from "./affine-range.ts";
import { packCodes, packedBytes } from "./packing.ts";
import { groupLayout, type QuantizationScheme, type QuantizedTensor } from "./quantized-tensor.ts";
import { inverseUpperFactor } from "./linear-algebra.ts";

/** What was seen of a layer's inputs. Matrices are row-major [columns, columns], doubles. */
export interface InputStatistics {
  /** Inputs seen: tokens. */
  count: number;
  /** Σ x xᵀ over the inputs of the quantized network. */
  gram: Float64Array;
  /** Σ (x₀ - x) xᵀ, x₀ being the same inputs in the original network; null when they are the same. */
  drift: Float64Array | null;
}

export interface GptqOptions {
  /** Share of the mean diagonal that is added to it; more is safer with few samples. Default 0.01. */
  dampening?: number;
  /** Takes the columns with the largest inputs first; the groups' scales are then fixed beforehand. Default true. */
  activationOrder?: boolean;
  /** Searches the clipping of each group. Default true. */
  clipSearch?: boolean;
}

const COLUMNS_MAX = 65_536;

/** What all layers with the same inputs share. */
export interface InputFactor {
  columns: number;
  /** In which the columns are rounded. */
  order: readonly number[];
  /** Mean square of every input, by column. */
  energy: Float64Array;
  /** Upper triangular R of (G + λI)⁻¹ = Rᵀ R, rows and columns in `order`. */
  factor: Float64Array;
  activationOrder: boolean;
}

/** `invalid_input` when the statistics are of another size or hold nothing, `model_failed` when they can't be inverted. */
export function factorInputs(
  statistics: InputStatistics,
  columns: number,
  { dampening = 0.01, activationOrder = true }: GptqOptions = {},
): InputFactor {
  checkStatistics(statistics, columns);
  const energy = Float64Array.from(
    { length: columns },
    (_, i) => statistics.gram[i * columns + i]! / statistics.count,
  );
  const order = Array.from({ length: columns }, (_, i) => i);
  if (activationOrder) order.sort((a, b) => energy[b]! - energy[a]! || a - b);
  const hessian = permuted(statistics.gram, columns, order);
  dampen(hessian, columns, dampening);
  return { columns, order, energy, factor: inverseUpperFactor(hessian, columns), activationOrder };
}

/** Quantizes row-major [rows, columns] weights. `invalid_input` when they aren't of that size. */
export function quantizeWithGptq(
  values: Float32Array,
  rows: number,
  scheme: QuantizationScheme,
  inputs: InputFactor,
  options: Pick<GptqOptions, "clipSearch"> = {},
): QuantizedTensor {
  const { columns, order, energy, factor, activationOrder } = inputs;
  if (values.length !== rows * columns)
    throw new AppError(
      "invalid_input",
      `${values.length} values are not a ${rows} x ${columns} matrix.`,
    );
  const { clipSearch = true } = options;

  // Column by column means row by row in the transposed matrix: contiguous.
  const open = new Float32Array(columns * rows);
  for (let row = 0; row < rows; row++)
    for (let i = 0; i < columns; i++) open[i * rows + row] = values[row * columns + order[i]!]!;

  const layout = groupLayout(rows, columns, scheme);
  const ranges: (AffineRange | undefined)[] = new Array(layout.groupCount);
  const rangeOf = (row: number, position: number): AffineRange => {
    const column = order[position]!;
    const start = Math.floor(column / layout.groupColumns);
    const group = layout.firstGroup(row) + start;
    const known = ranges[group];
    if (known !== undefined) return known;
    const count = Math.min(layout.groupColumns, columns - start * layout.groupColumns);
    const settings = { clipSearch, weights: energy };
    const range =
      scheme.group === "tensor"
        ? chooseRange(values, 0, values.length, 1, scheme, { clipSearch })
        : activationOrder
          ? chooseRange(values, row * columns + start * layout.groupColumns, count, 1, scheme, settings, start * layout.groupColumns)
          // In the natural order a group's scale can be fitted to what is left of its columns.
          : chooseRange(open, position * rows + row, count, rows, scheme, settings, column); // prettier-ignore
    ranges[group] = range;
    return range;
  };

  const codes = new Uint8Array(rows * columns);
  const errors = new Float32Array(rows);
  const lowest = lowestCode(scheme);
  const highest = 2 ** scheme.bits - 1;
  for (let i = 0; i < columns; i++) {
    const scaleError = 1 / factor[i * columns + i]!;
    for (let row = 0; row < rows; row++) {
      const { scale, zeroPoint } = rangeOf(row, i);
      const value = open[i * rows + row]!;
      const code = encodeValue(value, inverseScale(scale), zeroPoint, lowest, highest);
      codes[row * columns + order[i]!] = code;
      errors[row] = (value - (code - zeroPoint) * scale) * scaleError;
    }
    for (let j = i + 1; j < columns; j++) {
      const share = factor[i * columns + j]!;
      if (share === 0) continue;
      const base = j * rows;
      for (let row = 0; row < rows; row++) open[base + row]! -= errors[row]! * share;
    }
  }
  return pack(codes, rows, columns, scheme, ranges as AffineRange[]);
}

function pack(
  codes: Uint8Array,
  rows: number,
  columns: number,
  scheme: QuantizationScheme,
  ranges: readonly AffineRange[],
): QuantizedTensor {
  const rowBytes = packedBytes(columns, scheme.bits);
  const packed = new Uint8Array(rows * rowBytes);
  for (let row = 0; row < rows; row++)
    packed.set(
      packCodes(codes.subarray(row * columns, (row + 1) * columns), scheme.bits),
      row * rowBytes,
    );
  return {
    scheme,
    rows,
    columns,
    scales: Float32Array.from(ranges, ({ scale }) => scale),
    zeroPoints: Uint8Array.from(ranges, ({ zeroPoint }) => zeroPoint),
    packed,
  };
}

function checkStatistics({ count, gram, drift }: InputStatistics, columns: number): void {
  if (columns > COLUMNS_MAX)
    throw new AppError("too_large", `A layer with ${columns} inputs is too wide for GPTQ.`, {
      hint: "Use round-to-nearest for it.",
    });
  if (gram.length !== columns ** 2 || (drift !== null && drift.length !== columns ** 2))
    throw new AppError("invalid_input", `The statistics are not of ${columns} inputs.`);
  if (count === 0)
    throw new AppError("invalid_input", "The calibration has no text in it.", {
      hint: "Give at least a hundred sentences.",
    });
  if (!gram.every(Number.isFinite) || (drift !== null && !drift.every(Number.isFinite)))
    throw new AppError("model_failed", "The calibration met numbers that are not finite.", {
      hint: "The weights may be damaged: fetch them again.",
    });
}

function permuted(matrix: Float64Array, n: number, order: readonly number[]): Float64Array {
  const result = new Float64Array(n * n);
  for (let i = 0; i < n; i++)
    for (let j = 0; j < n; j++) result[i * n + j] = matrix[order[i]! * n + order[j]!]!;
  return result;
}

/** Inputs that were never seen get the mean: they could be anything. */
function dampen(matrix: Float64Array, n: number, share: number): void {
  let mean = 0;
  for (let i = 0; i < n; i++) mean += matrix[i * n + i]! / n;
  if (mean === 0) mean = 1;
  for (let i = 0; i < n; i++) {
    if (matrix[i * n + i] === 0) matrix[i * n + i] = mean;
    matrix[i * n + i]! += share * mean;
  }
}

/** leftᵀ right: [k, m] and [k, n] → [m, n], row-major float32. The large products are the runtime's. */
export type Product = (
  left: Float32Array,
  right: Float32Array,
  sizes: { k: number; m: number; n: number },
) => Promise<Float32Array>;

/** W + W D (G + λI)⁻¹: the least-squares weights for the inputs that the quantized network gives. */
export async function fitToDrift(
  values: Float32Array,
  rows: number,
  { columns: n, order, factor }: InputFactor,
  drift: Float64Array,
  product: Product,
): Promise<Float32Array> {
  const weights = new Float32Array(n * rows);
  for (let row = 0; row < rows; row++)
    for (let i = 0; i < n; i++) weights[i * rows + row] = values[row * n + order[i]!]!;
  const upper = Float32Array.from(factor);
  const sizes = { k: n, m: n, n: rows };
  // All transposed: Dᵀ Wᵀ, then R times it, then Rᵀ times that.
  const moved = Float32Array.from(permuted(drift, n, order));
  const step = await product(moved, weights, sizes);
  const half = await product(transposed(upper, n), step, sizes);
  const change = await product(upper, half, sizes);
  const fitted = values.slice();
  for (let row = 0; row < rows; row++)
    for (let i = 0; i < n; i++) fitted[row * n + order[i]!]! += change[i * rows + row]!;
  return fitted;
}

function transposed(matrix: Float32Array, n: number): Float32Array {
  const result = new Float32Array(n * n);
  for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) result[j * n + i] = matrix[i * n + j]!;
  return result;
}
