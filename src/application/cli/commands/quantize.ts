/** `quantize` and `dequantize`: weights in few bits, with what that did to them; and weights again. */

import { basename, dirname } from "node:path";
import type { Command } from "commander";
import { z } from "zod";
import { AppError } from "../../../errors.ts";
import { bind, examples, type Invocation } from "../command.ts";
import type { CommandContext } from "../context.ts";
import { formatBytes } from "../format.ts";
import { integerOption, pathOption, sizeOption } from "../options.ts";
import { printable } from "../output.ts";

const loadWork = () => import("../weights-work.ts");

const bitsOption = z
  .enum(["2", "4", "8", "32"])
  .transform((bits) => Number(bits) as 2 | 4 | 8 | 32);
const quantizeSchema = z.object({
  input: pathOption,
  output: pathOption,
  bits: bitsOption,
  scheme: z.enum(["group", "channel", "tensor"]),
  groupSize: integerOption(1, 65_536).optional(),
  symmetric: z.boolean().default(false),
  gptq: z.boolean().default(false),
  calibration: pathOption.optional(),
  arithmetic: z.enum(["float", "int8"]),
  smooth: z.boolean().default(false),
  targetBits: z.coerce.number().min(2).max(9).optional(),
  targetSize: sizeOption.optional(),
  tableBits: z.enum(["2", "4", "8"]).optional(),
});
const dequantizeSchema = z.object({ input: pathOption, output: pathOption });

export function registerQuantize(program: Command, invocation: Invocation): void {
  program
    .command("quantize")
    .summary("shrink the weights of a model")
    .description(
      "Writes a folder with the weights in few bits (weights.parquet), a network that runs (model.onnx, for BERT encoders with config.json beside the weights) and a report of what was lost. Reads .safetensors, a .safetensors.index.json of shards, or .onnx.",
    )
    .requiredOption("-i, --input <file>", "weights")
    .requiredOption("-o, --output <folder>", "folder to write to; made where it isn't there")
    .option("-b, --bits <bits>", "2, 4 or 8; 32 only builds the network", "8")
    .option("--scheme <scheme>", "one scale per group, channel or tensor", "group")
    .option("--group-size <count>", "weights that share a scale (default: 128; 32 at 2 bits)")
    .option("--symmetric", "no zero points")
    .option("--gptq", "fit the layers one after the other to calibration text")
    .option(
      "--calibration <file>",
      'texts, one a line or as {"text": …}; every fifth measures the result',
    )
    .option("--arithmetic <kind>", "float, or int8 for products of INT8 numbers (8 bits)", "float")
    .option("--smooth", "with INT8 products: even out inputs with outliers, by calibration text")
    .option(
      "--target-bits <bits>",
      "mix 2, 4 and 8 bits: so many a weight in the mean, scales included",
    )
    .option("--target-size <size>", 'mix bits: linear layers together in at most this, "6MB"')
    .option("--table-bits <bits>", "bits of the table of words (default: 8; 4 at 2 bits)")
    .addHelpText(
      "after",
      examples(
        "llm-compress quantize --input model.safetensors --bits 8 --output int8",
        "llm-compress quantize --input model.safetensors --bits 8 --scheme channel --arithmetic int8 --smooth --calibration texts.jsonl --output fast",
        "llm-compress quantize --input model.safetensors --bits 2 --scheme group --group-size 32 --gptq --calibration texts.jsonl --output int2",
      ),
    )
    .action(bind(invocation, quantizeSchema, quantize));
}

export function registerDequantize(program: Command, invocation: Invocation): void {
  program
    .command("dequantize")
    .summary("write quantized weights as float32")
    .description(
      "Writes the values that a package of quantized weights stands for as a .safetensors file.",
    )
    .requiredOption("-i, --input <file>", "weights.parquet of `quantize`")
    .requiredOption("-o, --output <file>", ".safetensors file")
    .addHelpText(
      "after",
      examples("llm-compress dequantize --input int8/weights.parquet --output back.safetensors"),
    )
    .action(bind(invocation, dequantizeSchema, dequantize));
}

async function quantize(
  context: CommandContext,
  input: z.output<typeof quantizeSchema>,
): Promise<number | undefined> {
  if (input.gptq && input.calibration === undefined)
    throw new AppError("invalid_input", "--gptq needs text to calibrate with.", {
      hint: "Name a file with --calibration: 100 to 1,000 sentences, one a line.",
    });
  if (input.groupSize !== undefined && input.scheme !== "group")
    throw new AppError("invalid_input", "--group-size goes with --scheme group.");
  if (input.targetBits !== undefined && input.targetSize !== undefined)
    throw new AppError("invalid_input", "Give --target-bits or --target-size, not both.");
  if (input.smooth && input.calibration === undefined)
    throw new AppError("invalid_input", "--smooth needs text to calibrate with.", {
      hint: "Name a file with --calibration: 100 to 1,000 sentences, one a line.",
    });
  const { quantizeWeights } = await loadWork();
  const { bits, scheme, symmetric, arithmetic } = input;
  const report = await quantizeWeights(context, {
    input: input.input,
    output: input.output,
    model: basename(dirname(context.path(input.input))),
    bits,
    group: scheme === "group" ? (input.groupSize ?? (bits === 2 ? 32 : 128)) : scheme,
    symmetric,
    arithmetic,
    gptq: input.gptq,
    smooth: input.smooth,
    ...(input.targetBits !== undefined && { mixed: { bitsPerWeight: input.targetBits } }),
    ...(input.targetSize !== undefined && { mixed: { sizeBytes: input.targetSize } }),
    ...(input.tableBits === undefined ? {} : { tableBits: Number(input.tableBits) as 2 | 4 | 8 }),
    ...(input.calibration === undefined ? {} : { calibration: input.calibration }),
  });
  if (context.json) {
    await context.printJson({ output: input.output, ...report });
    return undefined;
  }
  const { sizes, quality } = report;
  context.note(
    `${input.output}: package ${formatBytes(sizes.packageBytes)}` +
      (sizes.networkBytes === null ? "" : `, network ${formatBytes(sizes.networkBytes)}`) +
      `, from ${formatBytes(sizes.sourceBytes)}`,
  );
  if (report.networkReason !== null) context.note(`No runnable network: ${report.networkReason}`);
  if (quality !== null)
    context.note(
      `Vectors beside the original's, ${quality.count} texts: cosine ${quality.cosineMean.toFixed(4)}, fifth percentile ${quality.cosineP5.toFixed(4)}` +
        (quality.top10Overlap === null
          ? ""
          : `, nearest ten ${(100 * quality.top10Overlap).toFixed(1)} % the same`),
    );
  if (report.bitsPerWeight !== null)
    context.note(`Bits a weight, scales included: ${report.bitsPerWeight.toFixed(2)}`);
  context.note("What it did to each layer: report.md");
  return undefined;
}

async function dequantize(
  context: CommandContext,
  input: z.output<typeof dequantizeSchema>,
): Promise<number | undefined> {
  const { dequantizePackage } = await loadWork();
  const bytes = await dequantizePackage(context, input.input, input.output);
  if (context.json) await context.printJson({ input: input.input, output: input.output, bytes });
  else context.note(`${input.output}: ${formatBytes(bytes)}`);
  return undefined;
}

/** The tensors of a weights file or package, for `inspect`. */
export async function printWeights(
  context: CommandContext,
  file: string,
): Promise<number | undefined> {
  const { inspectWeights } = await loadWork();
  const found = await inspectWeights(context, file);
  if (context.json) {
    await context.printJson({ file, ...found });
    return undefined;
  }
  const title = found.model === null ? found.format : `${found.model}, ${found.format}`;
  const settings = Object.entries(found.settings).map(([key, value]) => `${key} ${String(value)}`);
  await context.print(`${printable([title, ...settings].join(", "))}\n`);
  const width = Math.max(...found.tensors.map(({ name }) => name.length), 1);
  for (const { name, dtype, shape, bits, group, sizeBytes } of found.tensors) {
    const scheme = bits === null || bits === 32 ? "" : `  ${bits} bits, ${group}`;
    await context.print(
      `${printable(name).padEnd(width)}  ${dtype.padEnd(4)}  ${`[${shape.join(", ")}]`.padEnd(14)}  ${formatBytes(sizeBytes).padStart(8)}${scheme}\n`,
    );
  }
  return undefined;
}
