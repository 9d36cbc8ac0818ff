/** Hosts `rounding.as.ts` and `products.as.ts` on one memory: copies in what a call needs, part by part, and the result out. */

import productBytes from "./products.as.ts?asc";
import roundingBytes from "./rounding.as.ts?asc";
import { firstDamaged, inverseScale, lowestCode, type RangeOptions } from "../affine-range.ts";
import { notInvertible } from "../linear-algebra.ts";
import { checkCodes, packedBytes } from "../packing.ts";
import {
  groupLayout,
  type QuantizationBits,
  type QuantizationScheme,
  type QuantizedTensor,
} from "../quantized-tensor.ts";
import { checkShape, chooseRanges } from "../round-to-nearest.ts";
import { align, KernelMemory } from "./kernel-memory.ts";
import type { ColumnRounding, CpuKernels, ProductSizes } from "./kernels.ts";

/** As the modules declare them; numbers are addresses and counts. */
interface Rounding {
  chooseRanges(...numbers: number[]): number;
  encodeRows(...numbers: number[]): void;
  packCodes(codes: number, count: number, bits: number, packed: number): void;
  dequantizeRows(...numbers: number[]): void;
}
interface Products {
  multiplyFour(...numbers: number[]): void;
  packPanels(...numbers: number[]): void;
  addCrossProduct(...numbers: number[]): void;
  roundColumns(...numbers: number[]): void;
  factorLower(matrix: number, n: number): number;
  invertLower(matrix: number, n: number, inverse: number): void;
}

/** Values copied in at a time: they stay in a processor's second cache. */
const PART_VALUES = 32768;
/** Rows of both sides of a product that are taken in at a time. */
const PRODUCT_ROWS = 256;
/** Columns of GPTQ whose errors reach the later ones together. */
const BLOCK_COLUMNS = 32;

export class WasmKernels implements CpuKernels {
  readonly name = "wasm-simd";
  readonly description = "WebAssembly SIMD";
  readonly #memory = new KernelMemory();
  readonly #rounding: Rounding;
  readonly #products: Products;

  private constructor(rounding: WebAssembly.Module, products: WebAssembly.Module) {
    const abort = (): never => {
      throw new Error("The quantization kernel stopped.");
    };
    const env = { memory: this.#memory.memory, abort };
    const start = (module: WebAssembly.Module): unknown =>
      new WebAssembly.Instance(module, { env }).exports;
    this.#rounding = start(rounding) as Rounding;
    this.#products = start(products) as Products;
  }

  /** Null where WebAssembly SIMD is absent. */
  static async create(): Promise<WasmKernels | null> {
    if (typeof WebAssembly === "undefined" || !WebAssembly.validate(roundingBytes)) return null;
    return new WasmKernels(
      await WebAssembly.compile(roundingBytes),
      await WebAssembly.compile(productBytes),
    );
  }

  quantize(
    values: Float32Array,
    rows: number,
    columns: number,
    scheme: QuantizationScheme,
    options: RangeOptions = {},
  ): QuantizedTensor {
    checkShape(values, rows, columns);
    const layout = groupLayout(rows, columns, scheme);
    const { bits, group } = scheme;
    const rowBytes = packedBytes(columns, bits);
    const packed = new Uint8Array(rows * rowBytes);
    // One scale for all is known before the first row only when all have been looked at.
    const fixed = group === "tensor" ? chooseRanges(values, rows, columns, scheme, options) : null;
    const scales = fixed?.scales ?? new Float32Array(layout.groupCount);
    const zeroPoints = fixed?.zeroPoints ?? new Uint8Array(layout.groupCount);
    this.#byParts(values, rows, columns, scheme, options, (part, at) => {
      const groups = part.rows * layout.groupsPerRow;
      const from = layout.firstGroup(part.first);
      if (fixed === null) {
        this.#chooseRanges(part, at, scheme, options, values);
        scales.set(this.#memory.f32.subarray(at.scales >>> 2, (at.scales >>> 2) + groups), from);
        zeroPoints.set(this.#memory.u8.subarray(at.zeroPoints, at.zeroPoints + groups), from);
      } else {
        this.#memory.f32.set(scales, at.scales >>> 2);
        this.#memory.u8.set(zeroPoints, at.zeroPoints);
      }
      this.#rounding.encodeRows(
        at.values,
        part.rows,
        columns,
        layout.groupColumns,
        fixed === null ? layout.groupsPerRow : 0,
        bits,
        lowestCode(scheme),
        at.scales,
        at.zeroPoints,
        at.codes,
        at.packed,
      );
      const size = part.rows * rowBytes;
      packed.set(this.#memory.u8.subarray(at.packed, at.packed + size), part.first * rowBytes);
    });
    return { scheme, rows, columns, scales, zeroPoints, packed };
  }

  chooseRanges(
    values: Float32Array,
    rows: number,
    columns: number,
    scheme: QuantizationScheme,
    options: RangeOptions = {},
  ): { scales: Float32Array; zeroPoints: Uint8Array } {
    checkShape(values, rows, columns);
    if (scheme.group === "tensor") return chooseRanges(values, rows, columns, scheme, options);
    const layout = groupLayout(rows, columns, scheme);
    const scales = new Float32Array(layout.groupCount);
    const zeroPoints = new Uint8Array(layout.groupCount);
    this.#byParts(values, rows, columns, scheme, options, (part, at) => {
      this.#chooseRanges(part, at, scheme, options, values);
      const groups = part.rows * layout.groupsPerRow;
      const from = layout.firstGroup(part.first);
      scales.set(this.#memory.f32.subarray(at.scales >>> 2, (at.scales >>> 2) + groups), from);
      zeroPoints.set(this.#memory.u8.subarray(at.zeroPoints, at.zeroPoints + groups), from);
    });
    return { scales, zeroPoints };
  }

  dequantize(tensor: QuantizedTensor): Float32Array {
    const { rows, columns } = tensor;
    const values = new Float32Array(rows * columns);
    const rowsAtOnce = Math.max(1, Math.floor(PART_VALUES / Math.max(1, columns)));
    for (let first = 0; first < rows; first += rowsAtOnce) {
      const count = Math.min(rowsAtOnce, rows - first);
      const { decode, size } = this.#decoder(tensor, count, columns);
      const [at] = this.#memory.place([size, 4 * count * columns]);
      const out = at! + align(size);
      decode(at!, first, count, out);
      const from = out >>> 2;
      values.set(this.#memory.f32.subarray(from, from + count * columns), first * columns);
    }
    return values;
  }

  pack(codes: Uint8Array, rows: number, bits: QuantizationBits): Uint8Array {
    const columns = rows === 0 ? 0 : codes.length / rows;
    const rowBytes = packedBytes(columns, bits);
    const packed = new Uint8Array(rows * rowBytes);
    const [from, to] = this.#memory.place([columns, rowBytes]) as [number, number];
    checkCodes(codes, bits);
    for (let row = 0; row < rows; row++) {
      this.#memory.u8.set(codes.subarray(row * columns, (row + 1) * columns), from);
      this.#rounding.packCodes(from, columns, bits, to);
      packed.set(this.#memory.u8.subarray(to, to + rowBytes), row * rowBytes);
    }
    return packed;
  }

  multiply(inputs: Float32Array, count: number, tensor: QuantizedTensor): Float32Array {
    const { rows, columns } = tensor;
    const products = new Float32Array(count * rows);
    const padded = (columns + 3) & ~3;
    const inputsAtOnce = Math.max(1, Math.floor(PART_VALUES / Math.max(1, padded)));
    const { decode, size } = this.#decoder(tensor, 1, columns);
    const [decoderAt, weightsAt, inputsAt, outAt] = this.#memory.place([
      size,
      16 * padded,
      4 * inputsAtOnce * padded,
      16 * inputsAtOnce,
    ]) as [number, number, number, number];
    for (let start = 0; start < count; start += inputsAtOnce) {
      const some = Math.min(inputsAtOnce, count - start);
      this.#memory.f32.fill(0, inputsAt >>> 2, (inputsAt >>> 2) + some * padded);
      for (let i = 0; i < some; i++)
        this.#memory.f32.set(
          inputs.subarray((start + i) * columns, (start + i + 1) * columns),
          (inputsAt >>> 2) + i * padded,
        );
      for (let row = 0; row < rows; row += 4) {
        const wanted = Math.min(4, rows - row);
        this.#memory.f32.fill(0, weightsAt >>> 2, (weightsAt >>> 2) + 4 * padded);
        for (let part = 0; part < wanted; part++)
          decode(decoderAt, row + part, 1, weightsAt + 4 * part * padded);
        this.#products.multiplyFour(inputsAt, some, padded, weightsAt, outAt, 4);
        for (let i = 0; i < some; i++)
          for (let part = 0; part < wanted; part++)
            products[(start + i) * rows + row + part] =
              this.#memory.f32[(outAt >>> 2) + 4 * i + part]!;
      }
    }
    return products;
  }

  crossProduct(left: Float32Array, right: Float32Array, { k, m, n }: ProductSizes): Float32Array {
    const isSymmetric = left === right && m === n;
    const leftPanels = Math.ceil(m / 4);
    const rightPanels = Math.ceil(n / 4);
    const rowsAtOnce = Math.min(k, PRODUCT_ROWS);
    const [rawAt, leftAt, rightAt, sumsAt] = this.#memory.place([
      4 * rowsAtOnce * Math.max(m, n),
      16 * rowsAtOnce * leftPanels,
      16 * rowsAtOnce * rightPanels,
      64 * leftPanels * rightPanels,
    ]) as [number, number, number, number];
    const sumColumns = 4 * rightPanels;
    this.#memory.f32.fill(0, sumsAt >>> 2, (sumsAt >>> 2) + 4 * leftPanels * sumColumns);
    for (let first = 0; first < k; first += rowsAtOnce) {
      const rows = Math.min(rowsAtOnce, k - first);
      this.#memory.f32.set(left.subarray(first * m, (first + rows) * m), rawAt >>> 2);
      this.#products.packPanels(rawAt, rows, m, 0, leftPanels, leftAt);
      if (!isSymmetric) {
        this.#memory.f32.set(right.subarray(first * n, (first + rows) * n), rawAt >>> 2);
        this.#products.packPanels(rawAt, rows, n, 0, rightPanels, rightAt);
      }
      const other = isSymmetric ? leftAt : rightAt;
      this.#products.addCrossProduct(
        leftAt,
        leftPanels,
        other,
        rightPanels,
        rows,
        sumsAt,
        sumColumns,
        isSymmetric ? 1 : 0,
      );
    }
    const product = new Float32Array(m * n);
    for (let i = 0; i < m; i++) {
      const from = (sumsAt >>> 2) + i * sumColumns;
      product.set(this.#memory.f32.subarray(from, from + n), i * n);
    }
    if (isSymmetric)
      for (let i = 0; i < n; i++)
        for (let j = i + 1; j < n; j++) product[j * n + i] = product[i * n + j]!;
    return product;
  }

  roundColumns(job: ColumnRounding, first: number, end: number): void {
    const { rows, columns, open, factor, groups, scales, zeroPoints, codes } = job;
    const inverses = scales.map(inverseScale);
    const floats = [open, factor, scales, inverses, zeroPoints];
    const at = this.#memory.place([
      ...floats.map(({ byteLength }) => byteLength),
      groups.byteLength,
      4 * BLOCK_COLUMNS * rows,
      codes.length,
    ]);
    const [openAt, factorAt, scalesAt, inversesAt, zerosAt, groupsAt, errorsAt, codesAt] =
      at as [number, number, number, number, number, number, number, number]; // prettier-ignore
    floats.forEach((array, i) => this.#memory.f32.set(array, at[i]! >>> 2));
    this.#memory.u32.set(groups, groupsAt >>> 2);
    for (let from = first; from < end; from += BLOCK_COLUMNS)
      this.#products.roundColumns(
        openAt,
        rows,
        columns,
        from,
        Math.min(end, from + BLOCK_COLUMNS),
        factorAt,
        groupsAt,
        scalesAt,
        inversesAt,
        zerosAt,
        job.lowest,
        job.highest,
        errorsAt,
        codesAt,
      );
    open.set(this.#memory.f32.subarray(openAt >>> 2, (openAt >>> 2) + open.length));
    codes.set(this.#memory.u8.subarray(codesAt + first * rows, codesAt + end * rows), first * rows);
  }

  inverseUpperFactor(matrix: Float64Array, n: number): Float64Array {
    const [matrixAt, inverseAt] = this.#memory.place([matrix.byteLength, matrix.byteLength]) as [
      number,
      number,
    ];
    const view = (at: number): Float64Array =>
      new Float64Array(this.#memory.memory.buffer, at, matrix.length);
    // Backwards in rows and columns, upper is lower.
    view(matrixAt).set(matrix.reverse());
    view(inverseAt).fill(0);
    if (this.#products.factorLower(matrixAt, n) === 0) throw notInvertible();
    this.#products.invertLower(matrixAt, n, inverseAt);
    return view(inverseAt).slice().reverse();
  }

  /** Calls `work` with some rows at a time, their values copied in, and the places for what is made of them. */
  #byParts(
    values: Float32Array,
    rows: number,
    columns: number,
    scheme: QuantizationScheme,
    { weights }: RangeOptions,
    work: (part: Part, at: PartPlaces) => void,
  ): void {
    const { groupsPerRow, groupColumns } = groupLayout(1, columns, scheme);
    const rowsAtOnce = Math.max(1, Math.min(rows, Math.floor(PART_VALUES / Math.max(1, columns))));
    const groups = rowsAtOnce * groupsPerRow;
    const [valuesAt, scalesAt, zerosAt, weightsAt, codesAt, packedAt] = this.#memory.place([
      4 * rowsAtOnce * columns,
      4 * groups,
      groups,
      weights === undefined ? 0 : 4 * columns,
      columns,
      rowsAtOnce * packedBytes(columns, scheme.bits),
    ]) as [number, number, number, number, number, number];
    if (weights !== undefined) this.#memory.f32.set(weights.subarray(0, columns), weightsAt >>> 2);
    const at = {
      values: valuesAt,
      scales: scalesAt,
      zeroPoints: zerosAt,
      weights: weights === undefined ? 0 : weightsAt,
      codes: codesAt,
      packed: packedAt,
    };
    for (let first = 0; first < rows; first += rowsAtOnce) {
      const count = Math.min(rowsAtOnce, rows - first);
      this.#memory.f32.set(
        values.subarray(first * columns, (first + count) * columns),
        valuesAt >>> 2,
      );
      work({ first, rows: count, columns, groupColumns }, at);
    }
  }

  #chooseRanges(
    { first, rows, columns, groupColumns }: Part,
    at: PartPlaces,
    { bits, symmetric }: QuantizationScheme,
    { clipSearch = false }: RangeOptions,
    values: Float32Array,
  ): void {
    const damaged = this.#rounding.chooseRanges(
      at.values,
      rows,
      columns,
      groupColumns,
      at.weights,
      bits,
      symmetric ? 1 : 0,
      clipSearch ? 1 : 0,
      at.scales,
      at.zeroPoints,
    );
    if (damaged >= 0) throw firstDamaged(values, (first + damaged) * columns);
  }

  /** What dequantizes up to `rowsAtOnce` rows to an address, with `size` bytes at another. */
  #decoder(
    { packed, scales, zeroPoints, rows, columns, scheme, columnFactors }: QuantizedTensor,
    rowsAtOnce: number,
    codeBytes: number,
  ): { size: number; decode: (at: number, first: number, count: number, out: number) => void } {
    const layout = groupLayout(rows, columns, scheme);
    const isShared = scheme.group === "tensor";
    const rowBytes = packedBytes(columns, scheme.bits);
    const groups = isShared ? 1 : rowsAtOnce * layout.groupsPerRow;
    const sizes = [rowsAtOnce * rowBytes, 4 * groups, groups, 4 * columns, codeBytes].map(align);
    const decode = (at: number, first: number, count: number, out: number): void => {
      const [packedAt, scalesAt, zerosAt, factorsAt, codesAt] = sizes.reduce<number[]>(
        (places, size) => [...places, places.at(-1)! + size],
        [at],
      ) as [number, number, number, number, number];
      const from = layout.firstGroup(first);
      const to = isShared ? 1 : from + count * layout.groupsPerRow;
      this.#memory.u8.set(packed.subarray(first * rowBytes, (first + count) * rowBytes), packedAt);
      this.#memory.f32.set(scales.subarray(from, to), scalesAt >>> 2);
      this.#memory.u8.set(zeroPoints.subarray(from, to), zerosAt);
      if (columnFactors !== undefined) this.#memory.f32.set(columnFactors, factorsAt >>> 2);
      this.#rounding.dequantizeRows(
        packedAt,
        count,
        columns,
        layout.groupColumns,
        isShared ? 0 : layout.groupsPerRow,
        scheme.bits,
        scalesAt,
        zerosAt,
        columnFactors === undefined ? 0 : factorsAt,
        codesAt,
        out,
      );
    };
    return { size: sizes.reduce((sum, size) => sum + size, 0), decode };
  }
}

interface Part {
  first: number;
  rows: number;
  columns: number;
  groupColumns: number;
}

/** Addresses; `weights` is 0 without any. */
interface PartPlaces {
  values: number;
  scales: number;
  zeroPoints: number;
  weights: number;
  codes: number;
  packed: number;
}
