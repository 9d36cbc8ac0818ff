/** `status` and `models`: what is there, and in which state. */

import type { Command } from "commander";
import { z } from "zod";
import type { EngineStatus } from "../../../engine.ts";
import type { ModelState } from "../../../ports/embedder.ts";
import { bind, examples, type Invocation } from "../command.ts";
import type { CommandContext } from "../context.ts";
import { formatBytes, formatCount, formatRatio, formatSaving } from "../format.ts";
import { printable } from "../output.ts";

const statusSchema = z.object({ verbose: z.boolean().default(false) });
const modelsSchema = z.object({ action: z.enum(["install"]).optional() });

export function registerStatus(program: Command, invocation: Invocation): void {
  program
    .command("status")
    .summary("sizes, ratios, models")
    .description(
      "Shows what the store holds and what it costs. Every figure is computed from what is stored.",
    )
    .option("-v, --verbose", "files, caches, latency and what recovery did")
    .addHelpText("after", examples("llm-compress status --verbose", "llm-compress status --json"))
    .action(bind(invocation, statusSchema, status));
}

export function registerModels(program: Command, invocation: Invocation): void {
  program
    .command("models")
    .summary("state of the embedding model, and how to install it")
    .description("Shows whether the embedding model is installed, and how to install it.")
    .argument("[action]", "install: how to install it")
    .addHelpText("after", examples("llm-compress models", "llm-compress models install"))
    .action(bind(invocation, modelsSchema, models));
}

async function status(
  context: CommandContext,
  input: z.output<typeof statusSchema>,
): Promise<number | undefined> {
  const engine = await context.openStore("read");
  const result = await engine.status();
  if (context.json) await context.printJson({ directory: context.storeDirectory, ...result });
  else await context.print(`${renderStatus(context, result, input.verbose)}\n`);
  return undefined;
}

async function models(
  context: CommandContext,
  input: z.output<typeof modelsSchema>,
): Promise<number | undefined> {
  const engine = await context.openScratch({ embed: false });
  const { model } = (await engine.status()).embeddings;
  if (context.json) await context.printJson({ models: [model] });
  else await context.print(`${describeModel(model)}\n`);
  if (input.action === "install" && model.state !== "installed" && model.state !== "loaded")
    context.note(
      "Run `npm run setup` in the project's folder: it shows the size, downloads with resume and checks the weights.",
    );
  return undefined;
}

function describeModel(model: ModelState): string {
  const size = formatBytes(model.sizeBytes);
  const parts: Record<ModelState["state"], string> = {
    missing: `not installed (${size} to download); \`npm run setup\` installs it`,
    partial: `${formatBytes(model.installedBytes)} of ${size} there; \`npm run setup\` goes on`,
    installed: `installed, ${size}`,
    loaded: `loaded, ${size}`,
    failed: `failed: ${printable(model.error ?? "unknown reason")}`,
  };
  const backend = model.backend === undefined ? "" : `, runs on ${model.backend}`;
  return `${model.name}: ${parts[model.state]}${backend}, licence ${model.licence}`;
}

function renderStatus(context: CommandContext, status: EngineStatus, verbose: boolean): string {
  const { store, keepCounts, ratios, embeddings } = status;
  const levels = (["exact", "summary", "gist"] as const)
    .filter((level) => keepCounts[level] > 0)
    .map((level) => `${formatCount(keepCounts[level])} ${level}`);
  const rows: [string, string][] = [
    ["Store", context.storeDirectory],
    [
      "Memories",
      `${formatCount(store.memoryCount)}${levels.length > 0 ? ` (${levels.join(", ")})` : ""}`,
    ],
    ["Originals", formatBytes(store.originalBytes)],
    ["Stored text", `${formatBytes(store.storedBytes)}, ${formatSaving(ratios.storedRatio)}`],
    ["Whole store", `${formatBytes(store.totalBytes)}, ${formatSaving(ratios.totalRatio)}`],
    ["Context", `${formatRatio(ratios.contextRatio)} fewer tokens at recall`],
    [
      "Embedded",
      `${formatCount(embeddings.embeddedCount)}, ${formatCount(embeddings.pendingCount)} pending`,
    ],
    ["Model", describeModel(embeddings.model)],
  ];
  if (store.forgottenCount > 0)
    rows.push(["Forgotten", `${formatCount(store.forgottenCount)}, restorable until compaction`]);
  if (verbose) rows.push(...verboseRows(status));
  for (const line of store.recovered) rows.push(["Recovered", printable(line)]);
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows
    .map(([name, text]) => `${context.paint("dim", name.padEnd(width))}  ${text}`)
    .join("\n");
}

function verboseRows({
  version,
  store,
  usage,
  caches,
  recallMs,
}: EngineStatus): [string, string][] {
  const rows: [string, string][] = [
    ["Version", version],
    ["Kind", store.kind],
    ["Generation", formatCount(store.generation)],
    ["Segments", `${formatCount(store.segmentCount)}, ${formatBytes(store.segmentBytes)}`],
    ["Journal", formatBytes(store.journalBytes)],
    ["Indexes", formatBytes(store.indexBytes)],
    [
      "Disk",
      `${formatBytes(usage.usedBytes)} used${usage.quotaBytes === null ? "" : ` of ${formatBytes(usage.quotaBytes)}`}`,
    ],
  ];
  for (const [name, cache] of Object.entries(caches))
    rows.push([
      `Cache ${name}`,
      `${formatCount(cache.entries)} entries, ${formatCount(cache.hits)} hits, ${formatCount(cache.misses)} misses`,
    ]);
  rows.push([
    "Recall",
    recallMs === null
      ? "no query in this run"
      : `p50 ${recallMs.p50.toFixed(1)} ms, p99 ${recallMs.p99.toFixed(1)} ms over ${formatCount(recallMs.count)} queries`,
  ]);
  return rows;
}
