/** `repair`: what is damaged in a store, and giving it up at the owner's word. */

import type { Command } from "commander";
import { z } from "zod";
import { EXIT_CODE } from "../../../errors.ts";
import { bind, examples, type Invocation } from "../command.ts";
import type { CommandContext } from "../context.ts";
import { formatPlural } from "../format.ts";
import { printable } from "../output.ts";

const schema = z.object({ discard: z.boolean().default(false), check: z.boolean().default(false) });

export function registerRepair(program: Command, invocation: Invocation): void {
  program
    .command("repair")
    .summary("name damaged files, or give them up")
    .description(
      "Opening a store repairs what can be repaired; this reads every file in whole, too. Those that can't be read in whole are kept and named here: put copies of them back where you have some. As long as they are there, nothing can be erased for sure. --discard removes them, and with them the memories that only they hold. Ends with 5 while there are any.",
    )
    .option("--discard", "remove the damaged files; can't be undone")
    .option("--check", "compare the search by words with SQLite's FTS5 over the same texts")
    .addHelpText("after", examples("llm-compress repair", "llm-compress repair --discard"))
    .action(bind(invocation, schema, repair));
}

async function repair(
  context: CommandContext,
  { discard, check }: z.output<typeof schema>,
): Promise<number | undefined> {
  const engine = await context.openStore("read");
  const found = await engine.repair({ check });
  const { recovered } = (await engine.status()).store;
  const report = discard ? { ...found, ...(await engine.repair({ discard })) } : found;
  const left = !report.discarded && report.files.length > 0;
  if (context.json) await context.printJson({ ...report, recovered });
  else {
    for (const line of recovered) context.note(printable(line));
    await context.print(report.files.map((path) => `${printable(path)}\n`).join(""));
    const files = formatPlural(report.files.length, "damaged file", "damaged files");
    if (report.files.length === 0) context.note("No file is damaged.");
    else if (report.discarded)
      context.note(
        `Removed ${files}, and with ${report.files.length === 1 ? "it" : "them"} ${formatPlural(report.lostCount, "memory", "memories")}.`,
      );
    else
      context.note(
        `${files}. Put a copy back where you have one, or give up what can't be read: llm-compress repair --discard`,
      );
  }
  const { words } = report;
  if (words && !context.json)
    context.note(
      words.isComplete
        ? `${formatPlural(words.terms, "term", "terms")} of ${formatPlural(words.memories, "memory", "memories")} compared with FTS5: ${words.differingCount === 0 ? "all the same" : `${words.differingCount} differ (a few by the rules of stemming)`}.`
        : "The texts are more than the FTS5 record takes: nothing was compared.",
    );
  return left ? EXIT_CODE.corrupt_data : undefined;
}
