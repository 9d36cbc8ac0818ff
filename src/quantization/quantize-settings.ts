/** How a model is to be quantized, and what of it goes together. */

import { AppError } from "../errors.ts";
import type { MixTarget } from "./layer-plan.ts";
import type { QuantizationBits, QuantizationScheme } from "./quantized-tensor.ts";

export interface QuantizeSettings {
  /** Name of the model, for the package and the report. */
  model: string;
  /** 32 leaves everything in float32: the package and network of the original. */
  bits: QuantizationBits | 32;
  group: QuantizationScheme["group"];
  /** Default false: a zero point per group. */
  symmetric?: boolean;
  /** Searches the clipping of each group. Default: below 8 bits. */
  clipSearch?: boolean;
  /** Bits of tables of words, a scale per row at 8 bits. Default 8, or 4 at 2 bits. */
  tableBits?: QuantizationBits;
  /** "int8": products of INT8 numbers instead of INT8 weights in float32 products; needs 8 bits. Default "float". */
  arithmetic?: "float" | "int8";
  /** Fits the encoder's layers one after the other to calibration text (GPTQ). */
  gptq?: boolean;
  /** With INT8 products: evens out inputs with outliers, by calibration text. */
  smooth?: boolean;
  /** Every linear layer gets its own scheme, so that the target is met; `bits` and `group` hold for other matrices. */
  mixed?: MixTarget;
}

/** Whether the settings are about the layers of an encoder. */
export const needsEncoder = ({ gptq, smooth, mixed }: QuantizeSettings): boolean =>
  gptq === true || smooth === true || mixed !== undefined;

/** `invalid_input` for what doesn't go together or lacks text, a config or a runtime. */
export function checkSettings(
  settings: QuantizeSettings,
  options: { calibration?: unknown; runtime?: unknown; config?: unknown },
): void {
  const { bits, arithmetic, gptq, smooth, mixed } = settings;
  if (arithmetic === "int8" && bits !== 8)
    throw new AppError(
      "invalid_input",
      `INT8 products need weights of 8 bits; ${bits} were asked for.`,
    );
  if (arithmetic === "int8" && (gptq || mixed !== undefined))
    throw new AppError(
      "invalid_input",
      "INT8 products go with neither GPTQ nor a mix of bits: at 8 bits rounding loses next to nothing.",
    );
  if (smooth && arithmetic !== "int8")
    throw new AppError("invalid_input", "Smoothing goes with INT8 products.", {
      hint: "Only those round their inputs.",
    });
  if ((gptq || mixed !== undefined) && bits === 32)
    throw new AppError("invalid_input", "At 32 bits nothing is rounded.");
  if (needsEncoder(settings) && options.config === undefined)
    throw new AppError(
      "invalid_input",
      "GPTQ, smoothing and a mix of bits need the model's config.json.",
      { hint: "Put config.json beside the weights: it says which layers there are." },
    );
  if (!gptq && !smooth) return;
  if (options.calibration === undefined)
    throw new AppError("invalid_input", "GPTQ and smoothing need calibration text.", {
      hint: "Give 100 to 1,000 sentences like those that the model will see.",
    });
  if (options.runtime === undefined)
    throw new AppError("invalid_input", "GPTQ and smoothing need a runtime.");
}
