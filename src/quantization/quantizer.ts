/**
 * From a weights file to a package, a runnable network where the architecture is known, and a report.
 * One tensor at a time is held in float32; with GPTQ the encoder's layers are calibrated first.
 */

import { AppError, throwIfAborted } from "../errors.ts";
import type { TaskOptions } from "../model/task-control.ts";
import { buildEncoder, type NetworkParts } from "./bert/bert-graph.ts";
import {
  BertWeights,
  linearLayers,
  parseBertConfig,
  POSITION_TABLE,
  WORD_TABLE,
  type BertConfig,
  type LinearShape,
} from "./bert/bert-model.ts";
import {
  calibrateEncoder,
  measureInputs,
  type CalibratedLinear,
} from "./bert/calibrated-encoder.ts";
import { planTokenRows, type LayerInputs } from "./bert/calibration-input.ts";
import type { LinearWeights } from "./bert/linear-node.ts";
import type { GraphRuntime } from "./graph-runtime.ts";
import { cpuKernels } from "./kernels/cpu-kernels.ts";
import type { CpuKernels, QuantizationKernels } from "./kernels/kernels.ts";
import { layerError } from "./layer-error.ts";
import { planLayers, type LayerPlan } from "./layer-plan.ts";
import type { PackageCodec } from "./package/package-format.ts";
import { PackageWriter, type PackedTensor } from "./package/package-writer.ts";
import {
  quantizedSize,
  type QuantizationScheme,
  type QuantizedTensor,
} from "./quantized-tensor.ts";
import { checkSettings, needsEncoder, type QuantizeSettings } from "./quantize-settings.ts";
import type { QuantizationReport, TensorReport } from "./report.ts";
import { chooseFactors, smoothWeights, type InputRanges } from "./smoothing.ts";
import { isFloatDtype } from "./tensors/float-formats.ts";
import { elementCount, type TensorFile, type TensorInfo } from "./tensors/tensor-file.ts";
import { compareNetworks, referenceOf, type Reference } from "./validation.ts";

export interface QuantizeOptions extends TaskOptions {
  /** Compresses the package. */
  codec: PackageCodec;
  /** `config.json`, parsed: with it a runnable network is built. */
  config?: unknown;
  /** Rounds and packs; default the processor's. */
  kernels?: QuantizationKernels;
  /** Runs calibration and validation. */
  runtime?: GraphRuntime;
  /** Text in tokens that GPTQ, smoothing and a mix of bits are fitted to. */
  calibration?: readonly Int32Array[];
  /** Text in tokens that calibration doesn't have, to measure the result with. */
  heldOut?: readonly Int32Array[];
  /** The original's vectors of `heldOut`, where several results are compared with them. */
  reference?: Reference;
}

export interface QuantizeResult {
  package: Uint8Array;
  network: Uint8Array | null;
  report: QuantizationReport;
}

/** Vectors and small matrices gain nothing. */
const MIN_VALUES = 4096;

/** `invalid_input` for settings that don't go together; `corrupt_data`, `model_failed` as the parts say. */
export async function quantize(
  file: TensorFile,
  settings: QuantizeSettings,
  options: QuantizeOptions,
): Promise<QuantizeResult> {
  return new Quantizer(file, settings, options).run();
}

export class Quantizer {
  readonly #file: TensorFile;
  readonly #settings: QuantizeSettings;
  readonly #options: QuantizeOptions;
  #kernels!: QuantizationKernels;
  #cpu!: CpuKernels;
  readonly #parts = {
    linears: new Map<string, LinearWeights>(),
    biases: new Map<string, Float32Array>(),
  };
  readonly #calibrated = new Map<string, CalibratedLinear>();
  readonly #inputs = new Map<string, InputRanges>();
  readonly #factors = new Map<string, Float32Array>();
  #plan: LayerPlan | null = null;
  readonly #tensors: TensorReport[] = [];
  #wordTable: QuantizedTensor | null = null;
  #positionTable: QuantizedTensor | null = null;

  constructor(file: TensorFile, settings: QuantizeSettings, options: QuantizeOptions) {
    checkSettings(settings, options);
    this.#file = file;
    this.#settings = settings;
    this.#options = options;
  }

  async run(): Promise<QuantizeResult> {
    const started = performance.now();
    this.#cpu = await cpuKernels();
    this.#kernels = this.#options.kernels ?? this.#cpu;
    const { encoder, reason } = this.#openEncoder();
    if (encoder !== null) await this.#prepare(encoder);
    const writer = new PackageWriter(this.#options.codec);
    const all = [...this.#file.tensors.values()].filter(({ dtype }) => isFloatDtype(dtype));
    for (const [at, info] of all.entries()) {
      throwIfAborted(this.#options.signal);
      await writer.write(await this.#pack(info, encoder));
      this.#options.onProgress?.({ stage: "Packing tensors", done: at + 1, total: all.length });
    }
    const packed = writer.finish({ model: this.#settings.model, settings: this.#described() });
    const network = encoder === null ? null : await this.#build(encoder);
    return {
      package: packed,
      network,
      report: await this.#report(packed, network, encoder, reason, started),
    };
  }

  #openEncoder(): { encoder: BertWeights | null; reason: string | null } {
    const { config } = this.#options;
    if (config === undefined) return { encoder: null, reason: "no config.json was given." };
    try {
      return { encoder: BertWeights.open(this.#file, parseBertConfig(config)), reason: null };
    } catch (error) {
      // Weights of another architecture are packed all the same; ones that contradict their config aren't.
      if (
        error instanceof AppError &&
        error.code === "unsupported_input" &&
        !needsEncoder(this.#settings)
      )
        return { encoder: null, reason: error.message };
      throw error;
    }
  }

  /** How a tensor is stored; null: in float32. */
  #schemeOf(name: string, shape: readonly number[]): QuantizationScheme | null {
    const { bits, group, symmetric = false } = this.#settings;
    if (bits === 32 || shape.length < 2 || elementCount(shape) < MIN_VALUES) return null;
    // Token types are few and added to every token; so are places, which 8 bits hardly change.
    if (name.endsWith("token_type_embeddings.weight")) return null;
    if (name.endsWith(POSITION_TABLE))
      return bits === 8 ? null : { bits: 8, symmetric: false, group: "channel" };
    if (name.endsWith(WORD_TABLE)) {
      const tableBits = this.#settings.tableBits ?? (bits === 2 ? 4 : 8);
      return { bits: tableBits, symmetric: false, group: tableBits === 2 ? 64 : "channel" };
    }
    const planned = this.#plan?.layers.get(name);
    if (planned !== undefined) return planned.scheme;
    if (this.#settings.arithmetic === "int8") return { bits: 8, symmetric: true, group: "channel" };
    return { bits, symmetric, group };
  }

  /** What is decided for all layers before any is packed. */
  async #prepare(encoder: BertWeights): Promise<void> {
    const { gptq = false, smooth = false, mixed } = this.#settings;
    const { calibration, runtime, signal, onProgress } = this.#options;
    if ((smooth || mixed !== undefined) && calibration !== undefined && runtime !== undefined) {
      const batches = planTokenRows(calibration, encoder.config.vocabularySize);
      const control = { ...(signal && { signal }), ...(onProgress && { onProgress }) };
      for (const [name, inputs] of await measureInputs(encoder, runtime, batches, control))
        this.#keepRanges(name, inputs);
    }
    if (smooth) await this.#smooth(encoder);
    if (mixed !== undefined) {
      const layers = linearLayers(encoder.config);
      this.#plan = await planLayers(
        layers.map(({ name, rows, columns }) => ({
          name,
          rows,
          columns,
          read: () => encoder.read(name),
          energy: this.#inputs.get(name)?.energy,
        })),
        mixed,
        this.#kernels,
        (done) => {
          throwIfAborted(signal);
          onProgress?.({ stage: "Planning layers", done, total: layers.length });
        },
      );
    }
    if (gptq) await this.#calibrate(encoder);
  }

  async #smooth(encoder: BertWeights): Promise<void> {
    for (const together of layersByInput(encoder.config)) {
      throwIfAborted(this.#options.signal);
      const matrices = [];
      for (const { name, rows } of together)
        matrices.push({ values: await encoder.read(name), rows });
      const { name, columns } = together[0]!;
      const factors = chooseFactors(matrices, columns, this.#inputs.get(name)!);
      if (factors !== null) for (const one of together) this.#factors.set(one.name, factors);
    }
  }

  async #calibrate(encoder: BertWeights): Promise<void> {
    const { runtime, calibration, signal, onProgress } = this.#options;
    const batches = planTokenRows(calibration!, encoder.config.vocabularySize);
    const tableScheme = this.#schemeOf(WORD_TABLE, [
      encoder.config.vocabularySize,
      encoder.config.hiddenSize,
    ]);
    if (tableScheme !== null)
      this.#wordTable = await this.#round(
        WORD_TABLE,
        await encoder.read(WORD_TABLE),
        encoder.config.vocabularySize,
        encoder.config.hiddenSize,
        tableScheme,
      );
    const linears = await calibrateEncoder(encoder, runtime!, batches, {
      schemeOf: ({ name, rows, columns }) => this.#schemeOf(name, [rows, columns]),
      ...(this.#wordTable && { wordTable: await this.#kernels.dequantize(this.#wordTable) }),
      kernels: this.#cpu,
      onInputs: ({ name }, inputs) => this.#keepRanges(name, inputs),
      ...(signal === undefined ? {} : { signal }),
      ...(onProgress === undefined ? {} : { onProgress }),
    });
    for (const linear of linears) this.#calibrated.set(linear.shape.name, linear);
  }

  /** Not the Gram matrices beside them, which are large. */
  #keepRanges(name: string, { min, max, energy }: LayerInputs): void {
    this.#inputs.set(name, { min, max, energy });
  }

  #clips(scheme: QuantizationScheme): boolean {
    return this.#settings.clipSearch ?? scheme.bits < 8;
  }

  async #pack(info: TensorInfo, encoder: BertWeights | null): Promise<PackedTensor> {
    const { name, shape, dtype } = info;
    const values = await this.#file.readFloats(name);
    const own = encoder?.nameOf(name) ?? name;
    const scheme = this.#schemeOf(own, shape);
    const corrected = this.#calibrated.get(own.replace(/bias$/, "weight"));
    if (scheme === null) {
      const kept = own.endsWith("bias") && corrected !== undefined ? corrected.bias : values;
      this.#tensors.push(reportOf(info, null, "none", 4 * values.length, null));
      return { name, shape, dtype, values: { kind: "float32", values: kept } };
    }
    const columns = elementCount(shape.slice(1));
    const calibrated = this.#calibrated.get(own);
    const known = own === WORD_TABLE ? this.#wordTable : calibrated?.tensor;
    const tensor = known ?? (await this.#round(own, values, shape[0]!, columns, scheme));
    const energy = this.#inputs.get(own)?.energy;
    const error = layerError(values, await this.#kernels.dequantize(tensor), columns, energy);
    const method = calibrated === undefined ? "round-to-nearest" : "gptq";
    this.#tensors.push(reportOf(info, scheme, method, quantizedSize(tensor).totalBytes, error));
    if (own === WORD_TABLE) this.#wordTable = tensor;
    else if (own === POSITION_TABLE) this.#positionTable = tensor;
    else
      this.#parts.linears.set(
        own,
        this.#settings.arithmetic === "int8"
          ? { kind: "dynamic", tensor }
          : { kind: "weight-only", tensor },
      );
    if (calibrated !== undefined) this.#parts.biases.set(own, calibrated.bias);
    return { name, shape, dtype, values: { kind: "affine", tensor } };
  }

  async #round(
    name: string,
    values: Float32Array,
    rows: number,
    columns: number,
    scheme: QuantizationScheme,
  ): Promise<QuantizedTensor> {
    const factors = this.#factors.get(name);
    const options = { clipSearch: this.#clips(scheme) };
    const weights = factors === undefined ? values : smoothWeights(values, factors);
    const tensor = await this.#kernels.quantize(weights, rows, columns, scheme, options);
    return { ...tensor, ...(factors && { columnFactors: factors }) };
  }

  #build(encoder: BertWeights): Promise<Uint8Array> {
    const names = new Set(linearLayers(encoder.config).map(({ name }) => name));
    const parts: NetworkParts = {
      linears: new Map([...this.#parts.linears].filter(([name]) => names.has(name))),
      biases: this.#parts.biases,
      ...(this.#wordTable === null
        ? {}
        : { wordTable: { kind: "quantized", tensor: this.#wordTable } }),
      ...(this.#positionTable && {
        positionTable: { kind: "quantized", tensor: this.#positionTable },
      }),
    };
    return buildEncoder(encoder, parts, stringValues(this.#described()));
  }

  #described(): Record<string, string | number | boolean> {
    const { bits, group, symmetric = false, arithmetic = "float" } = this.#settings;
    const { gptq = false, smooth = false, mixed } = this.#settings;
    const { calibration } = this.#options;
    return {
      bits: mixed === undefined ? bits : "mixed",
      ...(bits === 32 || mixed !== undefined ? {} : { group, symmetric, arithmetic }),
      ...(smooth && { smooth }),
      ...mixed,
      method: gptq ? "gptq" : "round-to-nearest",
      ...(calibration === undefined || !needsEncoder(this.#settings)
        ? {}
        : { calibrationTexts: calibration.length }),
    };
  }

  /** Of the encoder's linear layers, or where none is known of all matrices in few bits. */
  #bitsPerWeight(encoder: BertWeights | null): number | null {
    const linears = encoder && new Set(linearLayers(encoder.config).map(({ name }) => name));
    const counted = this.#tensors.filter(
      ({ name, scheme }) =>
        scheme !== null && (linears === null || linears.has(encoder!.nameOf(name))),
    );
    const weights = counted.reduce((sum, { shape }) => sum + elementCount(shape), 0);
    const bytes = counted.reduce((sum, { packedBytes }) => sum + packedBytes, 0);
    return weights === 0 ? null : (8 * bytes) / weights;
  }

  async #report(
    packed: Uint8Array,
    network: Uint8Array | null,
    encoder: BertWeights | null,
    networkReason: string | null,
    started: number,
  ): Promise<QuantizationReport> {
    const elapsedMs = performance.now() - started;
    const { runtime, heldOut } = this.#options;
    let measured: Pick<QuantizationReport, "quality" | "retrieval"> = {
      quality: null,
      retrieval: null,
    };
    if (network !== null && encoder !== null && runtime !== undefined && heldOut !== undefined) {
      const reference =
        this.#options.reference ??
        (await referenceOf(runtime, await buildEncoder(encoder), heldOut, this.#options));
      measured = await compareNetworks(runtime, reference, network, this.#options);
    }
    const values = this.#tensors.reduce((sum, { shape }) => sum + elementCount(shape), 0);
    return {
      model: this.#settings.model,
      settings: this.#described(),
      tensors: this.#tensors,
      sizes: {
        sourceBytes: this.#file.sizeBytes,
        halfPrecisionBytes: 2 * values,
        packedBytes: this.#tensors.reduce((sum, { packedBytes }) => sum + packedBytes, 0),
        packageBytes: packed.length,
        networkBytes: network?.length ?? null,
      },
      bitsPerWeight: this.#bitsPerWeight(encoder),
      networkReason,
      ...measured,
      computedBy: this.#kernels.description,
      elapsedMs,
    };
  }
}

/** Layers of one block that are given the same input. */
function layersByInput(config: BertConfig): LinearShape[][] {
  const groups = new Map<string, LinearShape[]>();
  for (const shape of linearLayers(config)) {
    const isAttention = ["query", "key", "value"].includes(shape.kind);
    const key = `${shape.layer} ${isAttention ? "attention" : shape.kind}`;
    groups.set(key, [...(groups.get(key) ?? []), shape]);
  }
  return [...groups.values()];
}

function reportOf(
  { name, shape, sizeBytes }: TensorInfo,
  scheme: QuantizationScheme | null,
  method: TensorReport["method"],
  packedBytes: number,
  error: TensorReport["error"],
): TensorReport {
  return { name, shape, scheme, method, originalBytes: sizeBytes, packedBytes, error };
}

function stringValues(record: Record<string, string | number | boolean>): Record<string, string> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, String(value)]));
}
