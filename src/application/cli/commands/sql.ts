/** `sql`: read-only questions in SQL over the view `memories`. */

import type { Command } from "commander";
import { z } from "zod";
import { AppError } from "../../../errors.ts";
import { bind, examples, type Invocation } from "../command.ts";
import type { CommandContext } from "../context.ts";
import { readInput } from "../files.ts";
import { formatPlural, formatTable } from "../format.ts";
import { integerOption } from "../options.ts";

const schema = z.object({
  query: z.string().trim().min(1, "needs a SELECT"),
  maxRows: integerOption(1, 1_000_000),
});

export function registerSql(program: Command, invocation: Invocation): void {
  program
    .command("sql")
    .summary("ask in SQL")
    .description("Runs one SELECT (DuckDB) over the view `memories`. Nothing can be changed by it.")
    .argument("<query>", '"-" reads it from stdin')
    .option("--max-rows <count>", "cut the result after this many rows", "1000")
    .addHelpText(
      "after",
      examples(
        "llm-compress sql \"SELECT metadata['source'] AS source, count(*) FROM memories GROUP BY 1\"",
        'llm-compress sql "DESCRIBE memories"',
        "llm-compress sql - --json < question.sql",
      ),
    )
    .action(bind(invocation, schema, sql));
}

async function sql(
  context: CommandContext,
  input: z.output<typeof schema>,
): Promise<number | undefined> {
  const query =
    input.query === "-"
      ? new TextDecoder().decode(await readInput(context.host, "-", context.signal)).trim()
      : input.query;
  if (query === "")
    throw new AppError("invalid_input", "The query from standard input is empty", {
      hint: "Pipe a SELECT into it.",
    });
  const engine = await context.openStore("read");
  const table = await engine.sql(query, { maxRows: input.maxRows, signal: context.signal });
  if (context.json) {
    await context.printJson(table);
    return undefined;
  }
  const columns = table.columns.map((column) => ({
    title: column.name,
    align: /INT|DOUBLE|FLOAT|DECIMAL/i.test(column.type) ? ("right" as const) : ("left" as const),
    maxWidth: 60,
  }));
  const rows = table.rows.map((row) => table.columns.map((column) => cellText(row[column.name])));
  await context.print(`${formatTable(columns, rows)}\n`);
  const cut = table.truncated ? `; cut there, --max-rows shows more` : "";
  context.note(
    `${formatPlural(table.rows.length, "row", "rows")} in ${table.elapsedMs.toFixed(1)} ms${cut}`,
  );
  return undefined;
}

function cellText(value: unknown): string {
  if (value === null || value === undefined) return "";
  return typeof value === "string" ? value : JSON.stringify(value);
}
