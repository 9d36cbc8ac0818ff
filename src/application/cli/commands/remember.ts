/** `remember`: one text into the store. */

import { stat } from "node:fs/promises";
import type { Command } from "commander";
import { z } from "zod";
import { AppError, fromWireError } from "../../../errors.ts";
import { META, type MemoryInput } from "../../../model/memory.ts";
import { addModelOptions, bind, collect, examples, type Invocation } from "../command.ts";
import type { CommandContext } from "../context.ts";
import { readInput } from "../files.ts";
import { formatBytes, formatRatio } from "../format.ts";
import {
  keepOption,
  metadataOption,
  modelOptions,
  modeOption,
  pathOption,
  timeOption,
  toModelChoice,
} from "../options.ts";

const schema = z.object({
  input: pathOption,
  title: z.string().optional(),
  speaker: z.string().optional(),
  source: z.string().optional(),
  time: timeOption.optional(),
  meta: metadataOption.optional(),
  mode: modeOption,
  keep: keepOption,
  embed: z.boolean(),
  ...modelOptions,
});

export function registerRemember(program: Command, invocation: Invocation): void {
  addModelOptions(
    program
      .command("remember")
      .summary("remember one text")
      .description(
        "Remembers one text, exactly as it is, and prints its id once it survives a kill. For mails, chats and archives use import, which understands them.",
      )
      .option("-i, --input <file>", '"-" reads stdin', "-")
      .option("--title <text>", "subject or heading")
      .option("--speaker <name>", "who said or wrote it")
      .option("--source <path>", "where it came from; default: the file's name")
      .option("--time <time>", "when it happened; default: the file's time, or now")
      .option("--meta <key=value>", "any other field; repeatable", collect)
      .option("-m, --mode <mode>", "fast, balanced or high", "fast")
      .option("-k, --keep <level>", "exact, or summary where its quality allows", "exact")
      .option("--no-embed", "store now; `llm-compress embed` makes the vector later"),
  )
    .addHelpText(
      "after",
      examples(
        "echo 'The spare key is with Ada.' | llm-compress remember --title keys",
        "llm-compress remember --input minutes.txt --time 2024-05-01 --meta project=bridge",
      ),
    )
    .action(bind(invocation, schema, remember));
}

async function remember(
  context: CommandContext,
  input: z.output<typeof schema>,
): Promise<number | undefined> {
  const fromStdin = input.input === "-";
  const path = fromStdin ? "-" : context.path(input.input);
  const bytes = await readInput(context.host, path, context.signal);
  const { decodeInput } = await import("../text-input.ts");
  const { text, original } = decodeInput(bytes, fromStdin ? "Standard input" : input.input);
  const metadata: Record<string, string> = { ...input.meta };
  if (!fromStdin) metadata[META.source] = input.input;
  if (input.source !== undefined) metadata[META.source] = input.source;
  if (input.title !== undefined) metadata[META.title] = input.title;
  if (input.speaker !== undefined) metadata[META.speaker] = input.speaker;
  const timestamp = input.time ?? (fromStdin ? undefined : Math.trunc((await stat(path)).mtimeMs));
  const item: MemoryInput = {
    text,
    metadata,
    ...(original ? { original } : {}),
    ...(timestamp === undefined ? {} : { timestamp }),
  };
  const engine = await context.openStore("write");
  const [receipt] = await engine.remember([item], {
    mode: input.mode,
    keep: input.keep,
    embed: input.embed,
    ...toModelChoice(input),
    signal: context.signal,
  });
  if (!receipt || receipt.status === "failed" || receipt.id === null)
    throw receipt?.error
      ? fromWireError(receipt.error)
      : new AppError("internal", "The store gave no receipt.");
  if (context.json) await context.printJson(receipt);
  else {
    await context.print(`${receipt.id}\n`);
    const { status, keep, keepReason, modelReason, originalBytes, storedBytes } = receipt;
    context.note(
      status === "duplicate"
        ? "It was remembered before."
        : `Kept ${keep === "summary" ? "as a summary" : "exactly"}: ${formatBytes(originalBytes)} in ${formatBytes(storedBytes)} (${formatRatio(originalBytes / storedBytes)}).${keepReason ? ` Not as a summary: ${keepReason}` : ""}${modelReason ? ` Summary: ${modelReason}` : ""}`,
    );
  }
  return undefined;
}
