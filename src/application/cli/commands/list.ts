/** `list`: the memories of a store, page by page. */

import type { Command } from "commander";
import { z } from "zod";
import { addFilterOptions, bind, examples, type Invocation } from "../command.ts";
import type { CommandContext } from "../context.ts";
import { formatBytes, formatCount, formatRatio, formatTable, formatTime } from "../format.ts";
import { filterOptions, integerOption, toFilter } from "../options.ts";

const schema = filterOptions.extend({
  order: z.enum(["newest", "oldest", "largest", "recorded"]),
  limit: integerOption(1, 1000),
  offset: integerOption(0, 1_000_000_000),
});

export function registerList(program: Command, invocation: Invocation): void {
  addFilterOptions(
    program
      .command("list")
      .summary("list memories")
      .description("Lists memories, newest first.")
      .option("--order <order>", "newest, oldest, largest or recorded", "newest")
      .option("-n, --limit <count>", "how many, at most 1,000", "50")
      .option("--offset <count>", "how many to skip", "0"),
  )
    .addHelpText(
      "after",
      examples(
        "llm-compress list --limit 20",
        "llm-compress list --kind mail --after 2024-01-01 --order largest",
        "llm-compress list --limit 1000 --json | jq -r '.items[].id'",
      ),
    )
    .action(bind(invocation, schema, list));
}

async function list(
  context: CommandContext,
  input: z.output<typeof schema>,
): Promise<number | undefined> {
  const engine = await context.openStore("read");
  const filter = toFilter(input);
  const { order, limit, offset } = input;
  const page = await engine.browse({ order, limit, offset, ...(filter ? { filter } : {}) });
  if (context.json) {
    await context.printJson(page);
    return undefined;
  }
  if (page.items.length > 0) {
    const rows = page.items.map((memory) => [
      memory.id,
      formatTime(memory.timestamp),
      memory.keep,
      formatBytes(memory.originalBytes),
      formatRatio(memory.storedBytes > 0 ? memory.originalBytes / memory.storedBytes : 0),
      memory.metadata["source"] ?? "",
      memory.metadata["title"] ?? memory.summary,
    ]);
    const columns = [
      { title: "id" },
      { title: "time" },
      { title: "keep" },
      { title: "size", align: "right" as const },
      { title: "ratio", align: "right" as const },
      { title: "source", maxWidth: 40 },
      { title: "title or summary", maxWidth: 60 },
    ];
    await context.print(`${formatTable(columns, rows)}\n`);
  }
  const first = page.items.length === 0 ? 0 : offset + 1;
  context.note(
    `${formatCount(first)}–${formatCount(offset + page.items.length)} of ${formatCount(page.totalCount)}`,
  );
  return undefined;
}
