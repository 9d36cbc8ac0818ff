/**
 * The scheme of every linear layer when bits are mixed: measures what each scheme on offer does to a
 * layer by rounding it, then lets `recommendSchemes` spend the bytes where they help most.
 */

import type { QuantizationKernels } from "./kernels/kernels.ts";
import { layerError } from "./layer-error.ts";
import { quantizedSize, type QuantizationScheme } from "./quantized-tensor.ts";
import { recommendSchemes, type LayerChoice, type RecommendTarget } from "./recommend.ts";

/** What a mix of bits is to reach; counted over the linear layers, scales and zero points included. */
export type MixTarget =
  | { bitsPerWeight: number }
  | { sizeBytes: number }
  /** Mean share of noise in the layers' outputs, 0–1. */
  | { noise: number };

/** Schemes on offer, all of which run as `MatMulNBits`. */
export const MIX_SCHEMES: readonly QuantizationScheme[] = [
  { bits: 2, symmetric: false, group: 64 },
  { bits: 2, symmetric: false, group: 32 },
  { bits: 4, symmetric: false, group: 128 },
  { bits: 4, symmetric: false, group: 32 },
  { bits: 8, symmetric: false, group: "channel" },
];

export interface PlannedLayer {
  name: string;
  rows: number;
  columns: number;
  /** Reads the weights, row-major. */
  read(): Promise<Float32Array>;
  /** Mean square of every input, where it was measured. */
  energy?: ArrayLike<number> | undefined;
}

export interface LayerPlan {
  layers: ReadonlyMap<string, LayerChoice>;
  sizeBytes: number;
  bitsPerWeight: number;
}

/** `invalid_input` when no mix reaches the target. */
export async function planLayers(
  layers: readonly PlannedLayer[],
  target: MixTarget,
  kernels: QuantizationKernels,
  onLayer: (done: number) => void = () => undefined,
): Promise<LayerPlan> {
  const choices = [];
  for (const { name, rows, columns, read, energy } of layers) {
    const values = await read();
    const weights = energy && { weights: Float32Array.from(energy) };
    const offers: LayerChoice[] = [];
    for (const scheme of MIX_SCHEMES) {
      const options = { clipSearch: scheme.bits < 8, ...weights };
      const tensor = await kernels.quantize(values, rows, columns, scheme, options);
      const error = layerError(values, await kernels.dequantize(tensor), columns, energy);
      const ratio = error.sqnrDb === null ? 0 : 10 ** (-error.sqnrDb / 10);
      const { totalBytes: sizeBytes } = quantizedSize(tensor);
      offers.push({ scheme, sizeBytes, noise: error.outputError ?? ratio });
    }
    choices.push({ name, choices: offers });
    onLayer(choices.length);
  }
  const weights = layers.reduce((sum, { rows, columns }) => sum + rows * columns, 0);
  const wanted: RecommendTarget =
    "bitsPerWeight" in target
      ? { sizeBytes: Math.floor((target.bitsPerWeight * weights) / 8) }
      : target;
  const chosen = recommendSchemes(choices, wanted);
  const sizeBytes = [...chosen.values()].reduce((sum, one) => sum + one.sizeBytes, 0);
  return {
    layers: chosen,
    sizeBytes,
    bitsPerWeight: weights === 0 ? 0 : (8 * sizeBytes) / weights,
  };
}
