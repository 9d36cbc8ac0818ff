/**
 * Quantizes the linear layers of a BERT encoder with GPTQ, in the order in which a token meets them:
 * each layer sees the inputs that the layers quantized before it really give, and is fitted to what
 * the original network would have made of the original inputs. See `gptq.ts` for the method.
 */

import { throwIfAborted } from "../../errors.ts";
import type { TaskOptions } from "../../model/task-control.ts";
import {
  factorInputs,
  fitToDrift,
  outputDrift,
  quantizeWithGptq,
  type GptqOptions,
  type InputFactor,
} from "../gptq.ts";
import type { GraphRuntime, GraphSession, GraphTensor } from "../graph-runtime.ts";
import { cpuKernels } from "../kernels/cpu-kernels.ts";
import type { CpuKernels } from "../kernels/kernels.ts";
import type { QuantizationScheme, QuantizedTensor } from "../quantized-tensor.ts";
import { InputCollector, realRows, type LayerInputs, type TokenRows } from "./calibration-input.ts";
import { CalibrationProducts } from "./calibration-products.ts";
import { buildStage, STAGE_OUTPUT, type Stage } from "./calibration-stages.ts";
import {
  biasOf,
  linearLayers,
  type BertWeights,
  type LinearKind,
  type LinearShape,
} from "./bert-model.ts";
import { embedTokens } from "./embed-tokens.ts";
import { transpose } from "./linear-node.ts";

export interface CalibrationOptions extends TaskOptions, GptqOptions {
  /** The scheme of a layer; null leaves it in float32. */
  schemeOf(layer: LinearShape): QuantizationScheme | null;
  kernels: CpuKernels;
  /** The word table as the quantized network will have it, row-major; default the original. */
  wordTable?: Float32Array;
  /** Fits weights to the original's outputs and corrects biases by the mean error. Default true. */
  compensate?: boolean;
  /** Sees every layer's statistics, before it is quantized. */
  onInputs?: (layer: LinearShape, inputs: LayerInputs) => void;
}

export interface CalibratedLinear {
  shape: LinearShape;
  tensor: QuantizedTensor;
  /** The bias with the mean error taken out. */
  bias: Float32Array;
}

const NEXT: Readonly<
  Record<Stage, { inputs: "hidden" | "context" | "first" | "wide"; kinds: readonly LinearKind[] }>
> = {
  attend: { inputs: "hidden", kinds: ["query", "key", "value"] },
  settle: { inputs: "context", kinds: ["attentionOutput"] },
  widen: { inputs: "first", kinds: ["intermediate"] },
  narrow: { inputs: "wide", kinds: ["output"] },
};
const STAGES = Object.keys(NEXT) as Stage[];

/** Tokens per column that wide layers are content with. */
const SAMPLES_PER_COLUMN = 7;
/** Multiplications for one Gram matrix at most, where that leaves enough tokens. */
const GRAM_PRODUCTS = 3e9;

/** Batches lie by length; taken so, the first of them are of all lengths. */
function spread<T>(all: readonly T[]): [number, T][] {
  const step = Math.max(1, Math.round(all.length * 0.618));
  const order = all.map((_, i) => i).sort((a, b) => ((a * step) % all.length) - ((b * step) % all.length) || a - b); // prettier-ignore
  return order.map((i) => [i, all[i]!]);
}

/** What flows through one of the two networks, per batch. */
type Stream = Record<"hidden" | "context" | "first" | "wide", Float32Array[]>;

/** What reaches every linear layer of the original network, by the name of its weights. No Gram matrices. */
export async function measureInputs(
  weights: BertWeights,
  runtime: GraphRuntime,
  batches: readonly TokenRows[],
  options: TaskOptions = {},
): Promise<Map<string, LayerInputs>> {
  const found = new Map<string, LayerInputs>();
  await calibrateEncoder(weights, runtime, batches, {
    ...options,
    kernels: await cpuKernels(),
    schemeOf: () => null,
    onInputs: ({ name }, inputs) => found.set(name, inputs),
  });
  return found;
}

/** Every quantized linear layer, in the order of `linearLayers`. `AbortError` when the signal fires. */
export async function calibrateEncoder(
  weights: BertWeights,
  runtime: GraphRuntime,
  batches: readonly TokenRows[],
  options: CalibrationOptions,
): Promise<CalibratedLinear[]> {
  const run = await CalibrationRun.start(weights, runtime, batches, options);
  try {
    return await run.layers();
  } finally {
    await run.close();
  }
}

class CalibrationRun {
  readonly #weights: BertWeights;
  readonly #batches: readonly TokenRows[];
  readonly #options: CalibrationOptions;
  readonly #stages: ReadonlyMap<Stage, GraphSession>;
  readonly #products: CalibrationProducts;
  readonly #original: Stream = emptyStream();
  readonly #quantized: Stream = emptyStream();
  /** Whether the two networks differ yet. */
  #differs = false;

  private constructor(
    weights: BertWeights,
    batches: readonly TokenRows[],
    options: CalibrationOptions,
    stages: ReadonlyMap<Stage, GraphSession>,
    products: CalibrationProducts,
  ) {
    this.#weights = weights;
    this.#batches = batches;
    this.#options = options;
    this.#stages = stages;
    this.#products = products;
  }

  static async start(
    weights: BertWeights,
    runtime: GraphRuntime,
    batches: readonly TokenRows[],
    options: CalibrationOptions,
  ): Promise<CalibrationRun> {
    const { config } = weights;
    const stages = new Map<Stage, GraphSession>();
    for (const stage of STAGES) stages.set(stage, await runtime.load(buildStage(config, stage)));
    const products = await CalibrationProducts.load(runtime, options.kernels);
    const run = new CalibrationRun(weights, batches, options, stages, products);
    const table = await weights.read("embeddings.word_embeddings.weight");
    run.#original.hidden = await embedTokens(weights, table, batches);
    run.#differs = options.wordTable !== undefined;
    run.#quantized.hidden = run.#differs
      ? await embedTokens(weights, options.wordTable!, batches)
      : run.#original.hidden;
    return run;
  }

  async layers(): Promise<CalibratedLinear[]> {
    const done: CalibratedLinear[] = [];
    const shapes = linearLayers(this.#weights.config);
    for (let layer = 0; layer < this.#weights.config.layerCount; layer++)
      for (const stage of STAGES) {
        const { inputs, kinds } = NEXT[stage];
        const layers = kinds.map((kind) =>
          shapes.find((one) => one.layer === layer && one.kind === kind)!,
        );
        const isMeasured = layers.some((shape) => this.#options.schemeOf(shape) !== null);
        const stats = await this.#statistics(inputs, isMeasured, layers);
        const factor = isMeasured
          ? factorInputs(stats, stats.size, this.#options.kernels, this.#options)
          : null;
        const feeds: Record<string, GraphTensor> = {};
        const originalFeeds: Record<string, GraphTensor> = {};
        for (const shape of layers) {
          const linear = await this.#quantize(shape, stats, factor, feeds, originalFeeds);
          if (linear !== null) {
            done.push(linear);
            this.#differs = true;
          }
          this.#options.onProgress?.({
            stage: isMeasured ? "Quantizing layers" : "Measuring inputs",
            done: shapes.indexOf(shape) + 1,
            total: shapes.length,
          });
        }
        // What the last layer gives reaches no other.
        const isLast = layers.includes(shapes.at(-1)!);
        if (!isLast) await this.#advance(stage, layer, feeds, originalFeeds);
      }
    return done;
  }

  async close(): Promise<void> {
    for (const session of this.#stages.values()) await session.release();
    await this.#products.close();
  }

  async #statistics(
    inputs: keyof Stream,
    withGram: boolean,
    layers: readonly LinearShape[],
  ): Promise<LayerInputs> {
    const size =
      inputs === "wide" ? this.#weights.config.intermediateSize : this.#weights.config.hiddenSize;
    const collector = new InputCollector(
      withGram ? await this.#products.forLayers(this.#weights, layers) : null,
      size,
    );
    const enough = withGram
      ? Math.max(SAMPLES_PER_COLUMN * size, GRAM_PRODUCTS / size ** 2)
      : Infinity;
    for (const [i, batch] of spread(this.#batches)) {
      if (collector.count >= enough) break;
      throwIfAborted(this.#options.signal);
      const quantized = realRows(this.#quantized[inputs][i]!, batch, size);
      const compare = this.#differs && (this.#options.compensate ?? true);
      const original = compare ? realRows(this.#original[inputs][i]!, batch, size) : quantized;
      await collector.add(original, quantized);
    }
    return collector.finish();
  }

  async #quantize(
    shape: LinearShape,
    stats: LayerInputs,
    factor: InputFactor | null,
    feeds: Record<string, GraphTensor>,
    originalFeeds: Record<string, GraphTensor>,
  ): Promise<CalibratedLinear | null> {
    throwIfAborted(this.#options.signal);
    const { rows, kind, name } = shape;
    const { kernels } = this.#options;
    const values = await this.#weights.read(name);
    const bias = await this.#weights.read(biasOf(name));
    this.#options.onInputs?.(shape, stats);
    putLinear(originalFeeds, kind, values, bias, shape);
    const scheme = this.#options.schemeOf(shape);
    if (scheme === null || factor === null) {
      putLinear(feeds, kind, values, bias, shape);
      return null;
    }
    const drift =
      stats.drift === null
        ? stats.outputDrift
        : await outputDrift(values, rows, shape.columns, stats.drift, this.#products.cross);
    const fitted =
      drift === null ? values : await fitToDrift(values, rows, factor, drift, this.#products.cross);
    const tensor = quantizeWithGptq(fitted, rows, scheme, factor, kernels, this.#options);
    const rounded = kernels.dequantize(tensor);
    const corrected =
      (this.#options.compensate ?? true) ? correctBias(values, rounded, bias, stats, shape) : bias;
    putLinear(feeds, kind, rounded, corrected, shape);
    return { shape, tensor, bias: corrected };
  }

  /** Runs one stage over all batches in both networks. */
  async #advance(
    stage: Stage,
    layer: number,
    feeds: Record<string, GraphTensor>,
    originalFeeds: Record<string, GraphTensor>,
  ): Promise<void> {
    if (stage === "settle" || stage === "narrow") {
      const path = `encoder.layer.${layer}${stage === "settle" ? ".attention" : ""}.output.LayerNorm`;
      for (const part of ["weight", "bias"]) {
        const data = await this.#weights.read(`${path}.${part}`);
        const tensor: GraphTensor = { type: "float32", dims: [data.length], data };
        feeds[`norm.${part}`] = originalFeeds[`norm.${part}`] = tensor;
      }
    }
    for (const [stream, weights] of [
      [this.#original, originalFeeds],
      [this.#quantized, feeds],
    ] as const) {
      if (stream === this.#original && !this.#differs) continue;
      const results: Float32Array[] = [];
      for (const [i, batch] of this.#batches.entries()) {
        throwIfAborted(this.#options.signal);
        const outputs = await this.#stages.get(stage)!.run({
          ...weights,
          ...this.#streamInputs(stage, stream, batch, i),
        });
        results.push(outputs[STAGE_OUTPUT]!.data as Float32Array);
      }
      keepResult(stage, stream, results);
    }
    if (!this.#differs) keepResult(stage, this.#original, resultOf(stage, this.#quantized));
  }

  #streamInputs(
    stage: Stage,
    stream: Stream,
    batch: TokenRows,
    i: number,
  ): Record<string, GraphTensor> {
    const { rows, columns } = batch;
    const value = (name: keyof Stream, size: number): GraphTensor => ({
      type: "float32",
      dims: [rows, columns, size],
      data: stream[name][i]!,
    });
    const { hiddenSize, intermediateSize } = this.#weights.config;
    switch (stage) {
      case "attend":
        return {
          hidden: value("hidden", hiddenSize),
          attention_mask: { type: "int64", dims: [rows, columns], data: batch.mask },
        };
      case "settle":
        return { context: value("context", hiddenSize), hidden: value("hidden", hiddenSize) };
      case "widen":
        return { first: value("first", hiddenSize) };
      case "narrow":
        return { wide: value("wide", intermediateSize), first: value("first", hiddenSize) };
    }
  }
}

const RESULT: Readonly<Record<Stage, keyof Stream>> = {
  attend: "context",
  settle: "first",
  widen: "wide",
  narrow: "hidden",
};

function keepResult(stage: Stage, stream: Stream, results: Float32Array[]): void {
  stream[RESULT[stage]] = results;
}

function resultOf(stage: Stage, stream: Stream): Float32Array[] {
  return stream[RESULT[stage]];
}

function emptyStream(): Stream {
  return { hidden: [], context: [], first: [], wide: [] };
}

function putLinear(
  feeds: Record<string, GraphTensor>,
  kind: LinearKind,
  values: Float32Array,
  bias: Float32Array,
  { rows, columns }: LinearShape,
): void {
  feeds[`${kind}.weight`] = {
    type: "float32",
    dims: [columns, rows],
    data: transpose(values, rows, columns),
  };
  feeds[`${kind}.bias`] = { type: "float32", dims: [rows], data: bias };
}

/** b + W μ₀ - Ŵ μ: the outputs' mean is the original's again. */
function correctBias(
  values: Float32Array,
  rounded: Float32Array,
  bias: Float32Array,
  { originalMean, mean }: LayerInputs,
  { rows, columns }: LinearShape,
): Float32Array {
  const corrected = bias.slice();
  for (let row = 0; row < rows; row++) {
    let sum = 0;
    for (let i = 0; i < columns; i++)
      sum += values[row * columns + i]! * originalMean[i]! - rounded[row * columns + i]! * mean[i]!;
    corrected[row]! += sum;
  }
  return corrected;
}
