/** `compact` and `embed`: upkeep of a store. */

import type { Command } from "commander";
import { z } from "zod";
import { AppError } from "../../../errors.ts";
import { bind, examples, type Invocation } from "../command.ts";
import type { CommandContext } from "../context.ts";
import { formatBytes, formatPlural } from "../format.ts";

const schema = z.object({});

export function registerCompact(program: Command, invocation: Invocation): void {
  program
    .command("compact")
    .summary("fold the journal into segments, drop what was forgotten")
    .description(
      "Rewrites the store in its smallest form. What was forgotten is gone for good afterwards.",
    )
    .addHelpText("after", examples("llm-compress compact"))
    .action(bind(invocation, schema, compact));
}

export function registerEmbed(program: Command, invocation: Invocation): void {
  program
    .command("embed")
    .summary("make the vectors that are missing")
    .description(
      "Makes the vectors of memories that were stored with --no-embed or before the model was installed.",
    )
    .addHelpText("after", examples("llm-compress embed --progress"))
    .action(bind(invocation, schema, embed));
}

async function compact(context: CommandContext): Promise<number | undefined> {
  const engine = await context.openStore("read");
  const before = (await engine.status()).store.totalBytes;
  await engine.compact({
    signal: context.signal,
    onProgress: (progress) => context.progress.report(progress),
  });
  const after = (await engine.status()).store.totalBytes;
  if (context.json) await context.printJson({ bytesBefore: before, bytesAfter: after });
  else context.note(`Compacted: ${formatBytes(before)} before, ${formatBytes(after)} now.`);
  return undefined;
}

async function embed(context: CommandContext): Promise<number | undefined> {
  const engine = await context.openStore("read");
  const { model, pendingCount } = (await engine.status()).embeddings;
  if (pendingCount > 0 && (model.state === "missing" || model.state === "partial"))
    throw new AppError("model_missing", `The embedding model ${model.name} is not installed`, {
      hint: "Run `llm-compress models` to see how to install it.",
    });
  const embeddedCount = await engine.embedMissing({
    signal: context.signal,
    onProgress: (progress) => context.progress.report(progress),
  });
  const left = (await engine.status()).embeddings.pendingCount;
  if (context.json) await context.printJson({ embeddedCount, pendingCount: left });
  else
    context.note(
      `Embedded ${formatPlural(embeddedCount, "memory", "memories")}; ${left === 0 ? "none is left." : `${left} left.`}`,
    );
  return undefined;
}
