/**
 * The kernels on a WebGPU device. Matrices that don't fit a buffer go through in parts of whole rows.
 * Scales are chosen here, from the extremes that the device found: its division isn't exact.
 */

import { AppError } from "../../errors.ts";
import {
  firstDamaged,
  inverseScale,
  isWeight,
  lowestCode,
  rangeOf,
  type RangeOptions,
} from "../affine-range.ts";
import { checkCodes, packedBytes } from "../packing.ts";
import {
  groupLayout,
  type QuantizationBits,
  type QuantizationScheme,
  type QuantizedTensor,
} from "../quantized-tensor.ts";
import { checkShape } from "../round-to-nearest.ts";
import { GpuRunner, THREADS, TILE, type Job } from "./gpu-runner.ts";
import type { CpuKernels, ProductSizes, QuantizationKernels } from "./kernels.ts";

export class GpuKernels implements QuantizationKernels {
  readonly name = "webgpu";
  readonly description: string;
  readonly #runner: GpuRunner;
  readonly #cpu: CpuKernels;
  readonly #maxBytes: number;

  private constructor(runner: GpuRunner, name: string, cpu: CpuKernels, maxBytes: number) {
    this.#runner = runner;
    this.description = `WebGPU (${[name, ...runner.features].join(", ")})`;
    this.#cpu = cpu;
    this.#maxBytes = Math.min(runner.maxBytes, maxBytes);
  }

  /**
   * Compiles the shader; rejects when the device can't.
   * @param maxBytes largest buffer; larger matrices go through in parts
   */
  static async create(
    device: GPUDevice,
    { name, cpu, maxBytes = Infinity }: { name: string; cpu: CpuKernels; maxBytes?: number },
  ): Promise<GpuKernels> {
    return new GpuKernels(await GpuRunner.create(device), name, cpu, maxBytes);
  }

  async quantize(
    values: Float32Array,
    rows: number,
    columns: number,
    scheme: QuantizationScheme,
    options: RangeOptions = {},
  ): Promise<QuantizedTensor> {
    checkShape(values, rows, columns);
    const layout = groupLayout(rows, columns, scheme);
    const { scales, zeroPoints } = options.clipSearch
      ? // A search sums in a fixed order, which a device may change.
        this.#cpu.chooseRanges(values, rows, columns, scheme, options)
      : await this.#chooseRanges(values, rows, columns, scheme);
    const isShared = scheme.group === "tensor";
    const rowBytes = packedBytes(columns, scheme.bits);
    const packed = new Uint8Array(rows * rowBytes);
    await this.#byRows(rows, 4 * columns, async (first, count) => {
      const from = layout.firstGroup(first);
      const groups = isShared ? 1 : count * layout.groupsPerRow;
      const ranges = new Float32Array(2 * groups);
      for (let i = 0; i < groups; i++) {
        ranges[2 * i] = inverseScale(scales[from + i]!);
        ranges[2 * i + 1] = zeroPoints[from + i]!;
      }
      const words = Math.ceil((count * rowBytes) / 4);
      const result = await this.#runner.run("encode", {
        params: {
          rows: count,
          columns,
          groupColumns: layout.groupColumns,
          groupStep: isShared ? 0 : layout.groupsPerRow,
          bits: scheme.bits,
          lowest: lowestCode(scheme),
        },
        inputs: rowsOf(values, first, count, columns),
        ranges,
        resultBytes: 4 * words,
        groups: this.#runner.grid(Math.ceil(words / THREADS)),
      });
      packed.set(new Uint8Array(result, 0, count * rowBytes), first * rowBytes);
    });
    return { scheme, rows, columns, scales, zeroPoints, packed };
  }

  async dequantize(tensor: QuantizedTensor): Promise<Float32Array> {
    const { rows, columns } = tensor;
    const values = new Float32Array(rows * columns);
    await this.#byRows(rows, 4 * columns, async (first, count) => {
      const result = await this.#runner.run("dequantize", {
        ...weightsJob(tensor, first, count),
        resultBytes: 4 * count * columns,
        groups: this.#runner.grid(Math.ceil((count * columns) / THREADS)),
      });
      values.set(new Float32Array(result), first * columns);
    });
    return values;
  }

  async pack(codes: Uint8Array, rows: number, bits: QuantizationBits): Promise<Uint8Array> {
    const columns = rows === 0 ? 0 : codes.length / rows;
    checkCodes(codes, bits);
    const rowBytes = packedBytes(columns, bits);
    const packed = new Uint8Array(rows * rowBytes);
    await this.#byRows(rows, columns, async (first, count) => {
      const words = Math.ceil((count * rowBytes) / 4);
      const result = await this.#runner.run("pack", {
        params: { rows: count, columns, bits },
        inputs: wholeWords(codes.subarray(first * columns, (first + count) * columns)),
        resultBytes: 4 * words,
        groups: this.#runner.grid(Math.ceil(words / THREADS)),
      });
      packed.set(new Uint8Array(result, 0, count * rowBytes), first * rowBytes);
    });
    return packed;
  }

  async multiply(
    inputs: Float32Array,
    count: number,
    tensor: QuantizedTensor,
  ): Promise<Float32Array> {
    const { rows, columns } = tensor;
    const products = new Float32Array(count * rows);
    // What binds is the wider of inputs and products.
    await this.#byRows(count, 4 * Math.max(rows, columns), async (first, some) => {
      const part = rowsOf(inputs, first, some, columns);
      await this.#byRows(rows, 4 * Math.max(columns, some), async (firstRow, rowCount) => {
        const job = weightsJob(tensor, firstRow, rowCount);
        const result = await this.#runner.run("multiply", {
          ...job,
          params: { ...job.params, count: some },
          inputs: part,
          resultBytes: 4 * some * rowCount,
          groups: [Math.ceil(rowCount / TILE), Math.ceil(some / TILE)],
        });
        const values = new Float32Array(result);
        for (let i = 0; i < some; i++)
          products.set(
            values.subarray(i * rowCount, (i + 1) * rowCount),
            (first + i) * rows + firstRow,
          );
      });
    });
    return products;
  }

  async crossProduct(
    left: Float32Array,
    right: Float32Array,
    { k, m, n }: ProductSizes,
  ): Promise<Float32Array> {
    const isSymmetric = left === right && m === n;
    const product = new Float32Array(m * n);
    await this.#byRows(k, 4 * Math.max(m, n), async (first, count) => {
      const inputs = rowsOf(left, first, count, m);
      const result = await this.#runner.run("crossProduct", {
        params: { rows: m, columns: n, count, hasFactors: isSymmetric },
        inputs,
        packed: isSymmetric ? inputs : rowsOf(right, first, count, n),
        resultBytes: 4 * m * n,
        groups: [Math.ceil(n / TILE), Math.ceil(m / TILE)],
      });
      const part = new Float32Array(result);
      for (let i = 0; i < part.length; i++) product[i]! += part[i]!;
    });
    if (isSymmetric)
      for (let i = 0; i < n; i++)
        for (let j = i + 1; j < n; j++) product[j * n + i] = product[i * n + j]!;
    return product;
  }

  async #chooseRanges(
    values: Float32Array,
    rows: number,
    columns: number,
    scheme: QuantizationScheme,
  ): Promise<{ scales: Float32Array; zeroPoints: Uint8Array }> {
    const isShared = scheme.group === "tensor";
    // With one scale for all: the extremes of every row, then theirs.
    const layout = groupLayout(rows, columns, isShared ? { group: "channel" } : scheme);
    const groupCount = isShared ? 1 : layout.groupCount;
    const scales = new Float32Array(groupCount);
    const zeroPoints = new Uint8Array(groupCount);
    const put = (group: number, low: number, high: number): void => {
      const range = rangeOf(low, high, scheme);
      scales[group] = range.scale;
      zeroPoints[group] = range.zeroPoint;
    };
    let [lowest, highest] = [0, 0];
    await this.#byRows(rows, 4 * columns, async (first, count) => {
      const groups = count * layout.groupsPerRow;
      const result = await this.#runner.run("extremes", {
        params: {
          rows: count,
          columns,
          groupColumns: layout.groupColumns,
          rowGroups: layout.groupsPerRow,
        },
        inputs: rowsOf(values, first, count, columns),
        resultBytes: 12 * groups,
        groups: this.#runner.grid(groups),
      });
      const floats = new Float32Array(result);
      for (let i = 0; i < groups; i++) {
        if (!isWeight(floats[3 * i + 2]!)) throw firstDamaged(values, first * columns);
        const [low, high] = [floats[3 * i]!, floats[3 * i + 1]!];
        if (!isShared) put(layout.firstGroup(first) + i, low, high);
        lowest = Math.min(lowest, low);
        highest = Math.max(highest, high);
      }
    });
    if (isShared) put(0, lowest, highest);
    return { scales, zeroPoints };
  }

  /** Calls `work` with so many rows at a time that `rowBytes` each fit a buffer. `too_large` when one doesn't. */
  async #byRows(
    rows: number,
    rowBytes: number,
    work: (first: number, count: number) => Promise<void>,
  ): Promise<void> {
    const atOnce = Math.floor(this.#maxBytes / Math.max(1, rowBytes));
    if (atOnce < 1)
      throw new AppError("too_large", "A row of the matrix is too large for the graphics processor."); // prettier-ignore
    for (let first = 0; first < rows; first += atOnce)
      await work(first, Math.min(atOnce, rows - first));
  }
}

/** The weights of rows [first, first + count) as the shader takes them. */
function weightsJob(
  { packed, scales, zeroPoints, rows, columns, scheme, columnFactors }: QuantizedTensor,
  first: number,
  count: number,
): Pick<Job, "params" | "packed" | "ranges" | "factors"> {
  const layout = groupLayout(rows, columns, scheme);
  const isShared = scheme.group === "tensor";
  const rowBytes = packedBytes(columns, scheme.bits);
  const from = layout.firstGroup(first);
  const groups = isShared ? 1 : count * layout.groupsPerRow;
  const ranges = new Float32Array(2 * groups);
  for (let i = 0; i < groups; i++) {
    ranges[2 * i] = scales[from + i]!;
    ranges[2 * i + 1] = zeroPoints[from + i]!;
  }
  return {
    params: {
      rows: count,
      columns,
      groupColumns: layout.groupColumns,
      groupStep: isShared ? 0 : layout.groupsPerRow,
      bits: scheme.bits,
      hasFactors: columnFactors !== undefined,
    },
    packed: wholeWords(packed.subarray(first * rowBytes, (first + count) * rowBytes)),
    ranges,
    factors: columnFactors as Float32Array<ArrayBuffer> | undefined,
  };
}

function rowsOf(
  values: Float32Array,
  first: number,
  count: number,
  columns: number,
): Float32Array<ArrayBuffer> {
  return values.subarray(first * columns, (first + count) * columns) as Float32Array<ArrayBuffer>;
}

/** Buffers are written in words. */
function wholeWords(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  if (bytes.length % 4 === 0) return bytes as Uint8Array<ArrayBuffer>;
  const padded = new Uint8Array(Math.ceil(bytes.length / 4) * 4);
  padded.set(bytes);
  return padded;
}
