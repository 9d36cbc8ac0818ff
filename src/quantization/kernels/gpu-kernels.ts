/**
 * Hosts `quantize.wgsl` on a WebGPU device. Matrices that don't fit a buffer go through in parts of whole
 * rows. Scales are chosen here, from the extremes that the device found: its division isn't exact.
 */

import code from "./quantize.wgsl?raw";
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
import type { CpuKernels, ProductSizes, QuantizationKernels } from "./kernels.ts";

/** Used where the device was made with them. */
export const GPU_FEATURES = ["subgroups", "shader-f16"] as const satisfies GPUFeatureName[];

const STAGES = ["extremes", "encode", "pack", "dequantize", "multiply", "crossProduct"] as const;
type Stage = (typeof STAGES)[number];

const THREADS = 64;
const TILE = 64;
const PARAM_BYTES = 48;

/** What the shader is told; see its `Params`. */
interface Params {
  rows: number;
  columns: number;
  groupColumns?: number;
  rowGroups?: number;
  groupStep?: number;
  bits?: number;
  lowest?: number;
  hasFactors?: boolean;
  count?: number;
}

interface Job {
  params: Params;
  inputs?: ArrayBufferView<ArrayBuffer>;
  packed?: ArrayBufferView<ArrayBuffer>;
  ranges?: Float32Array<ArrayBuffer>;
  factors?: Float32Array<ArrayBuffer> | undefined;
  resultBytes: number;
  /** Workgroups. */
  groups: readonly [number, number];
}

export class GpuKernels implements QuantizationKernels {
  readonly name = "webgpu";
  readonly description: string;
  readonly #device: GPUDevice;
  readonly #cpu: CpuKernels;
  readonly #stages: ReadonlyMap<Stage, GPUComputePipeline>;
  readonly #layout: GPUBindGroupLayout;
  readonly #maxBytes: number;
  #lost: string | null = null;

  private constructor(
    device: GPUDevice,
    description: string,
    cpu: CpuKernels,
    stages: ReadonlyMap<Stage, GPUComputePipeline>,
    layout: GPUBindGroupLayout,
    maxBytes: number,
  ) {
    this.#device = device;
    this.description = description;
    this.#cpu = cpu;
    this.#stages = stages;
    this.#layout = layout;
    const { limits } = device;
    this.#maxBytes = Math.min(limits.maxStorageBufferBindingSize, limits.maxBufferSize, maxBytes);
    void device.lost.then(({ message }) => (this.#lost = message || "no reason was given"));
  }

  /**
   * Compiles the shader, with subgroups and half floats where the device was made with them; rejects when
   * it can't.
   * @param maxBytes largest buffer; larger matrices go through in parts
   */
  static async create(
    device: GPUDevice,
    { name, cpu, maxBytes = Infinity }: { name: string; cpu: CpuKernels; maxBytes?: number },
  ): Promise<GpuKernels> {
    const types: GPUBufferBindingType[] = [
      "uniform",
      "read-only-storage",
      "read-only-storage",
      "read-only-storage",
      "read-only-storage",
      "storage",
    ];
    const groupLayout = device.createBindGroupLayout({
      entries: types.map((type, binding) => ({
        binding,
        visibility: VISIBLE_TO_COMPUTE,
        buffer: { type },
      })),
    });
    const layout = device.createPipelineLayout({ bindGroupLayouts: [groupLayout] });
    const used = GPU_FEATURES.filter((feature) => device.features.has(feature));
    const module = device.createShaderModule({ code: prelude(used) + code });
    const { messages } = await module.getCompilationInfo();
    const refused = messages.filter(({ type }) => type === "error");
    if (refused.length > 0)
      throw new AppError(
        "internal",
        `The graphics processor's compiler refused the kernels: ${refused.map(({ lineNum, message }) => `line ${lineNum}: ${message}`).join("; ")}`,
      );
    const stages = new Map<Stage, GPUComputePipeline>();
    await Promise.all(
      STAGES.map(async (entryPoint) =>
        stages.set(
          entryPoint,
          await device.createComputePipelineAsync({ layout, compute: { module, entryPoint } }),
        ),
      ),
    );
    const description = `WebGPU (${[name, ...used].join(", ")})`;
    return new GpuKernels(device, description, cpu, stages, groupLayout, maxBytes);
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
      const result = await this.#run("encode", {
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
        groups: this.#grid(Math.ceil(words / THREADS)),
      });
      packed.set(new Uint8Array(result, 0, count * rowBytes), first * rowBytes);
    });
    return { scheme, rows, columns, scales, zeroPoints, packed };
  }

  async dequantize(tensor: QuantizedTensor): Promise<Float32Array> {
    const { rows, columns } = tensor;
    const values = new Float32Array(rows * columns);
    await this.#byRows(rows, 4 * columns, async (first, count) => {
      const result = await this.#run("dequantize", {
        ...weightsJob(tensor, first, count),
        resultBytes: 4 * count * columns,
        groups: this.#grid(Math.ceil((count * columns) / THREADS)),
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
      const result = await this.#run("pack", {
        params: { rows: count, columns, bits },
        inputs: wholeWords(codes.subarray(first * columns, (first + count) * columns)),
        resultBytes: 4 * words,
        groups: this.#grid(Math.ceil(words / THREADS)),
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
        const result = await this.#run("multiply", {
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
      const result = await this.#run("crossProduct", {
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
      const result = await this.#run("extremes", {
        params: {
          rows: count,
          columns,
          groupColumns: layout.groupColumns,
          rowGroups: layout.groupsPerRow,
        },
        inputs: rowsOf(values, first, count, columns),
        resultBytes: 12 * groups,
        groups: this.#grid(groups),
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

  #grid(groups: number): [number, number] {
    const most = this.#device.limits.maxComputeWorkgroupsPerDimension;
    const y = Math.max(1, Math.ceil(groups / most));
    return [Math.ceil(groups / y), y];
  }

  /** `device_lost` when the device ended, `too_large` when it has no memory for the job. */
  async #run(stage: Stage, job: Job): Promise<ArrayBuffer> {
    if (job.resultBytes === 0) return new ArrayBuffer(0);
    const device = this.#device;
    this.#throwIfLost();
    const made: GPUBuffer[] = [];
    const create = (size: number, usage: number): GPUBuffer => {
      const buffer = device.createBuffer({ size: Math.max(4, size), usage });
      made.push(buffer);
      return buffer;
    };
    const upload = (view: ArrayBufferView<ArrayBuffer> | undefined): GPUBuffer => {
      const buffer = create(view?.byteLength ?? 4, STORAGE | COPY_DST);
      if (view !== undefined && view.byteLength > 0) device.queue.writeBuffer(buffer, 0, view);
      return buffer;
    };
    device.pushErrorScope("internal");
    device.pushErrorScope("validation");
    device.pushErrorScope("out-of-memory");
    try {
      const params = create(PARAM_BYTES, UNIFORM | COPY_DST);
      device.queue.writeBuffer(params, 0, paramWords(job.params));
      const inputs = upload(job.inputs);
      const packed = job.packed === job.inputs ? inputs : upload(job.packed);
      const result = create(job.resultBytes, STORAGE | COPY_SRC);
      const read = create(job.resultBytes, MAP_READ | COPY_DST);
      const entries = [params, inputs, packed, upload(job.ranges), upload(job.factors), result];
      const encoder = device.createCommandEncoder();
      const pass = encoder.beginComputePass();
      pass.setPipeline(this.#stages.get(stage)!);
      pass.setBindGroup(
        0,
        device.createBindGroup({
          layout: this.#layout,
          entries: entries.map((buffer, binding) => ({ binding, resource: { buffer } })),
        }),
      );
      pass.dispatchWorkgroups(...job.groups);
      pass.end();
      encoder.copyBufferToBuffer(result, 0, read, 0, job.resultBytes);
      device.queue.submit([encoder.finish()]);
      const mapped = read.mapAsync(MODE_READ);
      // What the scopes say explains it better.
      mapped.catch(() => undefined);
      await this.#checkScopes();
      await mapped;
      return read.getMappedRange().slice(0);
    } catch (error) {
      // The news of a loss may come after what failed by it.
      await Promise.resolve();
      this.#throwIfLost();
      throw error;
    } finally {
      for (const buffer of made) buffer.destroy();
    }
  }

  async #checkScopes(): Promise<void> {
    const scopes = [0, 1, 2].map(() => this.#device.popErrorScope());
    const [memory, ...others] = await Promise.all(scopes);
    this.#throwIfLost();
    if (memory)
      throw new AppError("too_large", "The graphics processor has no memory for this matrix.");
    const other = others.find((error) => error);
    if (other) throw new AppError("internal", `The graphics processor refused: ${other.message}`);
  }

  #throwIfLost(): void {
    if (this.#lost === null) return;
    throw new AppError("device_lost", `The graphics processor was lost: ${this.#lost}.`, {
      hint: "Run it again on the processor, or reload the page.",
      retryable: true,
    });
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

function paramWords(params: Params): Uint32Array<ArrayBuffer> {
  const words = new Uint32Array(PARAM_BYTES / 4);
  words.set([
    params.rows,
    params.columns,
    params.groupColumns ?? 1,
    params.rowGroups ?? 1,
    params.groupStep ?? 0,
    params.bits ?? 8,
    params.lowest ?? 0,
    params.hasFactors ? 1 : 0,
    params.count ?? 0,
  ]);
  return words;
}

/** The lines before the shader that depend on what the device has. */
function prelude(features: readonly string[]): string {
  const hasSubgroups = features.includes("subgroups");
  const hasHalf = features.includes("shader-f16");
  const reduced = (value: string, operation: string): string =>
    hasSubgroups ? `subgroup${operation}(${value})` : value;
  return `
${hasHalf ? "enable f16;" : ""}
${hasSubgroups ? "enable subgroups;" : ""}
// Codes less their zero points are whole numbers up to 255: half floats hold them exactly.
alias Whole = ${hasHalf ? "f16" : "f32"};
fn reduceExtremes(least: u32, most: u32, size: u32) {
  let leastOfAll = ${reduced("least", "Min")};
  let mostOfAll = ${reduced("most", "Max")};
  let sizeOfAll = ${reduced("size", "Max")};
  if (${hasSubgroups ? "subgroupElect()" : "true"}) {
    atomicMin(&low, leastOfAll);
    atomicMax(&high, mostOfAll);
    atomicMax(&magnitude, sizeOfAll);
  }
}
`;
}

// Flags by their numbers: their names are globals of browsers alone.
const MAP_READ = 0x1;
const MODE_READ = 0x1;
const COPY_SRC = 0x4;
const COPY_DST = 0x8;
const UNIFORM = 0x40;
const STORAGE = 0x80;
const VISIBLE_TO_COMPUTE = 0x4;
