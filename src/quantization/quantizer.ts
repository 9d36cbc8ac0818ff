/**
 * From a weights file to a package, a runnable network where the architecture is known, and a report.
 * One tensor at a time is held in float32; with GPTQ the encoder's layers are calibrated first.
 */

import { AppError, throwIfAborted } from "../errors.ts";
import type { TaskOptions } from "../model/task-control.ts";
import { buildEncoder, type NetworkParts } from "./bert/bert-graph.ts";
import { BertWeights, linearLayers, parseBertConfig, WORD_TABLE } from "./bert/bert-model.ts";
import { calibrateEncoder, type CalibratedLinear } from "./bert/calibrated-encoder.ts";
import { planTokenRows } from "./bert/calibration-input.ts";
import type { LinearWeights } from "./bert/linear-node.ts";
import type { GraphRuntime } from "./graph-runtime.ts";
import { layerError } from "./layer-error.ts";
import type { PackageCodec } from "./package/package-format.ts";
import { PackageWriter, type PackedTensor } from "./package/package-writer.ts";
import {
  quantizedSize,
  type QuantizationBits,
  type QuantizationScheme,
  type QuantizedTensor,
} from "./quantized-tensor.ts";
import type { QuantizationReport, TensorReport } from "./report.ts";
import { dequantizeTensor, quantizeTensor } from "./round-to-nearest.ts";
import { isFloatDtype } from "./tensors/float-formats.ts";
import { elementCount, type TensorFile, type TensorInfo } from "./tensors/tensor-file.ts";
import { compareVectors, embedSequences } from "./validation.ts";

export interface QuantizeSettings {
  /** Name of the model, for the package and the report. */
  model: string;
  /** 32 leaves everything in float32: the package and network of the original. */
  bits: QuantizationBits | 32;
  group: QuantizationScheme["group"];
  /** Default false: a zero point per group. */
  symmetric?: boolean;
  /** Searches the clipping of each group. Default: below 8 bits. */
  clipSearch?: boolean;
  /** Bits of tables of words, a scale per row at 8 bits. Default 8, or 4 at 2 bits. */
  tableBits?: QuantizationBits;
  /** "int8": products of INT8 numbers instead of INT8 weights in float32 products; needs 8 bits. Default "float". */
  arithmetic?: "float" | "int8";
}

export interface QuantizeOptions extends TaskOptions {
  /** Compresses the package. */
  codec: PackageCodec;
  /** `config.json`, parsed: with it a runnable network is built. */
  config?: unknown;
  /** Runs calibration and validation. */
  runtime?: GraphRuntime;
  /** Calibration text in tokens: quantizes the encoder's layers with GPTQ. */
  calibration?: readonly Int32Array[];
  /** Text in tokens that calibration doesn't have, to measure the result with. */
  heldOut?: readonly Int32Array[];
}

export interface QuantizeResult {
  package: Uint8Array;
  network: Uint8Array | null;
  report: QuantizationReport;
}

/** Vectors and small matrices gain nothing. */
const MIN_VALUES = 4096;

/** `invalid_input` for settings that don't go together; `corrupt_data`, `model_failed` as the parts say. */
export async function quantizeModel(
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
  readonly #parts = {
    linears: new Map<string, LinearWeights>(),
    biases: new Map<string, Float32Array>(),
  };
  readonly #calibrated = new Map<string, CalibratedLinear>();
  readonly #energies = new Map<string, Float64Array>();
  readonly #tensors: TensorReport[] = [];
  #wordTable: QuantizedTensor | null = null;

  constructor(file: TensorFile, settings: QuantizeSettings, options: QuantizeOptions) {
    if (settings.arithmetic === "int8" && settings.bits !== 8)
      throw new AppError(
        "invalid_input",
        `INT8 products need weights of 8 bits; ${settings.bits} were asked for.`,
      );
    if (
      options.calibration !== undefined &&
      (options.runtime === undefined || options.config === undefined)
    )
      throw new AppError("invalid_input", "GPTQ needs the model's config.json and a runtime.", {
        hint: "Put config.json and tokenizer.json beside the weights.",
      });
    this.#file = file;
    this.#settings = settings;
    this.#options = options;
  }

  async run(): Promise<QuantizeResult> {
    const started = performance.now();
    const { encoder, reason } = this.#openEncoder();
    if (encoder !== null && this.#options.calibration !== undefined) await this.#calibrate(encoder);
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
        this.#options.calibration === undefined
      )
        return { encoder: null, reason: error.message };
      throw error;
    }
  }

  /** How a tensor is stored; null: in float32. */
  #schemeOf(name: string, shape: readonly number[]): QuantizationScheme | null {
    const { bits, group, symmetric = false } = this.#settings;
    if (bits === 32 || shape.length < 2 || elementCount(shape) < MIN_VALUES) return null;
    // Positions and token types are few and added to every token.
    if (/position_embeddings|token_type_embeddings/.test(name)) return null;
    if (name.endsWith(WORD_TABLE)) {
      const tableBits = this.#settings.tableBits ?? (bits === 2 ? 4 : 8);
      return { bits: tableBits, symmetric: false, group: tableBits === 8 ? "channel" : 64 };
    }
    if (this.#settings.arithmetic === "int8") return { bits: 8, symmetric: true, group: "channel" };
    return { bits, symmetric, group };
  }

  async #calibrate(encoder: BertWeights): Promise<void> {
    const { runtime, calibration, signal, onProgress } = this.#options;
    const batches = planTokenRows(calibration!, encoder.config.vocabularySize);
    const tableScheme = this.#schemeOf(WORD_TABLE, [
      encoder.config.vocabularySize,
      encoder.config.hiddenSize,
    ]);
    const table = await encoder.read(WORD_TABLE);
    const wordTable =
      tableScheme === null
        ? undefined
        : dequantizeTensor(
            quantizeTensor(
              table,
              encoder.config.vocabularySize,
              encoder.config.hiddenSize,
              tableScheme,
              { clipSearch: this.#clips(tableScheme) },
            ),
          );
    const linears = await calibrateEncoder(encoder, runtime!, batches, {
      schemeOf: ({ name, rows, columns }) => this.#schemeOf(name, [rows, columns]),
      ...(wordTable === undefined ? {} : { wordTable }),
      onInputs: ({ name }, { gram, size, count }) =>
        this.#energies.set(
          name,
          Float64Array.from({ length: size }, (_, i) => gram[i * size + i]! / count),
        ),
      ...(signal === undefined ? {} : { signal }),
      ...(onProgress === undefined ? {} : { onProgress }),
    });
    for (const linear of linears) this.#calibrated.set(linear.shape.name, linear);
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
    const tensor =
      calibrated?.tensor ??
      quantizeTensor(values, shape[0]!, columns, scheme, { clipSearch: this.#clips(scheme) });
    const error = layerError(values, dequantizeTensor(tensor), columns, this.#energies.get(own));
    const method = calibrated === undefined ? "round-to-nearest" : "gptq";
    this.#tensors.push(reportOf(info, scheme, method, quantizedSize(tensor).totalBytes, error));
    if (own === WORD_TABLE) this.#wordTable = tensor;
    else
      this.#parts.linears.set(
        own,
        this.#settings.arithmetic === "int8"
          ? { kind: "dynamic", tensor, smoothing: null }
          : { kind: "weight-only", tensor },
      );
    if (calibrated !== undefined) this.#parts.biases.set(own, calibrated.bias);
    return { name, shape, dtype, values: { kind: "affine", tensor } };
  }

  #build(encoder: BertWeights): Promise<Uint8Array> {
    const names = new Set(linearLayers(encoder.config).map(({ name }) => name));
    const parts: NetworkParts = {
      linears: new Map([...this.#parts.linears].filter(([name]) => names.has(name))),
      biases: this.#parts.biases,
      ...(this.#wordTable === null
        ? {}
        : { wordTable: { kind: "quantized", tensor: this.#wordTable } }),
    };
    return buildEncoder(encoder, parts, stringValues(this.#described()));
  }

  #described(): Record<string, string | number | boolean> {
    const { bits, group, symmetric = false, arithmetic = "float" } = this.#settings;
    const { calibration } = this.#options;
    return {
      bits,
      ...(bits === 32 ? {} : { group, symmetric, arithmetic }),
      method: calibration === undefined ? "round-to-nearest" : "gptq",
      ...(calibration === undefined ? {} : { calibrationTexts: calibration.length }),
    };
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
    let quality = null;
    if (network !== null && encoder !== null && runtime !== undefined && heldOut !== undefined) {
      const original = await embedSequences(
        runtime,
        await buildEncoder(encoder),
        heldOut,
        this.#options,
      );
      quality = compareVectors(
        original,
        await embedSequences(runtime, network, heldOut, this.#options),
      );
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
      networkReason,
      quality,
      elapsedMs,
    };
  }
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
