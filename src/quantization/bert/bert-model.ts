/**
 * A BERT encoder as it lies in a weights file: its shape, the names of its tensors, its linear layers.
 * Devlin et al., "BERT" (2018, arXiv:1810.04805); names as Hugging Face's `BertModel` stores them.
 */

import { z } from "zod";
import { AppError } from "../../errors.ts";
import type { TensorFile } from "../tensors/tensor-file.ts";

const configSchema = z.object({
  model_type: z.literal("bert"),
  hidden_size: z.number().int().positive(),
  intermediate_size: z.number().int().positive(),
  num_attention_heads: z.number().int().positive(),
  num_hidden_layers: z.number().int().positive().max(1000),
  max_position_embeddings: z.number().int().positive(),
  vocab_size: z.number().int().positive(),
  type_vocab_size: z.number().int().positive(),
  layer_norm_eps: z.number().positive(),
  hidden_act: z.literal("gelu"),
});

export interface BertConfig {
  hiddenSize: number;
  intermediateSize: number;
  headCount: number;
  layerCount: number;
  maxTokens: number;
  vocabularySize: number;
  typeCount: number;
  layerNormEpsilon: number;
}

/** The six linear layers of a block, in the order in which a token meets them. */
export const LINEARS = [
  "query",
  "key",
  "value",
  "attentionOutput",
  "intermediate",
  "output",
] as const;
export type LinearKind = (typeof LINEARS)[number];

const LINEAR_PATHS: Readonly<Record<LinearKind, string>> = {
  query: "attention.self.query",
  key: "attention.self.key",
  value: "attention.self.value",
  attentionOutput: "attention.output.dense",
  intermediate: "intermediate.dense",
  output: "output.dense",
};

export interface LinearShape {
  /** Name of the weight tensor without the file's prefix: "encoder.layer.0.attention.self.query.weight". */
  name: string;
  kind: LinearKind;
  layer: number;
  /** Outputs. */
  rows: number;
  /** Inputs. */
  columns: number;
}

/** Reads `config.json`. `unsupported_input` for another architecture or activation. */
export function parseBertConfig(json: unknown): BertConfig {
  const parsed = configSchema.safeParse(json);
  if (!parsed.success)
    throw new AppError(
      "unsupported_input",
      `This config.json describes no BERT encoder that can be built: ${z.prettifyError(parsed.error)}`,
      {
        hint: "Weights of any model can be packed; a runnable network is built for BERT encoders with GELU.",
      },
    );
  const config = parsed.data;
  if (config.hidden_size % config.num_attention_heads !== 0)
    throw new AppError(
      "unsupported_input",
      `${config.hidden_size} values don't split into ${config.num_attention_heads} heads.`,
    );
  return {
    hiddenSize: config.hidden_size,
    intermediateSize: config.intermediate_size,
    headCount: config.num_attention_heads,
    layerCount: config.num_hidden_layers,
    maxTokens: config.max_position_embeddings,
    vocabularySize: config.vocab_size,
    typeCount: config.type_vocab_size,
    layerNormEpsilon: config.layer_norm_eps,
  };
}

/** Every linear layer of the encoder, first block first. */
export function linearLayers(config: BertConfig): LinearShape[] {
  const { hiddenSize: hidden, intermediateSize: wide } = config;
  return Array.from({ length: config.layerCount }, (_, layer) =>
    LINEARS.map((kind): LinearShape => ({
      name: `encoder.layer.${layer}.${LINEAR_PATHS[kind]}.weight`,
      kind,
      layer,
      rows: kind === "intermediate" ? wide : hidden,
      columns: kind === "output" ? wide : hidden,
    })),
  ).flat();
}

export const POSITION_TABLE = "embeddings.position_embeddings.weight";
export const WORD_TABLE = "embeddings.word_embeddings.weight";

/** The values of a BERT encoder, checked against its config, whatever prefix the file gives them. */
export class BertWeights {
  readonly config: BertConfig;
  readonly #file: TensorFile;
  readonly #prefix: string;

  private constructor(file: TensorFile, config: BertConfig, prefix: string) {
    this.#file = file;
    this.config = config;
    this.#prefix = prefix;
  }

  /** `corrupt_data` names the first tensor that is missing or of another shape than the config says. */
  static open(file: TensorFile, config: BertConfig): BertWeights {
    const prefix = ["", "bert.", "model.", "0.auto_model."].find((one) =>
      file.tensors.has(one + WORD_TABLE),
    );
    if (prefix === undefined)
      throw new AppError(
        "unsupported_input",
        `${file.name} holds no BERT encoder (no ${WORD_TABLE}).`,
      );
    const weights = new BertWeights(file, config, prefix);
    for (const [name, shape] of weights.#expected()) {
      const info = file.tensors.get(prefix + name);
      if (info === undefined || info.shape.join() !== shape.join())
        throw new AppError(
          "corrupt_data",
          `${file.name}: ${prefix}${name} should be [${shape.join(", ")}] by its config; it is ${info ? `[${info.shape.join(", ")}]` : "missing"}.`,
          { hint: "Give the config.json that belongs to these weights." },
        );
    }
    return weights;
  }

  /** Values by the name without prefix. */
  read(name: string): Promise<Float32Array> {
    return this.#file.readFloats(this.#prefix + name);
  }

  /** The name without the file's prefix. */
  nameOf(fileName: string): string {
    return fileName.startsWith(this.#prefix) ? fileName.slice(this.#prefix.length) : fileName;
  }

  *#expected(): Generator<[string, number[]]> {
    const { hiddenSize: hidden, vocabularySize, maxTokens, typeCount, layerCount } = this.config;
    yield [WORD_TABLE, [vocabularySize, hidden]];
    yield [POSITION_TABLE, [maxTokens, hidden]];
    yield ["embeddings.token_type_embeddings.weight", [typeCount, hidden]];
    const norms = ["embeddings.LayerNorm"];
    for (let layer = 0; layer < layerCount; layer++)
      norms.push(
        `encoder.layer.${layer}.attention.output.LayerNorm`,
        `encoder.layer.${layer}.output.LayerNorm`,
      );
    for (const norm of norms) {
      yield [`${norm}.weight`, [hidden]];
      yield [`${norm}.bias`, [hidden]];
    }
    for (const { name, rows, columns } of linearLayers(this.config)) {
      yield [name, [rows, columns]];
      yield [biasOf(name), [rows]];
    }
  }
}

export function biasOf(weightName: string): string {
  return weightName.replace(/weight$/, "bias");
}
