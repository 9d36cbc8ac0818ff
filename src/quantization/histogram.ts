/** How the values of a tensor lie before and after rounding: what the workbench draws of it. */

import { packedBytes, unpackCodes } from "./packing.ts";
import { groupLayout, type QuantizedTensor } from "./quantized-tensor.ts";

export interface TensorHistogram {
  name: string;
  /** Of the values before and after; bins are equally wide between them. */
  min: number;
  max: number;
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
  const few = tensor.scheme.bits < 8;
  return {
    name,
    min,
    max,
    before: count(original, min, max),
    after: count(rounded, min, max),
    codes: few ? countCodes(tensor) : null,
    levels: few ? levelsOfMiddleGroup(tensor) : null,
  };
}

function count(values: Float32Array, min: number, max: number): number[] {
  const bins = new Array<number>(HISTOGRAM_BINS).fill(0);
  const perBin = max > min ? HISTOGRAM_BINS / (max - min) : 0;
  for (const value of values)
    bins[Math.min(HISTOGRAM_BINS - 1, Math.floor((value - min) * perBin))]!++;
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
