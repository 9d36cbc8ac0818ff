/** `retention`: how detail fades: the rules, what they would move, moving it, taking it back. */

import type { Command } from "commander";
import { z } from "zod";
import { CONTENT_KINDS } from "../../../model/memory.ts";
import type { RetentionPolicy, RetentionRule } from "../../../model/episode.ts";
import { AppError } from "../../../errors.ts";
import { bind, collect, examples, type Invocation } from "../command.ts";
import type { CommandContext } from "../context.ts";
import { formatBytes, formatPlural, truncate } from "../format.ts";
import { integerOption } from "../options.ts";
import { printable } from "../output.ts";

const none = z.object({});
const limitSchema = z.object({ limit: integerOption(1, 1_000) });
const share = z
  .string()
  .regex(/^(0(\.\d{1,6})?|1(\.0+)?)$/, "must be a number from 0 to 1, like 0.25")
  .transform(Number);
const setSchema = z.object({
  olderThan: integerOption(0, 100_000).optional(),
  source: z.array(z.string().min(1)).optional(),
  kind: z.array(z.enum(CONTENT_KINDS)).optional(),
  activationBelow: share.optional(),
  to: z.enum(["summary", "gist"]).optional(),
  add: z.boolean().default(false),
  on: z.boolean().default(false),
  off: z.boolean().default(false),
  clear: z.boolean().default(false),
});

export function registerRetention(program: Command, invocation: Invocation): void {
  const retention = program
    .command("retention")
    .summary("how detail fades: rules, preview, apply, undo")
    .description(
      "Rules that move memories to less detail. Nothing moves by itself: `apply` moves, `undo` takes it back until the next `compact`.",
    )
    .addHelpText(
      "after",
      examples(
        "llm-compress retention set --older-than 365 --to summary",
        "llm-compress retention set --add --source chat.txt --older-than 1000 --to gist",
        "llm-compress retention preview",
        "llm-compress retention set --on && llm-compress retention apply",
        "llm-compress retention undo",
      ),
    )
    .action(bind(invocation, none, show));
  retention
    .command("show")
    .summary("the rules")
    .action(bind(invocation, none, show));
  retention
    .command("set")
    .summary("set the one rule, or add another, or turn retention on or off")
    .option("--older-than <days>", "event time at least this many days ago")
    .option("--source <name>", "only of this source; repeatable", collect)
    .option("--kind <kind>", "only of this kind; repeatable", collect)
    .option("--activation-below <share>", "only what is less present than this now, 0 to 1")
    .option("--to <level>", "summary or gist")
    .option("--add", "keep the rules that are there; the first that matches decides")
    .option("--on", "let `apply` move memories")
    .option("--off", "let nothing move")
    .option("--clear", "remove all rules")
    .action(bind(invocation, setSchema, set));
  retention
    .command("preview")
    .summary("what the rules would move now")
    .option("-n, --limit <count>", "moves to list", "20")
    .action(bind(invocation, limitSchema, preview));
  retention
    .command("apply")
    .summary("move what the rules say")
    .action(bind(invocation, none, apply));
  retention
    .command("undo")
    .summary("take back what moved since the last compaction")
    .action(bind(invocation, none, undo));
}

async function show(context: CommandContext): Promise<undefined> {
  const engine = await context.openStore("read");
  await printPolicy(context, await engine.retention.policy());
  return undefined;
}

async function printPolicy(context: CommandContext, policy: RetentionPolicy): Promise<void> {
  if (context.json) return context.printJson(policy);
  const rules = policy.rules.map((rule, i) => `${i + 1}. ${describeRule(rule)}\n`);
  const state = policy.enabled
    ? "Retention is on: `llm-compress retention apply` moves what the rules say."
    : "Retention is off: nothing moves.";
  await context.print(`${rules.join("") || "There are no rules.\n"}${state}\n`);
}

function describeRule(rule: RetentionRule): string {
  const conditions = [
    rule.olderThanDays === undefined
      ? null
      : `older than ${formatPlural(rule.olderThanDays, "day", "days")}`,
    rule.sources && `of source ${rule.sources.map(printable).join(" or ")}`,
    rule.kinds && `of kind ${rule.kinds.join(" or ")}`,
    rule.activationBelow === undefined ? null : `less present than ${rule.activationBelow}`,
  ].filter((one) => one != null);
  return `${conditions.join(", ")}: keep ${rule.moveTo === "gist" ? "only the episode's gist" : "a summary"}`;
}

async function set(context: CommandContext, input: z.output<typeof setSchema>): Promise<undefined> {
  if (input.on && input.off)
    throw new AppError("invalid_input", "--on and --off exclude each other");
  const engine = await context.openStore("read");
  const before = await engine.retention.policy();
  const conditions = {
    ...(input.olderThan === undefined ? {} : { olderThanDays: input.olderThan }),
    ...(input.source ? { sources: input.source } : {}),
    ...(input.kind ? { kinds: input.kind } : {}),
    ...(input.activationBelow === undefined ? {} : { activationBelow: input.activationBelow }),
  };
  const hasRule = Object.keys(conditions).length > 0;
  if (hasRule && !input.to)
    throw new AppError("invalid_input", "--to: is required", {
      hint: "Say what such memories are kept as: --to summary or --to gist.",
    });
  if (!hasRule && input.to)
    throw new AppError("invalid_input", "A rule needs at least one condition", {
      hint: "Add --older-than, --source, --kind or --activation-below.",
    });
  const kept = input.clear || (hasRule && !input.add) ? [] : before.rules;
  const policy = await engine.retention.setPolicy({
    enabled: input.on || (before.enabled && !input.off),
    rules: input.to && hasRule ? [...kept, { ...conditions, moveTo: input.to }] : kept,
  });
  await printPolicy(context, policy);
  return undefined;
}

function noteHeld(
  context: CommandContext,
  held: readonly { reason: string; count: number }[],
): void {
  for (const { reason, count } of held)
    context.note(`${formatPlural(count, "memory stays", "memories stay")}: ${printable(reason)}.`);
}

async function preview(
  context: CommandContext,
  { limit }: z.output<typeof limitSchema>,
): Promise<undefined> {
  const engine = await context.openStore("read");
  const result = await engine.retention.preview();
  if (context.json) {
    await context.printJson(result);
    return undefined;
  }
  const lines = result.moves
    .slice(0, limit)
    .map(
      (move) =>
        `  ${move.id}  ${move.from} → ${move.to}  ${formatBytes(move.beforeBytes)} → ${formatBytes(move.afterBytes)}  ${truncate(printable(move.title), 40)}\n`,
    );
  await context.print(lines.join(""));
  noteHeld(context, result.held);
  context.note(
    `${formatPlural(result.totalCount, "memory would move", "memories would move")}: ${formatBytes(result.beforeBytes)} of text now, about ${formatBytes(result.afterBytes)} after the next compaction. A text goes only when its summary passes the quality gate.`,
  );
  if (result.undoableCount > 0)
    context.note(
      `${formatPlural(result.undoableCount, "memory that moved before", "memories that moved before")} can be brought back: llm-compress retention undo`,
    );
  return undefined;
}

async function apply(context: CommandContext): Promise<undefined> {
  const engine = await context.openStore("read");
  const report = await engine.retention.apply({
    signal: context.signal,
    onProgress: (progress) => context.progress.report(progress),
  });
  if (context.json) await context.printJson(report);
  else {
    noteHeld(context, report.held);
    context.note(
      `${formatPlural(report.moved, "memory", "memories")} moved: ${formatBytes(report.beforeBytes)} of text, about ${formatBytes(report.afterBytes)} after the next compaction.${report.undoable ? " `llm-compress retention undo` takes it back until then." : ""}`,
    );
  }
  return undefined;
}

async function undo(context: CommandContext): Promise<undefined> {
  const engine = await context.openStore("read");
  const count = await engine.retention.undo();
  if (context.json) await context.printJson({ count });
  else
    context.note(
      count === 0
        ? "Nothing moved since the last compaction."
        : `${formatPlural(count, "memory has", "memories have")} all their detail again.`,
    );
  return undefined;
}
