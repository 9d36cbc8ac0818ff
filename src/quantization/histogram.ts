/** How the values of a tensor lie before and after rounding: what the workbench draws of it. */

import { packedBytes, unpackCodes } from "./packing.ts";
import { groupLayout, type QuantizedTensor } from "./quantized-tensor.ts";

export interface TensorHistogram {
  name: string;
  /** Of the values before and after. */
  min: number;
  max: number;
  /** Equally wide bins between these: where all but one value in a thousand lie, for a few are far out. */
  from: number;
  to: number;
  /** Values per bin, the last one closed at both ends. */
  before: number[];
  after: number[];
  /** How often each code is used; null at 8 bits, where there are 256. */
  codes: number[] | null;
  /** The values that the codes of one group stand for, the group whose scale is in the middle; null at 8 bits. */
  levels: number[] | null;
}

export const HISTOGRAM_BINS = 72;

/** @param original, rounded row-major values of the same tensor, @param tensor the codes that gave `rounded` */
export function compareHistograms(
  name: string,
  original: Float32Array,
  rounded: Float32Array,
  tensor: QuantizedTensor,
): TensorHistogram {
  let [min, max] = [Infinity, -Infinity];
  for (const values of [original, rounded])
    for (const value of values) {
      if (value < min) min = value;
      if (value > max) max = value;
    }
  if (min > max) [min, max] = [0, 0];
  const [from, to] = middle(original, min, max);
  const few = tensor.scheme.bits < 8;
  return {
    name,
    min,
    max,
    from,
    to,
    before: count(original, from, to, HISTOGRAM_BINS),
    after: count(rounded, from, to, HISTOGRAM_BINS),
    codes: few ? countCodes(tensor) : null,
    levels: few ? levelsOfMiddleGroup(tensor) : null,
  };
}

/** Values that may lie outside of what is drawn, at either end. */
const OUTSIDE_SHARE = 0.0005;
const FINE_BINS = 8192;

/** The range without its far ends, as closely as fine bins tell. */
function middle(values: Float32Array, min: number, max: number): [from: number, to: number] {
  const bins = count(values, min, max, FINE_BINS);
  const allowed = Math.floor(values.length * OUTSIDE_SHARE);
  const skipped = (order: readonly number[]): number => {
    let left = allowed;
    return Math.max(
      0,
      order.findIndex((found) => (left -= found) < 0),
    );
  };
  const width = (max - min) / FINE_BINS;
  return [min + skipped(bins) * width, max - skipped(bins.toReversed()) * width];
}

function count(values: Float32Array, from: number, to: number, binCount: number): number[] {
  const bins = new Array<number>(binCount).fill(0);
  const perBin = to > from ? binCount / (to - from) : 0;
  for (const value of values)
    if (value >= from && value <= to)
      bins[Math.min(binCount - 1, Math.floor((value - from) * perBin))]!++;
  return bins;
}

function countCodes({ scheme, rows, columns, packed }: QuantizedTensor): number[] {
  const counts = new Array<number>(2 ** scheme.bits).fill(0);
  const rowBytes = packedBytes(columns, scheme.bits);
  for (let row = 0; row < rows; row++) {
    const bytes = packed.subarray(row * rowBytes, (row + 1) * rowBytes);
    for (const code of unpackCodes(bytes, scheme.bits, columns)) counts[code]!++;
  }
  return counts;
}

function levelsOfMiddleGroup({ scales, zeroPoints, scheme, rows, columns }: QuantizedTensor) {
  if (groupLayout(rows, columns, scheme).groupCount === 0) return [];
  const order = Array.from(scales.keys()).sort((a, b) => scales[a]! - scales[b]! || a - b);
  const group = order[order.length >> 1]!;
  return Array.from(
    { length: 2 ** scheme.bits },
    (_, code) => (code - zeroPoints[group]!) * scales[group]!,
  );
}
