/** A BERT encoder small enough for tests: seeded weights, two blocks, in memory as safetensors. */

import { bytesSource } from "../../../../src/quantization/tensors/byte-source.ts";
import { openSafetensors } from "../../../../src/quantization/tensors/safetensors.ts";
import { encodeSafetensors } from "../../../../src/quantization/tensors/safetensors-writer.ts";
import type { TensorFile } from "../../../../src/quantization/tensors/tensor-file.ts";

export const TINY_CONFIG = {
  model_type: "bert",
  hidden_size: 64,
  intermediate_size: 128,
  num_attention_heads: 4,
  num_hidden_layers: 2,
  max_position_embeddings: 32,
  vocab_size: 200,
  type_vocab_size: 2,
  layer_norm_eps: 1e-12,
  hidden_act: "gelu",
};

/** mulberry32 */
export function seeded(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function tinyBertBytes(prefix = ""): Uint8Array {
  const next = seeded(7);
  const random = (shape: number[], size: number, middle = 0) => ({
    shape,
    values: Float32Array.from(
      { length: shape.reduce((a, b) => a * b, 1) },
      () => middle + size * (next() + next() + next() - 1.5),
    ),
  });
  const tensors: { name: string; shape: number[]; values: Float32Array }[] = [];
  const add = (name: string, tensor: { shape: number[]; values: Float32Array }): void => {
    tensors.push({ name: prefix + name, ...tensor });
  };
  const norm = (path: string): void => {
    add(`${path}.weight`, random([64], 0.1, 1));
    add(`${path}.bias`, random([64], 0.1));
  };
  const linear = (path: string, rows: number, columns: number): void => {
    add(`${path}.weight`, random([rows, columns], 0.2));
    add(`${path}.bias`, random([rows], 0.1));
  };
  add("embeddings.word_embeddings.weight", random([200, 64], 0.5));
  add("embeddings.position_embeddings.weight", random([32, 64], 0.1));
  add("embeddings.token_type_embeddings.weight", random([2, 64], 0.1));
  norm("embeddings.LayerNorm");
  for (let layer = 0; layer < 2; layer++) {
    const path = `encoder.layer.${layer}`;
    for (const part of ["query", "key", "value"]) linear(`${path}.attention.self.${part}`, 64, 64);
    linear(`${path}.attention.output.dense`, 64, 64);
    norm(`${path}.attention.output.LayerNorm`);
    linear(`${path}.intermediate.dense`, 128, 64);
    linear(`${path}.output.dense`, 64, 128);
    norm(`${path}.output.LayerNorm`);
  }
  return encodeSafetensors(tensors);
}

export function openTinyBert(prefix = ""): Promise<TensorFile> {
  return openSafetensors(bytesSource("tiny.safetensors", tinyBertBytes(prefix)));
}

/** Sequences of the tiny vocabulary, 4–20 tokens. */
export function tinySequences(count: number, seed: number): Int32Array[] {
  const next = seeded(seed);
  return Array.from({ length: count }, () =>
    Int32Array.from({ length: 4 + Math.floor(16 * next()) }, () => Math.floor(200 * next() ** 2)),
  );
}
