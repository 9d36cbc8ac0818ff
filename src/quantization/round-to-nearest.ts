/**
 * Round-to-nearest weight quantization and its inverse: the scalar reference that every kernel
 * (`kernels/`) is held against. Rounding is to nearest, ties to even, of value * (1 / scale) in float32.
 */

import { AppError } from "../errors.ts";
import {
  chooseRange,
  encodeValue,
  inverseScale,
  lowestCode,
  type RangeOptions,
} from "./affine-range.ts";
import { packCodes, packedBytes, unpackCodes } from "./packing.ts";
import { groupLayout, type QuantizationScheme, type QuantizedTensor } from "./quantized-tensor.ts";

/**
 * Quantizes a row-major [rows, columns] matrix. NaN or infinite weights, a shape that doesn't fit
 * the values, or a group that isn't a positive integer are `invalid_input`.
 */
export function quantizeTensor(
  values: Float32Array,
  rows: number,
  columns: number,
  scheme: QuantizationScheme,
  options: RangeOptions = {},
): QuantizedTensor {
  checkShape(values, rows, columns);
  const { scales, zeroPoints } = chooseRanges(values, rows, columns, scheme, options);
  const layout = groupLayout(rows, columns, scheme);
  const rowBytes = packedBytes(columns, scheme.bits);
  const packed = new Uint8Array(rows * rowBytes);
  const codes = new Uint8Array(columns);
  const lowest = lowestCode(scheme);
  const highest = 2 ** scheme.bits - 1;
  for (let row = 0; row < rows; row++) {
    let group = layout.firstGroup(row);
    for (let start = 0; start < columns; start += layout.groupColumns, group++) {
      const scale = scales[group]!;
      const inverse = inverseScale(scale);
      const zeroPoint = zeroPoints[group]!;
      const end = Math.min(columns, start + layout.groupColumns);
      for (let column = start; column < end; column++)
        codes[column] = encodeValue(values[row * columns + column]!, inverse, zeroPoint, lowest, highest); // prettier-ignore
    }
    packed.set(packCodes(codes, scheme.bits), row * rowBytes);
  }
  return { scheme, rows, columns, scales, zeroPoints, packed };
}

/** `invalid_input` when there are more or fewer values than the shape says. */
export function checkShape(values: Float32Array, rows: number, columns: number): void {
  if (values.length !== rows * columns)
    throw new AppError(
      "invalid_input",
      `${values.length} values are not a ${rows} x ${columns} matrix.`,
    );
}

/** Scales and zero points of every group, in row-major order of the groups. */
export function chooseRanges(
  values: Float32Array,
  rows: number,
  columns: number,
  scheme: QuantizationScheme,
  options: RangeOptions = {},
): { scales: Float32Array; zeroPoints: Uint8Array } {
  const { groupCount, groupColumns, firstGroup } = groupLayout(rows, columns, scheme);
  const scales = new Float32Array(groupCount);
  const zeroPoints = new Uint8Array(groupCount);
  const put = (group: number, at: number, count: number, columnAt: number): void => {
    const range = chooseRange(values, at, count, 1, scheme, options, columnAt);
    scales[group] = range.scale;
    zeroPoints[group] = range.zeroPoint;
  };
  // Columns have no weights of their own when all rows share one scale.
  if (scheme.group === "tensor") {
    const { scale, zeroPoint } = chooseRange(values, 0, values.length, 1, scheme, {
      clipSearch: options.clipSearch ?? false,
    });
    return { scales: Float32Array.of(scale), zeroPoints: Uint8Array.of(zeroPoint) };
  }
  for (let row = 0; row < rows; row++)
    for (let start = 0, group = firstGroup(row); start < columns; start += groupColumns, group++)
      put(group, row * columns + start, Math.min(groupColumns, columns - start), start);
  return { scales, zeroPoints };
}

/** The matrix that the codes stand for, row-major. */
export function dequantizeTensor(tensor: QuantizedTensor): Float32Array {
  const { rows, columns, scheme, scales, zeroPoints, packed } = tensor;
  const layout = groupLayout(rows, columns, scheme);
  const rowBytes = packedBytes(columns, scheme.bits);
  const values = new Float32Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    const codes = unpackCodes(
      packed.subarray(row * rowBytes, (row + 1) * rowBytes),
      scheme.bits,
      columns,
    );
    let group = layout.firstGroup(row);
    for (let start = 0; start < columns; start += layout.groupColumns, group++) {
      const scale = scales[group]!;
      const zeroPoint = zeroPoints[group]!;
      const end = Math.min(columns, start + layout.groupColumns);
      for (let column = start; column < end; column++)
        values[row * columns + column] = (codes[column]! - zeroPoint) * scale;
    }
  }
  const factors = tensor.columnFactors;
  if (factors !== undefined)
    for (let i = 0; i < values.length; i++) values[i]! *= factors[i % columns]!;
  return values;
}
