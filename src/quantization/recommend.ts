/**
 * Which layer gets how many bits: the most useful ones first, until a size or a quality is reached.
 * A layer's need is the share of its output's energy that rounding turns to noise; as in
 * mixed-precision search (HAWQ, 2019, arXiv:1905.03696), with measured noise for the curvature.
 */

import { AppError } from "../errors.ts";
import type { QuantizationScheme } from "./quantized-tensor.ts";

/** One way to store a layer. */
export interface LayerChoice {
  scheme: QuantizationScheme;
  sizeBytes: number;
  /** Noise share of the output; see `LayerError.outputError`. */
  noise: number;
}

export interface LayerChoices {
  name: string;
  choices: readonly LayerChoice[];
}

export type RecommendTarget =
  /** All layers together take at most this. */
  | { sizeBytes: number }
  /** The mean noise share of the layers is at most this. */
  | { noise: number };

/**
 * One choice per layer: starts with the smallest of each and improves where a byte takes most noise
 * away. `invalid_input` when even the smallest don't fit, or the best aren't good enough.
 */
export function recommendSchemes(
  layers: readonly LayerChoices[],
  target: RecommendTarget,
): Map<string, LayerChoice> {
  const options = layers.map(({ name, choices }) => ({ name, steps: frontier(choices), at: 0 }));
  const chosen = (): LayerChoice[] => options.map(({ steps, at }) => steps[at]!);
  const total = (): number => chosen().reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const noise = (): number =>
    chosen().reduce((sum, one) => sum + one.noise, 0) / Math.max(1, options.length);
  if ("sizeBytes" in target && total() > target.sizeBytes)
    throw new AppError(
      "invalid_input",
      `The smallest schemes take ${total()} bytes; ${target.sizeBytes} were asked for.`,
      {
        hint: "Allow more, or larger groups.",
      },
    );
  for (;;) {
    if ("noise" in target && noise() <= target.noise) break;
    const room = "sizeBytes" in target ? target.sizeBytes - total() : Infinity;
    let best: { index: number; gain: number } | null = null;
    options.forEach(({ steps, at }, index) => {
      const now = steps[at]!;
      const next = steps[at + 1];
      if (next === undefined || next.sizeBytes - now.sizeBytes > room) return;
      const gain = (now.noise - next.noise) / Math.max(1, next.sizeBytes - now.sizeBytes);
      if (best === null || gain > best.gain) best = { index, gain };
    });
    if (best === null) {
      if ("noise" in target)
        throw new AppError(
          "invalid_input",
          `No choice of schemes gets the noise down to ${target.noise}; the best gives ${noise().toFixed(5)}.`,
          {
            hint: "Ask for less, or allow 8 bits.",
          },
        );
      break;
    }
    options[(best as { index: number }).index]!.at++;
  }
  return new Map(options.map(({ name, steps, at }) => [name, steps[at]!]));
}

/** Sizes upwards, and only what is better than everything smaller. */
function frontier(choices: readonly LayerChoice[]): LayerChoice[] {
  const kept: LayerChoice[] = [];
  for (const choice of [...choices].sort((a, b) => a.sizeBytes - b.sizeBytes || a.noise - b.noise))
    if (kept.length === 0 || choice.noise < kept.at(-1)!.noise) kept.push(choice);
  return kept;
}
