import { describe, expect, it } from "vitest";
import { layerError } from "../../../src/quantization/layer-error.ts";
import {
  quantizedSize,
  type QuantizationScheme,
} from "../../../src/quantization/quantized-tensor.ts";
import { recommendSchemes, type LayerChoices } from "../../../src/quantization/recommend.ts";
import { dequantizeTensor, quantizeTensor } from "../../../src/quantization/round-to-nearest.ts";
import { seeded } from "./support/tiny-bert.ts";

const SCHEMES: QuantizationScheme[] = [2, 4, 8].map((bits) => ({
  bits: bits as 2 | 4 | 8,
  symmetric: false,
  group: 32,
}));

/** Layers of like size; the third one's inputs are ten times as large. */
function measuredLayers(): LayerChoices[] {
  const next = seeded(1);
  return [0, 1, 2].map((layer) => {
    const values = Float32Array.from({ length: 64 * 64 }, () => next() - 0.5);
    // Energy of inputs that weigh nothing beside the rest: what is lost there doesn't matter.
    const energy = Float64Array.from({ length: 64 }, (_, i) => (layer === 2 || i < 8 ? 1 : 1e-6));
    if (layer !== 2) for (let row = 0; row < 64; row++) values.fill(0.25, row * 64, row * 64 + 8);
    return {
      name: `layer.${layer}`,
      choices: SCHEMES.map((scheme) => {
        const tensor = quantizeTensor(values, 64, 64, scheme, { clipSearch: true });
        const noise = layerError(values, dequantizeTensor(tensor), 64, energy).outputError!;
        return { scheme, sizeBytes: quantizedSize(tensor).totalBytes, noise };
      }),
    };
  });
}

describe("recommended schemes", () => {
  it("fit the size and give the bits to the layer that needs them", () => {
    const layers = measuredLayers();
    const smallest = layers.reduce((sum, { choices }) => sum + choices[0]!.sizeBytes, 0);
    const sizeBytes = smallest + 2100;
    const chosen = recommendSchemes(layers, { sizeBytes });
    const total = [...chosen.values()].reduce((sum, one) => sum + one.sizeBytes, 0);
    expect(total).toBeLessThanOrEqual(sizeBytes);
    expect(chosen.get("layer.2")!.scheme.bits).toBeGreaterThan(chosen.get("layer.0")!.scheme.bits);
  });

  it("reach a noise with as little as they can, or say that it can't be reached", () => {
    const layers = measuredLayers();
    const chosen = recommendSchemes(layers, { noise: 0.01 });
    const noise = [...chosen.values()].reduce((sum, one) => sum + one.noise, 0) / 3;
    expect(noise).toBeLessThanOrEqual(0.01);
    expect([...chosen.values()].some(({ scheme }) => scheme.bits < 8)).toBe(true);
    expect(() => recommendSchemes(layers, { noise: 0 })).toThrow(/noise/);
    expect(() => recommendSchemes(layers, { sizeBytes: 10 })).toThrow(/smallest schemes/);
  });
});
