/**
 * The finished network: BERT encoder, mean pooling and normalisation in one ONNX graph. Inputs as
 * exporters name them (input_ids, attention_mask, token_type_ids: int64 [batch, tokens]); outputs
 * last_hidden_state [batch, tokens, hidden] and sentence_embedding [batch, hidden], unit length.
 */

import { GraphBuilder } from "../onnx/graph-builder.ts";
import { ELEMENT } from "../onnx/onnx-model.ts";
import {
  addAndNormalize,
  attention,
  BATCH_DIMS,
  gelu,
  INPUTS,
  layerNorm,
  pool,
  scoreMask,
} from "./bert-blocks.ts";
import {
  biasOf,
  linearLayers,
  POSITION_TABLE,
  WORD_TABLE,
  type BertWeights,
  type LinearKind,
} from "./bert-model.ts";
import { addTable, type TableWeights } from "./embedding-node.ts";
import { addLinear, type LinearWeights, type QuantizedInputs } from "./linear-node.ts";

export const OUTPUTS = { hidden: "last_hidden_state", sentence: "sentence_embedding" } as const;

/** What replaces the file's values; what isn't named stays float32. */
export interface NetworkParts {
  wordTable?: TableWeights;
  positionTable?: TableWeights;
  /** By the name of the weight tensor. */
  linears?: ReadonlyMap<string, LinearWeights>;
  /** Biases that make up for a mean error, by the name of the weight tensor. */
  biases?: ReadonlyMap<string, Float32Array>;
}

/** The network as the bytes of an ONNX file. */
export async function buildEncoder(
  weights: BertWeights,
  parts: NetworkParts = {},
  metadata: Readonly<Record<string, string>> = {},
): Promise<Uint8Array> {
  const { config } = weights;
  const builder = new GraphBuilder("bert_encoder");
  for (const name of Object.values(INPUTS)) builder.input(name, ELEMENT.int64, BATCH_DIMS);
  const constant = async (name: string, dims: readonly number[]): Promise<string> =>
    builder.constant(name, dims, await weights.read(name));
  const norm = async (path: string): Promise<{ weight: string; bias: string }> => ({
    weight: await constant(`${path}.weight`, [config.hiddenSize]),
    bias: await constant(`${path}.bias`, [config.hiddenSize]),
  });

  const mask = scoreMask(builder);
  let hidden = await embed(weights, builder, parts, constant);
  hidden = layerNorm(builder, config, hidden, await norm("embeddings.LayerNorm"));
  const layers = linearLayers(config);
  const inputs: QuantizedInputs = new Map();
  for (let layer = 0; layer < config.layerCount; layer++) {
    const linear = async (kind: LinearKind, input: string): Promise<string> => {
      const shape = layers.find((one) => one.layer === layer && one.kind === kind)!;
      const { name, rows, columns } = shape;
      const values: LinearWeights = parts.linears?.get(name) ?? {
        kind: "float", values: await weights.read(name), rows, columns,
      }; // prettier-ignore
      const bias = parts.biases?.get(name) ?? (await weights.read(biasOf(name)));
      return addLinear(builder, name.replace(/\.weight$/, ""), input, values, bias, inputs);
    };
    const context = attention(builder, config, {
      query: await linear("query", hidden),
      key: await linear("key", hidden),
      value: await linear("value", hidden),
      mask,
    });
    const path = `encoder.layer.${layer}`;
    const attended = await linear("attentionOutput", context);
    const first = addAndNormalize(
      builder,
      config,
      attended,
      hidden,
      await norm(`${path}.attention.output.LayerNorm`),
    );
    const wide = gelu(builder, await linear("intermediate", first));
    const narrow = await linear("output", wide);
    hidden = addAndNormalize(
      builder,
      config,
      narrow,
      first,
      await norm(`${path}.output.LayerNorm`),
    );
  }
  const last = builder.node("Identity", [hidden], {}, { outputs: [OUTPUTS.hidden] });
  pool(builder, last, OUTPUTS.sentence);
  builder.output(OUTPUTS.hidden, ELEMENT.float, [...BATCH_DIMS, config.hiddenSize]);
  builder.output(OUTPUTS.sentence, ELEMENT.float, [BATCH_DIMS[0], config.hiddenSize]);
  return builder.build(metadata);
}

async function embed(
  { config }: BertWeights,
  builder: GraphBuilder,
  parts: NetworkParts,
  constant: (name: string, dims: readonly number[]) => Promise<string>,
): Promise<string> {
  const table = parts.wordTable;
  const words =
    table === undefined
      ? builder.node("Gather", [
          await constant(WORD_TABLE, [config.vocabularySize, config.hiddenSize]),
          INPUTS.ids,
        ])
      : addTable(builder, "word_embeddings", INPUTS.ids, table);
  const types = await constant("embeddings.token_type_embeddings.weight", [
    config.typeCount,
    config.hiddenSize,
  ]);
  const shape = builder.node("Shape", [INPUTS.ids]);
  const tokens = builder.node("Slice", [shape, builder.ints([1]), builder.ints([2])]);
  const used = await place(builder, parts, config.maxTokens, tokens, () =>
    constant(POSITION_TABLE, [config.maxTokens, config.hiddenSize]),
  );
  const placed = builder.node("Add", [words, used]);
  return builder.node("Add", [placed, builder.node("Gather", [types, INPUTS.types])]);
}

/** What the places of a sequence add: the first rows of their table, [tokens, hidden] or [1, tokens, hidden]. */
async function place(
  builder: GraphBuilder,
  { positionTable }: NetworkParts,
  maxTokens: number,
  tokens: string,
  values: () => Promise<string>,
): Promise<string> {
  const first = builder.ints([0]);
  if (positionTable === undefined) return builder.node("Slice", [await values(), first, tokens]);
  const all = builder.ints(Array.from({ length: maxTokens }, (_, i) => i));
  const used = builder.node("Slice", [all, first, tokens]);
  return addTable(builder, "position_embeddings", builder.node("Unsqueeze", [used, first]), positionTable); // prettier-ignore
}
