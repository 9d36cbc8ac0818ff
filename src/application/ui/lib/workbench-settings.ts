/** The workbench's form: presets, what each setting means in plain words, and the settings it stands for. */

import {
  quantizedSize,
  type QuantizationBits,
  type QuantizationScheme,
} from "../../../quantization/quantized-tensor.ts";
import type { QuantizeSettings } from "../../../quantization/quantize-settings.ts";
import type { SourceInfo } from "../../../quantization/workbench.ts";
import type { TensorInfo } from "../../../quantization/tensors/tensor-file.ts";

export interface WorkbenchForm {
  bits: QuantizationBits | 32 | "mixed";
  group: "tensor" | "channel" | 32 | 64 | 128 | 256;
  symmetric: boolean;
  gptq: boolean;
  tableBits: QuantizationBits;
  /** INT8 numbers are multiplied as they are. */
  int8: boolean;
  smooth: boolean;
  /** With mixed bits: what a weight may take in the mean, scales included. */
  targetBits: number;
}

export interface Preset {
  id: string;
  name: string;
  about: string;
  form: WorkbenchForm;
}

const PLAIN: WorkbenchForm = {
  bits: 8,
  group: "channel",
  symmetric: false,
  gptq: false,
  tableBits: 8,
  int8: false,
  smooth: false,
  targetBits: 3.3,
};

export const PRESETS: readonly Preset[] = [
  {
    id: "same",
    name: "Same quality, a quarter of the size",
    about: "8 bits a weight. Vectors hardly differ from the original's.",
    form: PLAIN,
  },
  {
    id: "fast",
    name: "Fastest",
    about: "8 bits, multiplied as whole numbers, with outliers evened out by sample text.",
    form: { ...PLAIN, symmetric: true, int8: true, smooth: true },
  },
  {
    id: "small",
    name: "An eighth of the layers' size",
    about: "4 bits in groups of 128, fitted to sample text. Small losses.",
    form: { ...PLAIN, bits: 4, group: 128, gptq: true },
  },
  {
    id: "smallest",
    name: "Smallest",
    about: "2 and 4 bits mixed, each layer as it can bear. Some neighbours change.",
    form: { ...PLAIN, bits: "mixed", group: 32, gptq: true, tableBits: 4 },
  },
];

export const SAME = PRESETS[0]!;

export function matchingPreset(form: WorkbenchForm): Preset | undefined {
  const parts = (one: WorkbenchForm) => JSON.stringify(Object.entries(effective(one)).sort());
  return PRESETS.find((preset) => parts(preset.form) === parts(form));
}

export const BITS_WORDS: Record<string, string> = {
  "8": "8 bits: a quarter of float32; next to no loss",
  "4": "4 bits: an eighth; small losses, smaller with GPTQ",
  "2": "2 bits: a sixteenth before scales; clear losses, GPTQ needed",
  mixed: "2, 4 and 8 bits mixed: each layer gets what it needs to meet a target",
  "32": "32 bits: nothing is rounded, only the runnable network is built",
};

export const GROUP_WORDS: Record<string, string> = {
  "32": "Groups of 32: closest, most scales (1 bit more a weight)",
  "64": "Groups of 64",
  "128": "Groups of 128: the usual choice at 4 bits",
  "256": "Groups of 256",
  channel: "One scale per row: fine at 8 bits",
  tensor: "One scale for all: smallest and worst",
};

/** The form without what has no effect beside the rest. */
export function effective(form: WorkbenchForm): WorkbenchForm {
  const int8 = form.bits === 8 && form.int8 && !form.gptq;
  const clean = { ...form, int8, smooth: int8 && form.smooth };
  if (int8) return { ...clean, group: "channel", symmetric: true, targetBits: PLAIN.targetBits };
  if (form.bits === 32)
    return { ...clean, gptq: false, group: "channel", symmetric: false, targetBits: PLAIN.targetBits }; // prettier-ignore
  if (form.bits === "mixed") return { ...clean, group: 32, symmetric: false };
  return { ...clean, targetBits: PLAIN.targetBits };
}

export function needsText(form: WorkbenchForm): boolean {
  const { gptq, smooth } = effective(form);
  return gptq || smooth;
}

export function toSettings(form: WorkbenchForm, model: string): QuantizeSettings {
  const { bits, group, symmetric, gptq, tableBits, int8, smooth, targetBits } = effective(form);
  return {
    model,
    bits: bits === "mixed" ? 4 : bits,
    group,
    symmetric,
    gptq,
    tableBits,
    arithmetic: int8 ? "int8" : "float",
    smooth,
    ...(bits === "mixed" && { mixed: { bitsPerWeight: targetBits } }),
  };
}

/** A name for the run. */
export function titleOf(form: WorkbenchForm): string {
  const { bits, group, gptq, int8, smooth, targetBits } = effective(form);
  if (bits === 32) return "Float32 network";
  const parts = [
    bits === "mixed" ? `Mixed, ${targetBits} bits` : `INT${bits}`,
    int8 ? "integer arithmetic" : "",
    bits === "mixed" || int8 ? "" : typeof group === "number" ? `groups of ${group}` : `per ${group === "channel" ? "row" : group}`,
    gptq ? "GPTQ" : "",
    smooth ? "smoothed" : "",
  ]; // prettier-ignore
  return parts.filter((part) => part !== "").join(", ");
}

/** What goes badly together, so that nobody waits for it in vain. */
export function warningsFor(form: WorkbenchForm): string[] {
  const { bits, group, gptq, tableBits } = effective(form);
  const warnings: string[] = [];
  if (bits === 2 && typeof group !== "number")
    warnings.push(
      "2 bits with one scale per row or for all leave nothing useful: four values can't stand for hundreds of different weights. Take groups of 32.",
    );
  else if (bits === 2 && !gptq)
    warnings.push("2 bits without GPTQ lose most of the meaning. Switch GPTQ on.");
  if (bits === 4 && group === "tensor")
    warnings.push("4 bits with one scale for all lose much. Take groups.");
  if (tableBits === 2)
    warnings.push("2 bits for the table of words blur single words; 4 are nearly as small.");
  return warnings;
}

/** Why it can't run with these weights; null when it can. */
export function obstacleFor(form: WorkbenchForm, source: SourceInfo): string | null {
  const { bits, gptq, smooth } = effective(form);
  if (!gptq && !smooth)
    return bits === 32 && source.networkReason !== null
      ? `At 32 bits only a network is built, and there is none to build: ${source.networkReason}`
      : null;
  const what = gptq ? "GPTQ" : "Smoothing";
  if (source.networkReason !== null)
    return `${what} reads text with the model itself, and this one can't be run. ${source.networkReason}`;
  return source.hasTokenizer
    ? null
    : `${what} needs the model's tokenizer.json beside the weights.`;
}

const IS_TABLE = /word_embeddings\.weight$|embed_tokens\.weight$|wte\.weight$/;
const IS_KEPT = /token_type_embeddings/;
/** Kept at 8 bits; in 8 bits as it is. */
const IS_PLACES = /position_embeddings/;
/** As the quantizer does: smaller ones gain nothing. */
const MIN_VALUES = 4096;

/** About what codes, scales and the rest will take, before ZSTD. */
export function estimateBytes(form: WorkbenchForm, tensors: readonly TensorInfo[]): number {
  const { bits, group, symmetric, tableBits, targetBits } = effective(form);
  let bytes = 0;
  for (const { name, shape, dtype } of tensors) {
    if (!/^(F|BF)/.test(dtype)) continue;
    const values = shape.reduce((product, size) => product * size, 1);
    const rows = shape[0] ?? 1;
    if (
      bits === 32 ||
      shape.length < 2 ||
      values < MIN_VALUES ||
      IS_KEPT.test(name) ||
      (bits === 8 && IS_PLACES.test(name))
    )
      bytes += 4 * values;
    else if (bits === "mixed" && !IS_TABLE.test(name) && !IS_PLACES.test(name))
      bytes += (values * targetBits) / 8;
    else {
      const scheme: QuantizationScheme = IS_PLACES.test(name)
        ? { bits: 8, symmetric: false, group: "channel" }
        : IS_TABLE.test(name)
          ? { bits: tableBits, symmetric: false, group: tableBits === 2 ? 64 : "channel" }
          : { bits: bits === "mixed" ? 4 : bits, symmetric, group };
      bytes += quantizedSize({ rows, columns: values / rows, scheme }).totalBytes;
    }
  }
  return bytes;
}
