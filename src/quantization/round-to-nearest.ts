/**
 * Round-to-nearest weight quantization: the scalar reference that every kernel is held against.
 * Per-group affine codes as in Jacob et al., "Quantization and Training of Neural Networks for
 * Efficient Integer-Arithmetic-Only Inference" (2018), section 2.1.
 */

import { AppError } from "../errors.ts";
import { roundTiesToEven } from "../model/rounding.ts";
import { packCodes, packedBytes, unpackCodes } from "./packing.ts";
import type { QuantizationScheme, QuantizedTensor } from "./quantized-tensor.ts";

/**
 * Quantizes a row-major [rows, columns] matrix. NaN or infinite weights, a shape that doesn't fit
 * the values, or a group that isn't a positive integer are `invalid_input`.
 */
export function quantizeTensor(
  values: Float32Array,
  rows: number,
  columns: number,
  scheme: QuantizationScheme,
): QuantizedTensor {
  if (values.length !== rows * columns)
    throw new AppError(
      "invalid_input",
      `${values.length} values are not a ${rows} x ${columns} matrix.`,
    );
  const layout = groupLayout(rows, columns, scheme);
  const ranges = measureRanges(values, columns, layout);
  const levels = 2 ** scheme.bits - 1;
  const scales = new Float32Array(layout.groups);
  const zeroPoints = new Uint8Array(layout.groups);
  for (let g = 0; g < layout.groups; g++) {
    const { min, max } = ranges[g]!;
    if (scheme.symmetric) {
      const middle = 2 ** (scheme.bits - 1);
      zeroPoints[g] = middle;
      scales[g] = Math.fround(Math.max(-min, max) / (middle - 1));
    } else {
      scales[g] = Math.fround((max - min) / levels);
      zeroPoints[g] = scales[g] === 0 ? 0 : clamp(roundTiesToEven(-min / scales[g]!), 0, levels);
    }
  }

  const rowBytes = packedBytes(columns, scheme.bits);
  const packed = new Uint8Array(rows * rowBytes);
  const codes = new Uint8Array(columns);
  const lowest = scheme.symmetric ? 1 : 0; // symmetric codes leave the outermost one out: ±max stay mirrored
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const g = layout.groupOf(row, column);
      const scale = scales[g]!;
      const value = values[row * columns + column]!;
      const code = scale === 0 ? zeroPoints[g]! : roundTiesToEven(value / scale) + zeroPoints[g]!;
      codes[column] = clamp(code, lowest, levels);
    }
    packed.set(packCodes(codes, scheme.bits), row * rowBytes);
  }
  return { scheme, rows, columns, scales, zeroPoints, packed };
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
    for (let column = 0; column < columns; column++) {
      const g = layout.groupOf(row, column);
      values[row * columns + column] = (codes[column]! - zeroPoints[g]!) * scales[g]!;
    }
  }
  return values;
}

interface GroupLayout {
  groups: number;
  groupOf(row: number, column: number): number;
}

function groupLayout(rows: number, columns: number, scheme: QuantizationScheme): GroupLayout {
  if (scheme.group === "tensor") return { groups: 1, groupOf: () => 0 };
  if (scheme.group === "channel") return { groups: rows, groupOf: (row) => row };
  const size = scheme.group;
  if (!Number.isInteger(size) || size < 1)
    throw new AppError("invalid_input", `A group of ${size} values is not possible.`, {
      hint: "Give a positive whole number, for example 32 or 128.",
    });
  const perRow = Math.ceil(columns / size);
  return {
    groups: rows * perRow,
    groupOf: (row, column) => row * perRow + Math.floor(column / size),
  };
}

/** Smallest and largest value per group; zero is always inside, so that zeros stay exact. */
function measureRanges(
  values: Float32Array,
  columns: number,
  layout: GroupLayout,
): { min: number; max: number }[] {
  const ranges = Array.from({ length: layout.groups }, () => ({ min: 0, max: 0 }));
  values.forEach((value, index) => {
    if (!Number.isFinite(value))
      throw new AppError("invalid_input", `The weight at ${index} is ${value}.`, {
        hint: "The weights are damaged: fetch them again.",
      });
    const range = ranges[layout.groupOf(Math.floor(index / columns), index % columns)]!;
    range.min = Math.min(range.min, value);
    range.max = Math.max(range.max, value);
  });
  return ranges;
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value));
}
