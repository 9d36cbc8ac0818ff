/** A BERT encoder of any shape with seeded weights, as safetensors. */

import { encodeSafetensors } from "../../../../src/quantization/tensors/safetensors-writer.ts";

export interface BertShape {
  hidden: number;
  wide: number;
  heads: number;
  layers: number;
  tokens: number;
  words: number;
}

export function bertConfig({ hidden, wide, heads, layers, tokens, words }: BertShape) {
  return {
    model_type: "bert",
    hidden_size: hidden,
    intermediate_size: wide,
    num_attention_heads: heads,
    num_hidden_layers: layers,
    max_position_embeddings: tokens,
    vocab_size: words,
    type_vocab_size: 2,
    layer_norm_eps: 1e-12,
    hidden_act: "gelu",
  };
}

/** mulberry32 */
export function seeded(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** `prefix` stands before every tensor's name. */
export function bertBytes(shape: BertShape, prefix = ""): Uint8Array {
  const { hidden, wide, layers, tokens, words } = shape;
  const next = seeded(7);
  const random = (dims: number[], size: number, middle = 0) => ({
    shape: dims,
    values: Float32Array.from(
      { length: dims.reduce((a, b) => a * b, 1) },
      () => middle + size * (next() + next() + next() - 1.5),
    ),
  });
  const tensors: { name: string; shape: number[]; values: Float32Array }[] = [];
  const add = (name: string, tensor: { shape: number[]; values: Float32Array }): void => {
    tensors.push({ name: prefix + name, ...tensor });
  };
  const norm = (path: string): void => {
    add(`${path}.weight`, random([hidden], 0.1, 1));
    add(`${path}.bias`, random([hidden], 0.1));
  };
  const linear = (path: string, rows: number, columns: number): void => {
    add(`${path}.weight`, random([rows, columns], 0.2));
    add(`${path}.bias`, random([rows], 0.1));
  };
  add("embeddings.word_embeddings.weight", random([words, hidden], 0.5));
  add("embeddings.position_embeddings.weight", random([tokens, hidden], 0.1));
  add("embeddings.token_type_embeddings.weight", random([2, hidden], 0.1));
  norm("embeddings.LayerNorm");
  for (let layer = 0; layer < layers; layer++) {
    const path = `encoder.layer.${layer}`;
    for (const part of ["query", "key", "value"])
      linear(`${path}.attention.self.${part}`, hidden, hidden);
    linear(`${path}.attention.output.dense`, hidden, hidden);
    norm(`${path}.attention.output.LayerNorm`);
    linear(`${path}.intermediate.dense`, wide, hidden);
    linear(`${path}.output.dense`, hidden, wide);
    norm(`${path}.output.LayerNorm`);
  }
  return encodeSafetensors(tensors);
}
