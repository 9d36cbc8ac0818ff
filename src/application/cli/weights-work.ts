/** What `quantize`, `dequantize` and `inspect` do with weights; loaded when one of them runs. */

import { join } from "node:path";
import { z } from "zod";
import { AppError } from "../../errors.ts";
import { bitsPerWeight } from "../../quantization/layer-error.ts";
import {
  openPackage,
  unpackTensor,
  type QuantizedPackage,
} from "../../quantization/package/package-reader.ts";
import { quantizedSize } from "../../quantization/quantized-tensor.ts";
import type { QuantizeSettings } from "../../quantization/quantize-settings.ts";
import { quantize } from "../../quantization/quantizer.ts";
import { reportMarkdown, type QuantizationReport } from "../../quantization/report.ts";
import { encodeSafetensors } from "../../quantization/tensors/safetensors-writer.ts";
import { loadZstd } from "../../storage/zstd.ts";
import type { CommandContext } from "./context.ts";
import { fileFailure } from "./failure.ts";
import { readInput, writeWholeFile } from "./files.ts";
import type { WeightsAccess } from "./host.ts";

export interface QuantizeInput extends QuantizeSettings {
  input: string;
  output: string;
  /** JSON Lines with a "text" each, or a text a line. */
  calibration?: string;
}

/** Longest calibration and validation text, in tokens. */
const MAX_TOKENS = 128;
/** Of the calibration texts every fifth, at most this many, is kept aside to measure the result with. */
const MAX_HELD_OUT = 400;
const MAX_CALIBRATION = 1000;

export const PACKAGE_NAME = "weights.parquet";
export const NETWORK_NAME = "model.onnx";

/** Writes the package, the network where one can be built, and the report. The report is last: with it the folder is complete. */
export async function quantizeWeights(
  context: CommandContext,
  input: QuantizeInput,
): Promise<QuantizationReport> {
  const weights = await context.host.openWeights();
  const path = context.path(input.input);
  const output = context.path(input.output);
  const file = await named(input.input, weights.open(path));
  const config = parseJson("config.json", await weights.readBeside(path, "config.json"));
  const texts =
    input.calibration === undefined ? null : await readTexts(context, input.calibration);
  const split = texts === null ? null : await tokenized(weights, path, texts, maxTokens(config));
  const result = await quantize(file, input, {
    codec: await loadZstd(),
    ...(config === undefined ? {} : { config }),
    ...(split === null
      ? {}
      : {
          ...split,
          runtime: await weights.runtime(),
        }),
    signal: context.signal,
    onProgress: (progress) => context.progress.report(progress),
  });
  const write = (name: string, bytes: Uint8Array): Promise<void> =>
    writeWholeFile(join(output, name), bytes, { overwrite: true });
  await write(PACKAGE_NAME, result.package);
  if (result.network !== null) {
    await write(NETWORK_NAME, result.network);
    for (const name of ["config.json", "tokenizer.json"]) {
      const bytes = await weights.readBeside(path, name);
      if (bytes !== undefined) await write(name, bytes);
    }
  }
  await write("report.md", encode(reportMarkdown(result.report)));
  await write("report.json", encode(JSON.stringify(result.report, null, 2)));
  return result.report;
}

/** As long as the model reads, where its config says. */
function maxTokens(config: unknown): number {
  const parsed = z.object({ max_position_embeddings: z.number().int().min(8) }).safeParse(config);
  return parsed.success ? Math.min(MAX_TOKENS, parsed.data.max_position_embeddings) : MAX_TOKENS;
}

async function tokenized(
  weights: WeightsAccess,
  path: string,
  texts: readonly string[],
  longest: number,
) {
  const json = parseJson("tokenizer.json", await weights.readBeside(path, "tokenizer.json"));
  if (json === undefined)
    throw new AppError("not_found", "There is no tokenizer.json beside the weights.", {
      hint: "Calibration reads text with the model's own tokenizer: put it there.",
    });
  const tokenizer = weights.tokenizer(json);
  const sequences = texts.map((text) => tokenizer.encode(text, longest));
  const heldOut = sequences.filter((_, i) => i % 5 === 4).slice(0, MAX_HELD_OUT);
  const calibration = sequences.filter((_, i) => i % 5 !== 4).slice(0, MAX_CALIBRATION);
  return { heldOut, calibration };
}

async function readTexts(context: CommandContext, argument: string): Promise<string[]> {
  const bytes = await readInput(
    context.host,
    argument === "-" ? "-" : context.path(argument),
    context.signal,
  );
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (error) {
    throw new AppError("unsupported_input", `${argument} is not UTF-8 text.`, { cause: error });
  }
  const texts = text.split("\n").flatMap((line, i) => textOf(line.trim(), i + 1, argument) ?? []);
  if (texts.length < 10)
    throw new AppError(
      "invalid_input",
      `${argument} has ${texts.length} texts; calibration needs at least ten.`,
      {
        hint: "Give 100 to 1,000 sentences like those that the model will see, one a line.",
      },
    );
  return texts;
}

function textOf(line: string, number: number, name: string): string | null {
  if (line === "") return null;
  if (!line.startsWith("{") && !line.startsWith('"')) return line;
  try {
    const value = JSON.parse(line) as unknown;
    if (typeof value === "string") return value;
    const { text } = value as { text?: unknown };
    if (typeof text === "string") return text;
  } catch {
    // A sentence may begin with a quotation mark.
    if (line.startsWith('"')) return line;
  }
  throw new AppError("invalid_input", `${name}, line ${number}: no JSON object with a "text".`, {
    hint: 'Each line is {"text": "…"}, or plain text.',
  });
}

/** Writes the values of a package as float32 safetensors. Gives the bytes written. */
export async function dequantizePackage(
  context: CommandContext,
  input: string,
  output: string,
): Promise<number> {
  const { info, tensors } = await openPackageFile(context, input);
  const all: { name: string; shape: readonly number[]; values: Float32Array }[] = [];
  for await (const tensor of tensors()) {
    all.push({ name: tensor.name, shape: tensor.shape, values: unpackTensor(tensor) });
    context.progress.report({
      stage: "Unpacking tensors",
      done: all.length,
      total: info.tensorCount,
    });
  }
  const bytes = encodeSafetensors(all, { model: info.model });
  await writeWholeFile(context.path(output), bytes, { overwrite: true });
  return bytes.length;
}

export interface InspectedTensor {
  name: string;
  dtype: string;
  shape: readonly number[];
  bits: number | null;
  group: string | number | null;
  sizeBytes: number;
  bitsPerWeight: number | null;
}

/** Tensors of a package or of a weights file. A package's checksums are checked on the way. */
export async function inspectWeights(
  context: CommandContext,
  argument: string,
): Promise<{
  format: string;
  model: string | null;
  settings: Record<string, unknown>;
  tensors: InspectedTensor[];
}> {
  if (!argument.endsWith(".parquet")) {
    const weights = await context.host.openWeights();
    const file = await named(argument, weights.open(context.path(argument)));
    const tensors = [...file.tensors.values()].map(({ name, dtype, shape, sizeBytes }) => ({
      name, dtype, shape, sizeBytes, bits: null, group: null, bitsPerWeight: null,
    })); // prettier-ignore
    return { format: file.format, model: null, settings: { ...file.metadata }, tensors };
  }
  const { info, tensors } = await openPackageFile(context, argument);
  const found: InspectedTensor[] = [];
  for await (const { name, dtype, shape, values } of tensors())
    found.push(
      values.kind === "float32"
        ? {
            name,
            dtype,
            shape,
            bits: 32,
            group: null,
            sizeBytes: values.values.byteLength,
            bitsPerWeight: 32,
          }
        : {
            name,
            dtype,
            shape,
            bits: values.tensor.scheme.bits,
            group: values.tensor.scheme.group,
            sizeBytes: quantizedSize(values.tensor).totalBytes,
            bitsPerWeight: bitsPerWeight(values.tensor),
          },
    );
  return { format: "package", model: info.model, settings: info.settings, tensors: found };
}

async function openPackageFile(
  context: CommandContext,
  argument: string,
): Promise<QuantizedPackage> {
  const path = context.path(argument);
  return openPackage(
    await named(argument, (await context.host.openWeights()).source(path)),
    await loadZstd(),
  );
}

/** A file that isn't there, or can't be read, by the name that it was asked for with. */
async function named<T>(argument: string, opening: Promise<T>): Promise<T> {
  try {
    return await opening;
  } catch (error) {
    throw error instanceof AppError ? error : fileFailure(error, argument);
  }
}

function parseJson(name: string, bytes: Uint8Array | undefined): unknown {
  if (bytes === undefined) return undefined;
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    throw new AppError("corrupt_data", `${name} beside the weights is not JSON.`, {
      hint: "Fetch it again.",
      cause: error,
    });
  }
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
