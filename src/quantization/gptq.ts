/**
 * GPTQ: rounds the weights of a linear layer column by column and lets the columns that are still to
 * come make up for the error, by the second-order statistics of the layer's inputs.
 * Frantar et al., "GPTQ: Accurate Post-Training Quantization for Generative Pre-trained Transformers"
 * (2022, arXiv:2210.17323), algorithm 1, with its dampening, activation order and groups.
 *
 * Beyond the paper: when the inputs x of the layer in the quantized network aren't the original's x₀, so
 * that there is a drift D = Σ (x₀ - x) xᵀ, the weights are first moved to give the original's outputs from the inputs they
 * will really see (least squares, as in "GPTAQ", 2025, arXiv:2504.02692).
 */

import { AppError } from "../errors.ts";
import { chooseRange, lowestCode } from "./affine-range.ts";
import type { ColumnRounding, CpuKernels, ProductSizes } from "./kernels/kernels.ts";
import { groupLayout, type QuantizationScheme, type QuantizedTensor } from "./quantized-tensor.ts";
import { checkShape } from "./round-to-nearest.ts";

/** What was seen of a layer's inputs. */
export interface InputStatistics {
  /** Inputs seen: tokens. */
  count: number;
  /** Σ x xᵀ over the inputs of the quantized network, row-major [columns, columns]. */
  gram: Float64Array;
}

export interface GptqOptions {
  /** Share of the mean diagonal that is added to it; more is safer with few samples. Default 0.1, see `DAMPENING`. */
  dampening?: number;
  /** Takes the columns with the largest inputs first; the groups' scales are then fixed beforehand. Default true. */
  activationOrder?: boolean;
  /** Searches the clipping of each group. Default true. */
  clipSearch?: boolean;
}

const COLUMNS_MAX = 65_536;
/** The paper's 0.01 follows a few tokens per column too closely: at 2 bits 0.885 became 0.894 (decisions/0025). */
const DAMPENING = 0.1;

/** What all layers with the same inputs share. */
export interface InputFactor {
  columns: number;
  /** In which the columns are rounded. */
  order: readonly number[];
  /** Mean square of every input, by column. */
  energy: Float32Array;
  /** Upper triangular R of (G + λI)⁻¹ = Rᵀ R, rows and columns in `order`. */
  factor: Float32Array;
  activationOrder: boolean;
}

/** `invalid_input` when the statistics are of another size or hold nothing, `model_failed` when they can't be inverted. */
export function factorInputs(
  statistics: InputStatistics,
  columns: number,
  kernels: CpuKernels,
  { dampening = DAMPENING, activationOrder = true }: GptqOptions = {},
): InputFactor {
  checkStatistics(statistics, columns);
  const energy = Float32Array.from(
    { length: columns },
    (_, i) => statistics.gram[i * columns + i]! / statistics.count,
  );
  const order = Array.from({ length: columns }, (_, i) => i);
  if (activationOrder) order.sort((a, b) => energy[b]! - energy[a]! || a - b);
  const hessian = permuted(statistics.gram, columns, order);
  dampen(hessian, columns, dampening);
  const factor = Float32Array.from(kernels.inverseUpperFactor(hessian, columns));
  return { columns, order, energy, factor, activationOrder };
}

/** Quantizes row-major [rows, columns] weights. `invalid_input` when they aren't of that size. */
export function quantizeWithGptq(
  values: Float32Array,
  rows: number,
  scheme: QuantizationScheme,
  inputs: InputFactor,
  kernels: CpuKernels,
  { clipSearch = true }: Pick<GptqOptions, "clipSearch"> = {},
): QuantizedTensor {
  const { columns, order, energy, factor, activationOrder } = inputs;
  checkShape(values, rows, columns);
  const layout = groupLayout(rows, columns, scheme);
  const options = { clipSearch, weights: energy };
  const { scales, zeroPoints } = kernels.chooseRanges(values, rows, columns, scheme, options);

  // Column by column means row by row in the transposed matrix: contiguous.
  const paddedRows = Math.ceil(rows / 4) * 4;
  const open = new Float32Array(columns * paddedRows);
  for (let row = 0; row < rows; row++)
    for (let i = 0; i < columns; i++)
      open[i * paddedRows + row] = values[row * columns + order[i]!]!;
  const { groupsPerRow, groupColumns } = layout;
  const job: ColumnRounding = {
    rows: paddedRows,
    columns,
    open,
    factor,
    groups: Uint32Array.from(order, (column) => Math.floor(column / groupColumns)),
    scales: new Float32Array(groupsPerRow * paddedRows),
    zeroPoints: new Float32Array(groupsPerRow * paddedRows),
    lowest: lowestCode(scheme),
    highest: 2 ** scheme.bits - 1,
    codes: new Uint8Array(columns * paddedRows),
  };
  const putRanges = (group: number): void => {
    for (let row = 0; row < rows; row++) {
      const from = layout.firstGroup(row) + group;
      job.scales[group * paddedRows + row] = scales[from]!;
      job.zeroPoints[group * paddedRows + row] = zeroPoints[from]!;
    }
  };
  for (let group = 0; group < groupsPerRow; group++) putRanges(group);
  if (activationOrder || scheme.group === "tensor") kernels.roundColumns(job, 0, columns);
  else
    // In the natural order a group's scale can be fitted to what is left of its columns.
    for (let start = 0, group = 0; start < columns; start += groupColumns, group++) {
      const end = Math.min(columns, start + groupColumns);
      for (let row = 0; row < rows; row++) {
        const at = layout.firstGroup(row) + group;
        const range = chooseRange(open, start * paddedRows + row, end - start, paddedRows, scheme, options, start); // prettier-ignore
        scales[at] = range.scale;
        zeroPoints[at] = range.zeroPoint;
      }
      putRanges(group);
      kernels.roundColumns(job, start, end);
    }

  const codes = new Uint8Array(rows * columns);
  for (let i = 0; i < columns; i++)
    for (let row = 0; row < rows; row++)
      codes[row * columns + order[i]!] = job.codes[i * paddedRows + row]!;
  const packed = kernels.pack(codes, rows, scheme.bits);
  return { scheme, rows, columns, scales, zeroPoints, packed };
}

function checkStatistics({ count, gram }: InputStatistics, columns: number): void {
  if (columns > COLUMNS_MAX)
    throw new AppError("too_large", `A layer with ${columns} inputs is too wide for GPTQ.`, {
      hint: "Use round-to-nearest for it.",
    });
  if (gram.length !== columns ** 2)
    throw new AppError("invalid_input", `The statistics are not of ${columns} inputs.`);
  if (count === 0)
    throw new AppError("invalid_input", "The calibration has no text in it.", {
      hint: "Give at least a hundred sentences.",
    });
  if (!gram.every(Number.isFinite))
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
  sizes: ProductSizes,
) => Promise<Float32Array>;

/** W D, [rows, columns]: what the inputs' drift does to the outputs. */
export async function outputDrift(
  values: Float32Array,
  rows: number,
  columns: number,
  drift: Float64Array,
  product: Product,
): Promise<Float64Array> {
  const weights = transposed(values, rows, columns);
  const sizes = { k: columns, m: rows, n: columns };
  return Float64Array.from(await product(weights, Float32Array.from(drift), sizes));
}

/**
 * W + W D (G + λI)⁻¹: the least-squares weights for the inputs that the quantized network gives.
 * @param drift W D, row-major [rows, columns]
 */
export async function fitToDrift(
  values: Float32Array,
  rows: number,
  { columns: n, order, factor }: InputFactor,
  drift: Float64Array,
  product: Product,
): Promise<Float32Array> {
  // All transposed: R times (W D)ᵀ, then Rᵀ times that.
  const step = new Float32Array(n * rows);
  for (let row = 0; row < rows; row++)
    for (let i = 0; i < n; i++) step[i * rows + row] = drift[row * n + order[i]!]!;
  const sizes = { k: n, m: n, n: rows };
  const half = await product(transposed(factor, n, n), step, sizes);
  const change = await product(factor, half, sizes);
  const fitted = values.slice();
  for (let row = 0; row < rows; row++)
    for (let i = 0; i < n; i++) fitted[row * n + order[i]!]! += change[i * rows + row]!;
  return fitted;
}

function transposed(matrix: Float32Array, rows: number, columns: number): Float32Array {
  const result = new Float32Array(rows * columns);
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < columns; j++) result[j * rows + i] = matrix[i * columns + j]!;
  return result;
}
