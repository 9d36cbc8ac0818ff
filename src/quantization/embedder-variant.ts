/** A quantized network as a variant of the embedding model: what lists say of it. */

import type { NewEmbedderVariant } from "../ports/embedder-variants.ts";
import type { QuantizationReport } from "./report.ts";

/** What is needed of a report. */
export type VariantSource = Pick<QuantizationReport, "model" | "settings" | "quality">;

/** `label` defaults to how it was made: "8 bits, INT8 products, smoothed". */
export function describeVariant(
  { model, settings, quality }: VariantSource,
  name: string,
  label = describeSettings(settings),
): NewEmbedderVariant {
  return {
    name,
    label,
    base: model,
    settings,
    quality: quality && {
      cosineMean: quality.cosineMean,
      cosineP5: quality.cosineP5,
      top10Overlap: quality.top10Overlap,
      texts: quality.count,
    },
    builtAt: new Date().toISOString(),
  };
}

function describeSettings(settings: VariantSource["settings"]): string {
  const { bits, arithmetic, smooth, method } = settings;
  const parts = [
    bits === "mixed" ? "mixed bits" : bits === 32 ? "float32" : `${String(bits)} bits`,
  ];
  if (arithmetic === "int8") parts.push("INT8 products");
  if (smooth === true) parts.push("smoothed");
  if (method === "gptq") parts.push("GPTQ");
  return parts.join(", ");
}
