/** `budget`: what language models cost, and the most they may. */

import type { Command } from "commander";
import { z } from "zod";
import { bind, examples, type Invocation } from "../command.ts";
import type { CommandContext } from "../context.ts";
import { formatTable } from "../format.ts";
import { formatUsd } from "../model-words.ts";
import { usdOption } from "../options.ts";

const budgetSchema = z.object({ daily: usdOption(10_000).optional() });

export function registerBudget(program: Command, invocation: Invocation): void {
  program
    .command("budget")
    .summary("what language models cost, and the most they may")
    .description(
      "Shows what was spent today and before; --daily sets the budget of a day. It is never exceeded: each call's worst case is reserved before it leaves.",
    )
    .option("--daily <usd>", "budget of a day in US dollars; 0 allows only what is free")
    .addHelpText("after", examples("llm-compress budget", "llm-compress budget --daily 0.50"))
    .action(bind(invocation, budgetSchema, budget));
}

async function budget(
  context: CommandContext,
  { daily }: z.output<typeof budgetSchema>,
): Promise<number | undefined> {
  const engine = await context.openStore(daily === undefined ? "read" : "write");
  if (daily !== undefined) await engine.language.configure({ dailyBudgetUsd: daily });
  const spending = await engine.language.spending();
  if (context.json) {
    await context.printJson(spending);
    return undefined;
  }
  const { dailyBudgetUsd, todayUsd, reservedUsd, day, days } = spending;
  const left = Math.max(0, dailyBudgetUsd - todayUsd - reservedUsd);
  const rows = days.slice(0, 14).map((entry) => [
    entry.day,
    formatUsd(entry.usd),
    String(entry.calls),
    Object.entries(entry.byProvider)
      .map(([provider, usd]) => `${provider} ${formatUsd(usd)}`)
      .join(", "),
  ]);
  const table =
    rows.length === 0
      ? ""
      : `\n\n${formatTable(
          ["Day", "Spent", "Calls", "By provider"].map((title) => ({ title })),
          rows,
        )}`;
  await context.print(
    `Today (${day}): ${formatUsd(todayUsd)} of ${formatUsd(dailyBudgetUsd)}, ${formatUsd(left)} left${reservedUsd > 0 ? `, ${formatUsd(reservedUsd)} held for calls under way` : ""}.${table}\n`,
  );
  return undefined;
}
