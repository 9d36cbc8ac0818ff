/**
 * The pieces of an encoder block that lie between its linear layers, as small graphs whose weights
 * are inputs: calibration runs each for the original and for the quantized network, and takes the
 * statistics of what reaches the next linear layer.
 */

import { ELEMENT } from "../onnx/onnx-model.ts";
import { GraphBuilder } from "../onnx/graph-builder.ts";
import { addAndNormalize, attention, BATCH_DIMS, gelu, INPUTS, scoreMask } from "./bert-blocks.ts";
import type { BertConfig } from "./bert-model.ts";

/**
 * attend: hidden → context (query, key, value); settle: context, hidden → LayerNorm(Wo context + hidden);
 * widen: first → gelu(Wi first); narrow: wide, first → LayerNorm(Wd wide + first).
 */
export type Stage = "attend" | "settle" | "widen" | "narrow";

/** Weights are fed transposed, [inputs, outputs]. */
export const STAGE_OUTPUT = "result";

export function buildStage(config: BertConfig, stage: Stage): Uint8Array {
  const builder = new GraphBuilder(stage);
  const { hiddenSize, intermediateSize } = config;
  const values = (name: string, size: number): string =>
    builder.input(name, ELEMENT.float, [...BATCH_DIMS, size]);
  const linear = (name: string, input: string, inputs: number, outputs: number): string => {
    const weight = builder.input(`${name}.weight`, ELEMENT.float, [inputs, outputs]);
    const bias = builder.input(`${name}.bias`, ELEMENT.float, [outputs]);
    return builder.node("Add", [builder.node("MatMul", [input, weight]), bias]);
  };
  const norm = (): { weight: string; bias: string } => ({
    weight: builder.input("norm.weight", ELEMENT.float, [hiddenSize]),
    bias: builder.input("norm.bias", ELEMENT.float, [hiddenSize]),
  });
  let result: string;
  let size = hiddenSize;
  if (stage === "attend") {
    const hidden = values("hidden", hiddenSize);
    builder.input(INPUTS.mask, ELEMENT.int64, BATCH_DIMS);
    const [query, key, value] = (["query", "key", "value"] as const).map((name) =>
      linear(name, hidden, hiddenSize, hiddenSize),
    ) as [string, string, string];
    result = attention(builder, config, { query, key, value, mask: scoreMask(builder) });
  } else if (stage === "settle") {
    const context = values("context", hiddenSize);
    const hidden = values("hidden", hiddenSize);
    const attended = linear("attentionOutput", context, hiddenSize, hiddenSize);
    result = addAndNormalize(builder, config, attended, hidden, norm());
  } else if (stage === "widen") {
    const first = values("first", hiddenSize);
    result = gelu(builder, linear("intermediate", first, hiddenSize, intermediateSize));
    size = intermediateSize;
  } else {
    const wide = values("wide", intermediateSize);
    const first = values("first", hiddenSize);
    const narrowed = linear("output", wide, intermediateSize, hiddenSize);
    result = addAndNormalize(builder, config, narrowed, first, norm());
  }
  builder.node("Identity", [result], {}, { outputs: [STAGE_OUTPUT] });
  builder.output(STAGE_OUTPUT, ELEMENT.float, [...BATCH_DIMS, size]);
  return builder.build();
}

/** left right as a graph: "left" [m, k], or [k, m] when `turned`, and "right" [k, n] → [m, n]. */
export function buildProduct({ turned }: { turned: boolean }): Uint8Array {
  const builder = new GraphBuilder("product");
  const left = builder.input("left", ELEMENT.float, turned ? ["k", "m"] : ["m", "k"]);
  const right = builder.input("right", ELEMENT.float, ["k", "n"]);
  const first = turned ? builder.node("Transpose", [left], { perm: [1, 0] }) : left;
  builder.node("MatMul", [first, right], {}, { outputs: [STAGE_OUTPUT] });
  builder.output(STAGE_OUTPUT, ELEMENT.float, ["m", "n"]);
  return builder.build();
}
