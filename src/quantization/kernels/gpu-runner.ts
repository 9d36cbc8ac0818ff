/** Runs the stages of `quantize.wgsl` on a WebGPU device: compiles them, uploads, waits, says what went wrong. */

import code from "./quantize.wgsl?raw";
import { AppError } from "../../errors.ts";

/** Used where the device was made with them. */
export const GPU_FEATURES = ["subgroups", "shader-f16"] as const satisfies GPUFeatureName[];

const STAGES = ["extremes", "encode", "pack", "dequantize", "multiply", "crossProduct"] as const;
type Stage = (typeof STAGES)[number];

/** Threads of a workgroup, of all but the products. */
export const THREADS = 64;
/** Rows and columns of the products that one workgroup makes. */
export const TILE = 64;
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

export interface Job {
  params: Params;
  inputs?: ArrayBufferView<ArrayBuffer>;
  packed?: ArrayBufferView<ArrayBuffer>;
  ranges?: Float32Array<ArrayBuffer>;
  factors?: Float32Array<ArrayBuffer> | undefined;
  resultBytes: number;
  /** Workgroups. */
  groups: readonly [number, number];
}

export class GpuRunner {
  /** Those of `GPU_FEATURES` that the device has. */
  readonly features: readonly string[];
  /** Largest buffer that a stage can bind. */
  readonly maxBytes: number;
  readonly #device: GPUDevice;
  readonly #stages: ReadonlyMap<Stage, GPUComputePipeline>;
  readonly #layout: GPUBindGroupLayout;
  #lost: string | null = null;

  private constructor(
    device: GPUDevice,
    features: readonly string[],
    stages: ReadonlyMap<Stage, GPUComputePipeline>,
    layout: GPUBindGroupLayout,
  ) {
    this.#device = device;
    this.features = features;
    this.#stages = stages;
    this.#layout = layout;
    const { limits } = device;
    this.maxBytes = Math.min(limits.maxStorageBufferBindingSize, limits.maxBufferSize);
    void device.lost.then(({ message }) => (this.#lost = message || "no reason was given"));
  }

  /** `internal`, with the compiler's words, when the device can't run the shader. */
  static async create(device: GPUDevice): Promise<GpuRunner> {
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
    const features = GPU_FEATURES.filter((feature) => device.features.has(feature));
    const module = device.createShaderModule({ code: prelude(features) + code });
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
    return new GpuRunner(device, features, stages, groupLayout);
  }

  /** Workgroups in two dimensions, since one has a limit. */
  grid(groups: number): [number, number] {
    const most = this.#device.limits.maxComputeWorkgroupsPerDimension;
    const y = Math.max(1, Math.ceil(groups / most));
    return [Math.ceil(groups / y), y];
  }

  /** `device_lost` when the device ended, `too_large` when it has no memory for the job. */
  async run(stage: Stage, job: Job): Promise<ArrayBuffer> {
    if (job.resultBytes === 0) return new ArrayBuffer(0);
    const device = this.#device;
    this.#throwIfLost();
    const made: GPUBuffer[] = [];
    const create = (size: number, usage: number): GPUBuffer => {
      const buffer = device.createBuffer({ size, usage });
      made.push(buffer);
      return buffer;
    };
    const upload = (view: ArrayBufferView<ArrayBuffer> | undefined): GPUBuffer => {
      // What isn't given is bound all the same, and holds one value of any kind.
      const buffer = create(Math.max(8, view?.byteLength ?? 0), STORAGE | COPY_DST);
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
