/** The kernels in scalar TypeScript: what all others are held against, and what runs where WebAssembly SIMD is absent. */

import { encodeValue, inverseScale } from "../affine-range.ts";
import { inverseUpperFactor } from "../linear-algebra.ts";
import { packCodes, packedBytes } from "../packing.ts";
import type { QuantizationBits, QuantizedTensor } from "../quantized-tensor.ts";
import { chooseRanges, dequantizeTensor, quantizeTensor } from "../round-to-nearest.ts";
import type { ColumnRounding, CpuKernels, ProductSizes } from "./kernels.ts";

const { fround } = Math;

export const referenceKernels: CpuKernels = {
  name: "reference",
  description: "scalar code",
  quantize: quantizeTensor,
  dequantize: dequantizeTensor,
  chooseRanges,
  pack,
  multiply,
  crossProduct,
  roundColumns,
  inverseUpperFactor,
};

function pack(codes: Uint8Array, rows: number, bits: QuantizationBits): Uint8Array {
  const columns = rows === 0 ? 0 : codes.length / rows;
  const rowBytes = packedBytes(columns, bits);
  const packed = new Uint8Array(rows * rowBytes);
  for (let row = 0; row < rows; row++)
    packed.set(packCodes(codes.subarray(row * columns, (row + 1) * columns), bits), row * rowBytes);
  return packed;
}

/** Four sums of each product, of every fourth column from the first, second, third and fourth on. */
function multiply(inputs: Float32Array, count: number, tensor: QuantizedTensor): Float32Array {
  const { rows, columns } = tensor;
  const weights = dequantizeTensor(tensor);
  const products = new Float32Array(count * rows);
  const sums = new Float32Array(4);
  for (let i = 0; i < count; i++)
    for (let row = 0; row < rows; row++) {
      sums.fill(0);
      for (let column = 0; column < columns; column++)
        sums[column & 3]! += fround(
          inputs[i * columns + column]! * weights[row * columns + column]!,
        );
      products[i * rows + row] = fround(sums[0]! + sums[1]!) + fround(sums[2]! + sums[3]!);
    }
  return products;
}

function crossProduct(
  left: Float32Array,
  right: Float32Array,
  { k, m, n }: ProductSizes,
): Float32Array {
  const sums = new Float32Array(m * n);
  for (let row = 0; row < k; row++)
    for (let i = 0; i < m; i++) {
      const value = left[row * m + i]!;
      for (let j = 0; j < n; j++) sums[i * n + j]! += fround(value * right[row * n + j]!);
    }
  return sums;
}

function roundColumns(job: ColumnRounding, first: number, end: number): void {
  const { rows, columns, open, factor, groups, scales, zeroPoints, lowest, highest, codes } = job;
  const errors = new Float32Array(rows);
  for (let i = first; i < end; i++) {
    const scaleError = fround(1 / factor[i * columns + i]!);
    const group = groups[i]! * rows;
    for (let row = 0; row < rows; row++) {
      const value = open[i * rows + row]!;
      const scale = scales[group + row]!;
      const zeroPoint = zeroPoints[group + row]!;
      const code = encodeValue(value, inverseScale(scale), zeroPoint, lowest, highest);
      codes[i * rows + row] = code;
      errors[row] = fround(value - fround((code - zeroPoint) * scale)) * scaleError;
    }
    for (let j = i + 1; j < columns; j++) {
      const share = factor[i * columns + j]!;
      for (let row = 0; row < rows; row++) open[j * rows + row]! -= fround(errors[row]! * share);
    }
  }
}
