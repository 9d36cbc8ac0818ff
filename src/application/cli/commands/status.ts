/** `status`: what is there, in which state, and what it costs. */

import type { Command } from "commander";
import { z } from "zod";
import type { EngineStatus } from "../../../engine.ts";
import type { SpendingReport } from "../../../model/language-model.ts";
import { bind, examples, type Invocation } from "../command.ts";
import type { CommandContext } from "../context.ts";
import {
  formatBytes,
  formatCount,
  formatDuration,
  formatPlural,
  formatRatio,
  formatSaving,
  formatScore,
  formatTime,
} from "../format.ts";
import { describeEmbedder, formatUsd } from "../model-words.ts";
import { printable } from "../output.ts";

const statusSchema = z.object({ verbose: z.boolean().default(false) });

export function registerStatus(program: Command, invocation: Invocation): void {
  program
    .command("status")
    .summary("sizes, ratios, models")
    .description(
      "Shows what the store holds and what it costs. Every figure is computed from what is stored.",
    )
    .option(
      "-v, --verbose",
      "files, caches, latency, language models: choices, speeds, quality, cost",
    )
    .addHelpText("after", examples("llm-compress status --verbose", "llm-compress status --json"))
    .action(bind(invocation, statusSchema, status));
}

async function status(
  context: CommandContext,
  input: z.output<typeof statusSchema>,
): Promise<number | undefined> {
  const engine = await context.openStore("read");
  const result = await engine.status();
  const spending = input.verbose ? await engine.language.spending() : null;
  if (context.json)
    await context.printJson({
      directory: context.storeDirectory,
      ...result,
      ...(spending ? { spending } : {}),
    });
  else await context.print(`${renderStatus(context, result, spending)}\n`);
  return undefined;
}

function renderStatus(
  context: CommandContext,
  status: EngineStatus,
  spending: SpendingReport | null,
): string {
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
    ["Model", describeEmbedder(embeddings.model)],
  ];
  if (store.forgottenCount > 0)
    rows.push(["Forgotten", `${formatCount(store.forgottenCount)}, restorable until compaction`]);
  rows.push(["Summaries by", describeLanguage(status)]);
  if (spending) rows.push(...verboseRows(status), ...languageRows(status, spending));
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
  vectors,
  words,
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
  rows.push(
    [
      "Vectors",
      `${formatCount(vectors.count)} in ${formatBytes(vectors.memoryBytes)} of memory, ${vectors.kernel}${vectors.loaded ? "" : "; not all could be read, recall goes by words alone"}`,
    ],
    [
      "Words",
      `${formatCount(words.count)} in ${formatBytes(words.memoryBytes)} of memory; ${formatCount(words.record.memories)} of them in the FTS5 record${words.record.isFull ? ", which is full" : ""}`,
    ],
    ["Workers", `${formatCount(vectors.workers)} for vectors. ${vectors.workersReason}`],
  );
  if (vectors.gpu)
    rows.push(["Graphics", `${vectors.gpu.name ?? "not in use"}. ${vectors.gpu.reason}`]);
  rows.push([
    "Recall",
    recallMs === null
      ? "no query in this run"
      : `p50 ${recallMs.p50.toFixed(1)} ms, p99 ${recallMs.p99.toFixed(1)} ms over ${formatCount(recallMs.count)} queries`,
  ]);
  return rows;
}

function describeLanguage({ language }: EngineStatus): string {
  const { settings, readyCount, todayUsd } = language;
  if (!settings.enabled) return "extraction alone; language models are turned off";
  const models =
    readyCount === 0
      ? "no language model is ready"
      : formatPlural(readyCount, "language model ready", "language models ready");
  return `extraction; ${models}, ${formatUsd(todayUsd)} of ${formatUsd(settings.dailyBudgetUsd)} spent today`;
}

/** Choices, speeds, quality and cost of the language models that were asked. */
function languageRows({ language }: EngineStatus, spending: SpendingReport): [string, string][] {
  const { settings, profiles } = language;
  const rows: [string, string][] = [
    [
      "Language",
      `model ${settings.model}, text ${settings.allowRemote ? "may leave this machine" : "stays on this machine"}`,
    ],
  ];
  for (const profile of profiles) {
    const { latencyMs, tokensPerSecond, quality } = profile;
    const parts = [
      `${formatPlural(profile.calls, "call", "calls")}, ${formatCount(profile.failures)} failed`,
      latencyMs === null
        ? "never answered"
        : `p50 ${formatDuration(latencyMs.p50)}, p95 ${formatDuration(latencyMs.p95)}`,
      ...(tokensPerSecond === null ? [] : [`${tokensPerSecond.toFixed(1)} tokens/s`]),
      quality === null
        ? "no summary judged"
        : `${Math.round(quality.passRate * 100)} % of ${formatPlural(quality.count, "summary", "summaries")} passed, similarity ${formatScore(quality.similarity)}`,
      formatUsd(profile.costUsd),
      ...(profile.lastError === undefined ? [] : [`last failure: ${printable(profile.lastError)}`]),
    ];
    rows.push([profile.modelId, parts.join("; ")]);
  }
  for (const day of spending.days.slice(0, 7))
    rows.push([day.day, `${formatUsd(day.usd)} in ${formatPlural(day.calls, "call", "calls")}`]);
  for (const call of spending.calls.slice(0, 5))
    rows.push([
      formatTime(call.at),
      `${call.modelId} ${call.ok ? "answered" : "failed"} in ${formatDuration(call.elapsedMs)}, ${formatCount(call.inputTokens)} + ${formatCount(call.outputTokens)} tokens, ${formatUsd(call.usd)}`,
    ]);
  return rows;
}
