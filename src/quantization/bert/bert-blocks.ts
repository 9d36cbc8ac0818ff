/** The parts of a BERT encoder as ONNX nodes; calibration's stages and the finished network are made of them. */

import { ELEMENT } from "../onnx/onnx-model.ts";
import type { GraphBuilder } from "../onnx/graph-builder.ts";
import type { BertConfig } from "./bert-model.ts";

export const INPUTS = {
  ids: "input_ids",
  mask: "attention_mask",
  types: "token_type_ids",
} as const;
export const BATCH_DIMS = ["batch", "tokens"] as const;

/** Added to the scores of padding; enough to vanish in a softmax, small enough for half precision sums. */
const MASKED = -10_000;

/** The mask as what is added to attention scores: [batch, 1, 1, tokens], 0 or -10,000. */
export function scoreMask(builder: GraphBuilder): string {
  const mask = builder.node("Cast", [INPUTS.mask], { to: ELEMENT.float });
  const spread = builder.node("Unsqueeze", [mask, builder.ints([1, 2])]);
  const hidden = builder.node("Sub", [builder.scalar(1), spread]);
  return builder.node("Mul", [hidden, builder.scalar(MASKED)]);
}

/** Scaled dot-product attention over heads of what the three linears gave, [batch, tokens, hidden]. */
export function attention(
  builder: GraphBuilder,
  config: BertConfig,
  parts: { query: string; key: string; value: string; mask: string },
): string {
  const size = config.hiddenSize / config.headCount;
  const split = builder.ints([0, 0, config.headCount, size]);
  const heads = (from: string, perm: readonly number[]): string =>
    builder.node("Transpose", [builder.node("Reshape", [from, split])], { perm });
  const query = heads(parts.query, [0, 2, 1, 3]);
  const key = heads(parts.key, [0, 2, 3, 1]);
  const value = heads(parts.value, [0, 2, 1, 3]);
  const products = builder.node("MatMul", [query, key]);
  const scores = builder.node("Mul", [products, builder.scalar(1 / Math.sqrt(size))]);
  const masked = builder.node("Add", [scores, parts.mask]);
  const shares = builder.node("Softmax", [masked], { axis: -1 });
  const mixed = builder.node("Transpose", [builder.node("MatMul", [shares, value])], {
    perm: [0, 2, 1, 3],
  });
  return builder.node("Reshape", [mixed, builder.ints([0, 0, config.hiddenSize])]);
}

/** LayerNorm(a + b). */
export function addAndNormalize(
  builder: GraphBuilder,
  config: BertConfig,
  a: string,
  b: string,
  norm: { weight: string; bias: string },
): string {
  const sum = builder.node("Add", [a, b]);
  return layerNorm(builder, config, sum, norm);
}

export function layerNorm(
  builder: GraphBuilder,
  config: BertConfig,
  input: string,
  norm: { weight: string; bias: string },
): string {
  return builder.node("LayerNormalization", [input, norm.weight, norm.bias], {
    axis: -1,
    epsilon: { float: config.layerNormEpsilon },
  });
}

/** Exact GELU, x/2 (1 + erf(x / √2)), in the form that runtimes fuse into one kernel. */
export function gelu(builder: GraphBuilder, input: string): string {
  const scaled = builder.node("Div", [input, builder.scalar(Math.SQRT2)]);
  const shifted = builder.node("Add", [builder.node("Erf", [scaled]), builder.scalar(1)]);
  return builder.node("Mul", [builder.node("Mul", [input, shifted]), builder.scalar(0.5)]);
}

/** Mean over the real tokens, then length 1 (Sentence-BERT, arXiv:1908.10084): [batch, hidden]. */
export function pool(builder: GraphBuilder, hidden: string, output: string): string {
  const mask = builder.node("Unsqueeze", [
    builder.node("Cast", [INPUTS.mask], { to: ELEMENT.float }),
    builder.ints([2]),
  ]);
  const real = builder.node("Mul", [hidden, mask]);
  // The mean's divisor cancels against the normalisation.
  const sum = builder.node("ReduceSum", [real, builder.ints([1])], { keepdims: 0 });
  const norm = builder.node("ReduceL2", [sum], { axes: [1], keepdims: 1 });
  const safe = builder.node("Max", [norm, builder.scalar(1e-12)]);
  return builder.node("Div", [sum, safe], {}, { outputs: [output] });
}
