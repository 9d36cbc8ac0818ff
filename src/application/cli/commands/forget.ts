/** `forget` and `restore`: taking memories out, and back as long as that is possible. */

import type { Command } from "commander";
import { z } from "zod";
import { EXIT_CODE } from "../../../errors.ts";
import { bind, examples, type Invocation } from "../command.ts";
import type { CommandContext } from "../context.ts";
import { formatPlural } from "../format.ts";

const ids = z.array(z.string().min(1)).min(1);
const forgetSchema = z.object({ ids, erase: z.boolean().default(false) });
const restoreSchema = z.object({ ids });

export function registerForget(program: Command, invocation: Invocation): void {
  program
    .command("forget")
    .summary("remove memories")
    .description(
      "Removes memories. They can be restored until the next compaction; with --erase nothing of them is left in any file of the store.",
    )
    .argument("<ids...>", "ids of memories")
    .option("--erase", "leave no residue; can't be undone")
    .addHelpText(
      "after",
      examples(
        "llm-compress forget 018f6a3e-7c1b-7d10-9a52-2f6d1b0c4e11",
        "llm-compress forget --erase 018f6a3e-7c1b-7d10-9a52-2f6d1b0c4e11",
      ),
    )
    .action(bind(invocation, forgetSchema, forget));
}

export function registerRestore(program: Command, invocation: Invocation): void {
  program
    .command("restore")
    .summary("bring forgotten memories back")
    .description(
      "Brings back memories that were forgotten without --erase since the last compaction.",
    )
    .argument("<ids...>", "ids of memories")
    .addHelpText("after", examples("llm-compress restore 018f6a3e-7c1b-7d10-9a52-2f6d1b0c4e11"))
    .action(bind(invocation, restoreSchema, restore));
}

async function forget(
  context: CommandContext,
  input: z.output<typeof forgetSchema>,
): Promise<number | undefined> {
  const engine = await context.openStore("read");
  const receipt = await engine.forget({ ids: input.ids }, { erase: input.erase });
  if (context.json) await context.printJson(receipt);
  else {
    const count = formatPlural(receipt.ids.length, "memory", "memories");
    context.note(
      receipt.erased
        ? `Erased ${count}; nothing is left of them.`
        : `Forgot ${count}; \`llm-compress restore\` brings them back until the next compaction.`,
    );
  }
  return reportMissing(context, input.ids, receipt.ids, "not in the store");
}

async function restore(
  context: CommandContext,
  input: z.output<typeof restoreSchema>,
): Promise<number | undefined> {
  const engine = await context.openStore("read");
  const restored = await engine.restore(input.ids);
  if (context.json) await context.printJson({ ids: restored });
  else context.note(`Restored ${formatPlural(restored.length, "memory", "memories")}.`);
  return reportMissing(context, input.ids, restored, "not among the forgotten");
}

function reportMissing(
  context: CommandContext,
  asked: readonly string[],
  found: readonly string[],
  why: string,
): number | undefined {
  const missing = [...new Set(asked)].filter((id) => !found.includes(id));
  for (const id of missing) context.note(`llm-compress: ${why}: ${id}.`);
  return missing.length > 0 ? EXIT_CODE.not_found : undefined;
}
