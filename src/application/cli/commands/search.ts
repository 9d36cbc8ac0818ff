/** `search`: ranked memories for a query. */

import type { Command } from "commander";
import { z } from "zod";
import { SCORE_PARTS, timeWords, wayWords } from "../../explain.ts";
import type { RecallHit, RecallResult } from "../../../model/query.ts";
import { addFilterOptions, bind, examples, type Invocation } from "../command.ts";
import type { CommandContext } from "../context.ts";
import { formatCount, formatPlural, formatTime } from "../format.ts";
import { filterOptions, integerOption, shareOption, timeOption, toFilter } from "../options.ts";
import { printable } from "../output.ts";

const schema = filterOptions.extend({
  query: z.string().trim().min(1, "needs at least one word"),
  topK: integerOption(1, 1000),
  context: integerOption(16, 1_000_000).optional(),
  diversity: shareOption().optional(),
  now: timeOption.optional(),
  explain: z.boolean().optional(),
});

export function registerSearch(program: Command, invocation: Invocation): void {
  addFilterOptions(
    program
      .command("search")
      .summary("find memories")
      .description("Finds memories by words and by meaning, best first.")
      .option("-q, --query <text>", "what to look for (required)")
      .option("-k, --top-k <count>", "how many results, at most 1,000", "10")
      .option("--diversity <share>", "0: best first; towards 1: results unlike each other", "0")
      .option("--now <time>", 'what "last week" in the query is counted from (default: today)')
      .option("--explain", "say why each result is where it is")
      .option(
        "--context <tokens>",
        "print instead what fits into so many tokens, ready for a prompt",
      ),
  )
    .addHelpText(
      "after",
      examples(
        'llm-compress search --query "when does the lease end"',
        "llm-compress search --query invoice --source mails/2024.mbox --after 2024-05-01 --top-k 3",
        "llm-compress search --query lease --json | jq -r '.hits[].memory.id'",
        'llm-compress search --query "what did Ann say last spring" --explain',
        "llm-compress search --query holidays --diversity 0.4",
        'llm-compress search --query "what did we agree with the landlord" --context 2000',
      ),
    )
    .action(bind(invocation, schema, search));
}

async function search(
  context: CommandContext,
  input: z.output<typeof schema>,
): Promise<number | undefined> {
  const engine = await context.openStore("read");
  const filter = toFilter(input);
  const result = await engine.recall(
    {
      query: input.query,
      topK: input.topK,
      ...(filter ? { filter } : {}),
      ...(input.context === undefined ? {} : { contextTokens: input.context }),
      ...(input.diversity === undefined ? {} : { diversity: input.diversity }),
      ...(input.now === undefined ? {} : { now: input.now }),
    },
    { signal: context.signal },
  );
  if (!result.signals.includes("semantic")) await noteMissingModel(context);
  if (context.json) await context.printJson(result);
  else if (result.hits.length === 0) context.note("Nothing found.");
  else if (result.context) {
    const { tokens, budgetTokens, parts, contextRatio, text } = result.context;
    await context.print(`${text.split("\n").map(printable).join("\n")}\n`);
    context.note(
      `${formatPlural(parts.length, "part", "parts")}, about ${formatCount(tokens)} of ${formatCount(budgetTokens)} tokens, standing for ${contextRatio.toFixed(1)} times as many.`,
    );
  } else {
    for (const time of result.times ?? []) context.note(printable(timeWords(time)));
    await context.print(renderHits(context, result, input.explain === true));
  }
  return undefined;

  async function noteMissingModel(context: CommandContext): Promise<void> {
    const { embeddings, store } = await engine.status();
    if (store.memoryCount === 0) return;
    const state = embeddings.model.state;
    if (state === "missing" || state === "partial")
      context.note(
        "Note: searched by words only, because the embedding model is not installed. See `llm-compress models`.",
      );
    else if (state === "failed")
      context.note(
        `Note: searched by words only, because the embedding model failed: ${printable(embeddings.model.error ?? "unknown reason")}`,
      );
    else if (embeddings.pendingCount > 0)
      context.note(
        "Note: searched by words only; run `llm-compress embed` to search by meaning too.",
      );
  }
}

function renderHits(context: CommandContext, result: RecallResult, explain: boolean): string {
  const ranks = new Map(result.hits.map((hit, index) => [hit.memory.id, index + 1]));
  const blocks = result.hits.map((hit, index) => {
    const lines = renderHit(context, hit, index + 1);
    if (explain)
      lines.push(`    ${context.paint("dim", printable(explanation(hit, (id) => ranks.get(id))))}`);
    return [...lines, ""].join("\n");
  });
  const { total, embed } = result.timings;
  const withoutEmbed = total - (embed ?? 0);
  const foot = `${formatCount(result.hits.length)} of ${formatCount(result.candidateCount)} candidates in ${total.toFixed(1)} ms (${withoutEmbed.toFixed(1)} ms without embedding the query)`;
  return `${blocks.join("\n")}\n${context.paint("dim", foot)}\n`;
}

/** "words 0.122 + meaning 0.051 = 0.173; matches lease, end; follows result 2" */
function explanation(hit: RecallHit, rankOf: (id: string) => number | undefined): string {
  const parts = SCORE_PARTS.filter(({ key }) => hit.score[key] >= 0.0005)
    .map(({ key, name }) => `${name} ${hit.score[key].toFixed(3)}`)
    .join(" + ");
  const terms = hit.matchedTerms.length === 0 ? "" : `matches ${hit.matchedTerms.join(", ")}`;
  return [`${parts} = ${hit.score.total.toFixed(3)}`, terms, wayWords(hit, rankOf)]
    .filter((part) => part !== "")
    .join("; ");
}

function renderHit(context: CommandContext, hit: RecallHit, rank: number): string[] {
  const { memory, score } = hit;
  const { title, speaker, source } = memory.metadata;
  const heading = [title, speaker, source].filter(Boolean).map((part) => printable(part!));
  const head = `${String(rank).padStart(2)}. ${score.total.toFixed(3)}  ${formatTime(memory.timestamp)}  ${memory.id}`;
  const lines = [context.paint("bold", head)];
  if (heading.length > 0) lines.push(`    ${heading.join(" · ")}`);
  lines.push(`    ${highlight(context, hit)}`);
  return lines;
}

/** The snippet with its matches in bold. */
function highlight(context: CommandContext, hit: RecallHit): string {
  let text = "";
  let end = 0;
  for (const [from, to] of [...hit.highlights].sort((a, b) => a[0] - b[0])) {
    if (from < end) continue;
    text += printable(hit.snippet.slice(end, from));
    text += context.paint(["bold", "yellow"], printable(hit.snippet.slice(from, to)));
    end = to;
  }
  return text + printable(hit.snippet.slice(end));
}
