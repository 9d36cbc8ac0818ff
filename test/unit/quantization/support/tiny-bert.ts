/** A BERT encoder small enough for tests: seeded weights, two blocks, in memory as safetensors. */

import { bytesSource } from "../../../../src/quantization/tensors/byte-source.ts";
import { openSafetensors } from "../../../../src/quantization/tensors/safetensors.ts";
import type { TensorFile } from "../../../../src/quantization/tensors/tensor-file.ts";
import { bertBytes, bertConfig, seeded } from "./bert-weights.ts";

const TINY = { hidden: 64, wide: 128, heads: 4, layers: 2, tokens: 32, words: 200 };
export const TINY_CONFIG = bertConfig(TINY);
export { seeded };

export function tinyBertBytes(prefix = ""): Uint8Array {
  return bertBytes(TINY, prefix);
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
