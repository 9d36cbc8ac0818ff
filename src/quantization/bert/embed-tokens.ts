/** The embedding layer in plain TypeScript: word + position + type, then LayerNorm. Calibration starts with it. */

import type { TokenRows } from "./calibration-input.ts";
import type { BertWeights } from "./bert-model.ts";

/** [rows, columns, hidden] of every batch; padding is embedded like any token and masked later. */
export async function embedTokens(
  weights: BertWeights,
  wordTable: Float32Array,
  batches: readonly TokenRows[],
): Promise<Float32Array[]> {
  const { hiddenSize: size, layerNormEpsilon } = weights.config;
  const positions = await weights.read("embeddings.position_embeddings.weight");
  const types = await weights.read("embeddings.token_type_embeddings.weight");
  const gain = await weights.read("embeddings.LayerNorm.weight");
  const offset = await weights.read("embeddings.LayerNorm.bias");
  return batches.map(({ rows, columns, ids }) => {
    const out = new Float32Array(rows * columns * size);
    for (let at = 0; at < rows * columns; at++) {
      const word = ids[at]! * size;
      const place = (at % columns) * size;
      const base = at * size;
      let mean = 0;
      for (let i = 0; i < size; i++) {
        const value = wordTable[word + i]! + positions[place + i]! + types[i]!;
        out[base + i] = value;
        mean += value / size;
      }
      let variance = 0;
      for (let i = 0; i < size; i++) variance += (out[base + i]! - mean) ** 2 / size;
      const inverse = 1 / Math.sqrt(variance + layerNormEpsilon);
      for (let i = 0; i < size; i++)
        out[base + i] = (out[base + i]! - mean) * inverse * gain[i]! + offset[i]!;
    }
    return out;
  });
}
