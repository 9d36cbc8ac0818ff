/** `compress`, `decompress`, `inspect`: single texts as `.llmc` files, without a store. */

import { stat } from "node:fs/promises";
import type { Command } from "commander";
import { z } from "zod";
import { AppError } from "../../../errors.ts";
import type { CompressedMemory, Engine } from "../../../engine.ts";
import { addModelOptions, bind, examples, type Invocation } from "../command.ts";
import type { CommandContext } from "../context.ts";
import { readInput, writeWholeFile } from "../files.ts";
import { formatBytes, formatRatio, formatSaving, formatScore } from "../format.ts";
import { keepOption, modelOptions, modeOption, pathOption, toModelChoice } from "../options.ts";
import { printable } from "../output.ts";
import { printWeights } from "./quantize.ts";

const STREAM = "-";
/** Brings language models of names and numbers with it: loaded when a command runs, not for help. */
const loadMemoryFile = () => import("../memory-file.ts");

const compressSchema = z.object({
  input: pathOption,
  output: pathOption,
  mode: modeOption,
  keep: keepOption,
  embed: z.boolean(),
  ...modelOptions,
});
const decompressSchema = z.object({ input: pathOption, output: pathOption });
const inspectSchema = z.object({ file: pathOption });

export function registerCompress(program: Command, invocation: Invocation): void {
  addModelOptions(
    program
      .command("compress")
      .summary("compress one text into a .llmc file")
      .description(
        "Compresses one text, in any encoding, into a .llmc file: its summary, its entities and what restores it bit for bit.",
      )
      .option("-i, --input <file>", '"-" reads stdin', STREAM)
      .option("-o, --output <file>", '"-" writes to stdout', STREAM)
      .option("-m, --mode <mode>", "fast, balanced or high", "fast")
      .option("-k, --keep <level>", "exact, or summary where its quality allows", "exact")
      .option("--no-embed", "measure quality without the embedding model; faster"),
  )
    .addHelpText(
      "after",
      examples(
        "llm-compress compress --input letter.txt --output letter.llmc",
        "llm-compress compress --input minutes.md --output minutes.llmc --keep summary --json",
        "cat letter.txt | llm-compress compress > letter.llmc",
      ),
    )
    .action(bind(invocation, compressSchema, compress));
}

export function registerDecompress(program: Command, invocation: Invocation): void {
  program
    .command("decompress")
    .summary("restore the text of a .llmc file")
    .description(
      "Restores the text of a .llmc file: the exact bytes where they are kept, else text rebuilt from the summary (said on stderr). With --json and no --output the text is a field of the JSON.",
    )
    .option("-i, --input <file>", '"-" reads stdin', STREAM)
    .option("-o, --output <file>", '"-" writes to stdout', STREAM)
    .addHelpText(
      "after",
      examples(
        "llm-compress decompress --input letter.llmc --output letter.txt",
        "llm-compress decompress < letter.llmc | less",
      ),
    )
    .action(bind(invocation, decompressSchema, decompress));
}

export function registerInspect(program: Command, invocation: Invocation): void {
  program
    .command("inspect")
    .summary("show what a .llmc file or a file of weights holds")
    .description(
      "Shows summary, entities, quality and ratios of a .llmc file; or the tensors of weights (.safetensors, .onnx, or the weights.parquet of `quantize`).",
    )
    .argument("<file>", '.llmc file or weights; "-" reads a .llmc file from stdin')
    .addHelpText(
      "after",
      examples("llm-compress inspect letter.llmc", "llm-compress inspect letter.llmc --json"),
    )
    .action(bind(invocation, inspectSchema, inspect));
}

async function compress(
  context: CommandContext,
  input: z.output<typeof compressSchema>,
): Promise<number | undefined> {
  const toStdout = input.output === STREAM;
  if (toStdout && context.json)
    throw new AppError("invalid_input", "--json and the compressed data can't both go to stdout", {
      hint: "Name a file with --output.",
    });
  if (toStdout && context.host.stdout.isTTY)
    throw new AppError("invalid_input", "Compressed data is not for a terminal", {
      hint: "Name a file with --output, or pipe stdout into one.",
    });
  const source = await readSource(context, input.input);
  const engine = await openFor(context, input);
  const { packText } = await loadMemoryFile();
  const { bytes, compressed } = await packText(engine, source, nameOf(input.input), {
    mode: input.mode,
    keep: input.keep,
    ...toModelChoice(input),
    signal: context.signal,
    onProgress: (progress) => context.progress.report(progress),
  });
  if (toStdout) await context.print(bytes);
  else await writeWholeFile(context.path(input.output), bytes, { overwrite: true });

  const ratio = source.length / bytes.length;
  if (context.json)
    await context.printJson({
      input: input.input,
      output: input.output,
      ...describe(compressed),
      originalBytes: source.length,
      storedBytes: bytes.length,
      ratio: Number(ratio.toFixed(3)),
    });
  else if (!toStdout) {
    const { keep, keepReason } = compressed;
    context.note(
      `${input.output}: kept ${keep === "summary" ? "as a summary" : "exactly"}, ${formatBytes(source.length)} in ${formatBytes(bytes.length)} (${formatRatio(ratio)}).${keepReason ? ` Not as a summary: ${keepReason}` : ""}`,
    );
  }
  return undefined;
}

/**
 * Settings, keys and the day's budget of language models are the store's: a command that may ask one
 * opens it, though it stores nothing there. Where none was named, a store that isn't there or is in
 * use is done without.
 */
async function openFor(
  context: CommandContext,
  { mode, model, embed }: z.output<typeof compressSchema>,
): Promise<Engine> {
  const auto = model === undefined || model === "auto";
  if (model === "extractive" || (auto && mode === "fast")) return context.openScratch({ embed });
  if (!auto) return context.openStore("write", { embed });
  if (!(await stat(context.storeDirectory).catch(() => null)))
    return context.openScratch({ embed });
  try {
    return await context.openStore("read", { embed });
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== "store_locked") throw error;
    context.note("The store is in use: its language models are not asked.");
    return context.openScratch({ embed });
  }
}

async function decompress(
  context: CommandContext,
  input: z.output<typeof decompressSchema>,
): Promise<number | undefined> {
  const file = await readSource(context, input.input);
  const engine = await context.openScratch({ embed: false });
  const { unpackFile } = await loadMemoryFile();
  const { compressed, text, bytes, reconstructed } = await unpackFile(engine, file);
  if (reconstructed)
    context.note(
      "Note: the original is not kept in this file; this text was rebuilt from its summary.",
    );
  const toStdout = input.output === STREAM;
  if (!toStdout) await writeWholeFile(context.path(input.output), bytes, { overwrite: true });
  if (context.json)
    await context.printJson({
      input: input.input,
      ...(toStdout ? { text } : { output: input.output }),
      ...describe(compressed),
      reconstructed,
      bytes: bytes.length,
    });
  else if (toStdout) await context.print(bytes);
  else context.note(`${input.output}: ${formatBytes(bytes.length)}`);
  return undefined;
}

async function inspect(
  context: CommandContext,
  input: z.output<typeof inspectSchema>,
): Promise<number | undefined> {
  if (/\.(parquet|safetensors|onnx|index\.json)$/.test(input.file))
    return printWeights(context, input.file);
  const file = await readSource(context, input.file);
  const { decodeContainer } = await loadMemoryFile();
  const compressed = await decodeContainer(file);
  const { ratios, quality, entities } = compressed;
  if (context.json) {
    await context.printJson({
      file: input.file,
      ...describe(compressed),
      fileBytes: file.length,
      residualBytes: compressed.residual?.length ?? 0,
      ratios,
    });
    return undefined;
  }
  const rows: [string, string][] = [
    ["Kept", compressed.keep === "exact" ? "exactly" : "as a summary"],
    ["Mode", `${compressed.mode}, summary: ${compressed.model}`],
    ["Original", `${formatBytes(ratios.originalBytes)}, SHA-256 ${compressed.contentSha256}`],
    ["File", `${formatBytes(file.length)}, ${formatSaving(ratios.storedRatio)}`],
    ["Context", `${formatRatio(ratios.contextRatio)} fewer tokens for a language model`],
    [
      "Quality",
      `similarity ${formatScore(quality.similarity)}, coverage ${formatScore(quality.coverage)}, entities ${formatScore(quality.entityRecall)}, numbers ${formatScore(quality.numberRecall)}, faithfulness ${formatScore(quality.faithfulness)}`,
    ],
    ["Entities", entities.map((entity) => `${entity.text} (${entity.type})`).join(", ") || "none"],
    ["Summary", compressed.summary],
  ];
  if (compressed.keepReason) rows.splice(1, 0, ["Why", compressed.keepReason]);
  await context.print(
    `${rows.map(([name, text]) => `${context.paint("dim", name.padEnd(8))}  ${printable(text)}`).join("\n")}\n`,
  );
  return undefined;
}

/** What the JSON of all three commands tells. */
function describe(compressed: CompressedMemory): Record<string, unknown> {
  const { keep, keepReason, mode, model, summary, entities, quality, contentSha256 } = compressed;
  const { contextRatio } = compressed.ratios;
  return { keep, keepReason, mode, model, summary, entities, quality, contentSha256, contextRatio };
}

function readSource(context: CommandContext, argument: string): Promise<Uint8Array> {
  const path = argument === STREAM ? STREAM : context.path(argument);
  if (path === STREAM && context.host.stdin.isTTY)
    throw new AppError("invalid_input", "There is no input: stdin is a terminal", {
      hint: "Name a file with --input, or pipe one into this command.",
    });
  return readInput(context.host, path, context.signal);
}

function nameOf(argument: string): string {
  return argument === STREAM ? "Standard input" : argument;
}
