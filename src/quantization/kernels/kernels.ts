/**
 * The arithmetic of quantization as one port with three adapters: scalar TypeScript (the
 * specification), WebAssembly SIMD, WebGPU. Codes, packing and dequantized values are the same bit for
 * bit on all of them. Products are sums of float32 products: the CPU's adapters add them in the same
 * order, a GPU may fuse and reorder, so that a sum of n products differs by up to n * 2⁻²³ of the sum of
 * their magnitudes.
 */

import type { RangeOptions } from "../affine-range.ts";
import type { QuantizationBits, QuantizationScheme, QuantizedTensor } from "../quantized-tensor.ts";

export interface ProductSizes {
  k: number;
  m: number;
  n: number;
}

type Awaitable<T> = T | Promise<T>;

/** Arrays that are given are not kept, and not changed. */
export interface QuantizationKernels {
  readonly name: "reference" | "wasm-simd" | "webgpu";
  /** What computes, for people: "WebGPU (its adapter)". */
  readonly description: string;
  /** Rounds row-major [rows, columns] weights to nearest. `invalid_input` as `quantizeTensor` says. */
  quantize(
    values: Float32Array,
    rows: number,
    columns: number,
    scheme: QuantizationScheme,
    options?: RangeOptions,
  ): Awaitable<QuantizedTensor>;
  /** The values that the codes stand for, row-major. */
  dequantize(tensor: QuantizedTensor): Awaitable<Float32Array>;
  /** `rows` rows of codes, a byte each, to rows of whole bytes of packed ones. */
  pack(codes: Uint8Array, rows: number, bits: QuantizationBits): Awaitable<Uint8Array>;
  /** inputs [count, columns] times the weights transposed, without a copy of all weights: [count, rows]. */
  multiply(inputs: Float32Array, count: number, tensor: QuantizedTensor): Awaitable<Float32Array>;
  /** leftᵀ right: [k, m] and [k, n] to [m, n]. Given the same array twice, the half of the work. */
  crossProduct(
    left: Float32Array,
    right: Float32Array,
    sizes: ProductSizes,
  ): Awaitable<Float32Array>;
}

/** GPTQ's columns on their way (`gptq.ts`). */
export interface ColumnRounding {
  /** Values per column: the matrix' rows, padded to a multiple of four. */
  rows: number;
  columns: number;
  /** [columns, rows] in the order of rounding; overwritten. */
  open: Float32Array;
  /** [columns, columns], rows and columns in the order of rounding. */
  factor: Float32Array;
  /** The group of each column. */
  groups: Uint32Array;
  /** [groups, rows]. */
  scales: Float32Array;
  /** [groups, rows], whole numbers. */
  zeroPoints: Float32Array;
  lowest: number;
  highest: number;
  /** [columns, rows]; written. */
  codes: Uint8Array;
}

/** On the CPU nothing has to be waited for. */
export interface CpuKernels extends QuantizationKernels {
  quantize(...given: Parameters<QuantizationKernels["quantize"]>): QuantizedTensor;
  dequantize(tensor: QuantizedTensor): Float32Array;
  pack(codes: Uint8Array, rows: number, bits: QuantizationBits): Uint8Array;
  multiply(inputs: Float32Array, count: number, tensor: QuantizedTensor): Float32Array;
  crossProduct(left: Float32Array, right: Float32Array, sizes: ProductSizes): Float32Array;
  /** Scale and zero point of every group, in row-major order of the groups. */
  chooseRanges(
    values: Float32Array,
    rows: number,
    columns: number,
    scheme: QuantizationScheme,
    options?: RangeOptions,
  ): { scales: Float32Array; zeroPoints: Uint8Array };
  /** Rounds the columns [first, end) and takes their errors out of all later ones. */
  roundColumns(job: ColumnRounding, first: number, end: number): void;
  /** `linear-algebra.ts`; may differ in the last bits. The matrix is overwritten. */
  inverseUpperFactor(matrix: Float64Array, n: number): Float64Array;
}
