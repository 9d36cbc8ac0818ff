/** `update`: the light fields of a memory; its text is never changed. */

import type { Command } from "commander";
import { z } from "zod";
import { AppError } from "../../../errors.ts";
import { META, type MemoryPatch } from "../../../model/memory.ts";
import { bind, collect, examples, type Invocation } from "../command.ts";
import type { CommandContext } from "../context.ts";
import { metadataOption, timeOption } from "../options.ts";

const schema = z.object({
  id: z.string().min(1),
  title: z.string().optional(),
  speaker: z.string().optional(),
  time: timeOption.optional(),
  meta: metadataOption.optional(),
  unset: z.array(z.string().min(1)).optional(),
});

export function registerUpdate(program: Command, invocation: Invocation): void {
  program
    .command("update")
    .summary("change the fields of a memory")
    .description(
      "Changes a memory's title, speaker, time or other fields; its text stays as it is. To keep less of it see retention.",
    )
    .argument("<id>", "id of the memory")
    .option("--title <text>", "subject or heading")
    .option("--speaker <name>", "who said or wrote it")
    .option("--time <time>", "when it happened")
    .option("--meta <key=value>", "any other field; repeatable", collect)
    .option("--unset <key>", "remove a field; repeatable", collect)
    .addHelpText(
      "after",
      examples(
        "llm-compress update 018f6a3e-7c1b-7d10-9a52-2f6d1b0c4e11 --title 'Spare keys'",
        "llm-compress update 018f6a3e-7c1b-7d10-9a52-2f6d1b0c4e11 --meta project=bridge --unset draft",
      ),
    )
    .action(bind(invocation, schema, update));
}

async function update(context: CommandContext, input: z.output<typeof schema>): Promise<undefined> {
  const metadata: Record<string, string | null> = { ...input.meta };
  for (const key of input.unset ?? []) metadata[key] = null;
  if (input.title !== undefined) metadata[META.title] = input.title;
  if (input.speaker !== undefined) metadata[META.speaker] = input.speaker;
  const patch: MemoryPatch = {
    ...(Object.keys(metadata).length > 0 ? { metadata } : {}),
    ...(input.time === undefined ? {} : { timestamp: input.time }),
  };
  if (Object.keys(patch).length === 0)
    throw new AppError("invalid_input", "There is nothing to change", {
      hint: "Give --title, --speaker, --time, --meta or --unset.",
    });
  const engine = await context.openStore("read");
  const receipt = await engine.update(input.id, patch);
  if (context.json) await context.printJson(receipt);
  else context.note(`Changed ${receipt.id}.`);
  return undefined;
}
