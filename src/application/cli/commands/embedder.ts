/** `embedder`: which network makes the vectors, what it costs and keeps, and changing it. */

import { join } from "node:path";
import type { Command } from "commander";
import { z } from "zod";
import { AppError } from "../../../errors.ts";
import { describeVariant, type VariantSource } from "../../../quantization/embedder-variant.ts";
import { bind, examples, type Invocation } from "../command.ts";
import type { CommandContext } from "../context.ts";
import { formatBytes, formatPlural } from "../format.ts";
import { readInput } from "../files.ts";
import { printable } from "../output.ts";

const FETCHED = "fetched";
const nothing = z.object({});
const nameSchema = z.object({ name: z.string().min(1) });
const addSchema = z.object({
  folder: z.string().min(1),
  name: z.string().min(1),
  label: z.string().min(1).optional(),
});

export function registerEmbedder(program: Command, invocation: Invocation): void {
  const group = program
    .command("embedder")
    .summary("the network that makes the vectors")
    .description(
      "The embedding model's network can be exchanged for one that `quantize` made: smaller, faster or more exact. Vectors are known by the network that made them and are never compared with others; `llm-compress embed` makes them again.",
    )
    .addHelpText(
      "after",
      examples(
        "llm-compress quantize --input model.safetensors --scheme channel --arithmetic int8 --smooth --calibration texts.jsonl --output fast",
        "llm-compress embedder add fast --name int8-fast",
        "llm-compress embedder use int8-fast && llm-compress embed",
      ),
    );
  group
    .command("list")
    .description("Shows the networks with their size, measured speed, quality and vectors.")
    .addHelpText("after", examples("llm-compress embedder list"))
    .action(bind(invocation, nothing, list));
  group
    .command("use")
    .argument("<name>", `name of a variant, or "${FETCHED}" for the fetched network`)
    .description("Makes vectors with this network from now on.")
    .addHelpText("after", examples("llm-compress embedder use int8-fast && llm-compress embed"))
    .action(bind(invocation, nameSchema, use));
  group
    .command("add")
    .argument("<folder>", "folder that `quantize` wrote")
    .requiredOption("--name <name>", "small letters, digits and dashes")
    .option("--label <text>", "what lists call it (default: how it was made)")
    .description("Adds a network that `llm-compress quantize` made of all-MiniLM-L6-v2.")
    .addHelpText("after", examples("llm-compress embedder add fast --name int8-fast"))
    .action(bind(invocation, addSchema, add));
  group
    .command("remove")
    .argument("<name>", "name of a variant")
    .description("Deletes it; one in use gives way to the fetched network.")
    .addHelpText("after", examples("llm-compress embedder remove int8-fast"))
    .action(bind(invocation, nameSchema, remove));
  group
    .command("measure")
    .description("Measures how many sentences a second the network in use does here.")
    .addHelpText("after", examples("llm-compress embedder measure"))
    .action(bind(invocation, nothing, measure));
}

async function list(context: CommandContext): Promise<number | undefined> {
  const engine = await context.openStore("read");
  const options = await engine.embedders.list();
  if (context.json) {
    await context.printJson({ embedders: options });
    return undefined;
  }
  for (const one of options) {
    const speed =
      one.sentencesPerSecond === null
        ? "not measured here"
        : `${one.sentencesPerSecond.toFixed(1)} sentences/s`;
    const quality =
      one.quality === null
        ? ""
        : `, cosine ${one.quality.cosineMean.toFixed(4)} beside float32 (${formatPlural(one.quality.texts, "text", "texts")})`;
    await context.print(
      `${one.isChosen ? "*" : " "} ${(one.name ?? FETCHED).padEnd(16)} ${printable(one.label)}: ${formatBytes(one.sizeBytes)}, ${speed}${quality}, ${formatPlural(one.vectorCount, "vector", "vectors")} here\n`,
    );
  }
  return undefined;
}

async function use(
  context: CommandContext,
  { name }: z.output<typeof nameSchema>,
): Promise<number | undefined> {
  const engine = await context.openStore("read");
  await engine.embedders.use(name === FETCHED ? null : name);
  const options = await engine.embedders.list();
  const chosen = options.find(({ isChosen }) => isChosen)!;
  const others = options.reduce((sum, one) => sum + (one.isChosen ? 0 : one.vectorCount), 0);
  if (context.json) await context.printJson({ chosen: chosen.name, otherVectors: others });
  else {
    context.note(`In use: ${printable(chosen.label)}.`);
    if (others > 0)
      context.note(
        `${formatPlural(others, "memory has", "memories have")} a vector of another network and are found by words until \`llm-compress embed\` has made it again.`,
      );
  }
  return undefined;
}

async function add(
  context: CommandContext,
  { folder, name, label }: z.output<typeof addSchema>,
): Promise<number | undefined> {
  const read = (file: string): Promise<Uint8Array> =>
    readInput(context.host, join(context.path(folder), file), context.signal);
  const report = parseReport(await read("report.json"), folder);
  const network = await read("model.onnx");
  // Variants are the machine's, not one store's.
  const engine = await context.openScratch({ embed: false });
  await engine.embedders.install(describeVariant(report, name, label), network);
  if (context.json) await context.printJson({ name, sizeBytes: network.length });
  else
    context.note(
      `Added "${name}", ${formatBytes(network.length)}. Use it: llm-compress embedder use ${name}`,
    );
  return undefined;
}

const reportSchema = z.object({
  model: z.string(),
  settings: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
  quality: z
    .object({
      count: z.number(),
      cosineMean: z.number(),
      cosineP5: z.number(),
      top10Overlap: z.number().nullable(),
    })
    .nullable(),
});

function parseReport(bytes: Uint8Array, folder: string): VariantSource {
  try {
    return reportSchema.parse(JSON.parse(new TextDecoder().decode(bytes)));
  } catch (error) {
    throw new AppError("corrupt_data", `${folder}/report.json is no report of a quantization.`, {
      hint: "Name the folder that `llm-compress quantize` wrote.",
      cause: error,
    });
  }
}

async function remove(
  context: CommandContext,
  { name }: z.output<typeof nameSchema>,
): Promise<number | undefined> {
  // Variants are the machine's, not one store's.
  const engine = await context.openScratch({ embed: false });
  await engine.embedders.remove(name);
  if (context.json) await context.printJson({ removed: name });
  else context.note(`Removed "${name}".`);
  return undefined;
}

async function measure(context: CommandContext): Promise<number | undefined> {
  const engine = await context.openStore("read");
  const speed = await engine.embedders.measure({
    signal: context.signal,
    onProgress: (progress) => context.progress.report(progress),
  });
  if (context.json) await context.printJson(speed);
  else context.note(`${speed.sentencesPerSecond.toFixed(1)} sentences a second (${speed.id}).`);
  return undefined;
}
