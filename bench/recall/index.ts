/**
 * `npm run bench -- recall --data PATH [--limit N] [--quick] [--json FILE]`: finds the evidence of
 * questions with the real recall pipeline, one store per conversation, one memory per turn. PATH is a
 * folder or file of LoCoMo or of LongMemEval (its format is recognised; `--limit` takes the first N
 * conversations, each of its questions has one). Prints recall, MRR and nDCG per category, for sessions
 * too, what any order of the candidates could reach, and what each signal adds. `--mails N` instead of
 * `--data` asks what replies on mailing lists answer, over N mails of each list (see mail-answers.ts).
 */

import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { EmbeddingCache } from "../search/embeddings.ts";
import { ABLATIONS } from "./ablations.ts";
import { readDataset, type Dataset } from "./dataset.ts";
import { answer, closeLoaded, loadConversation, type Answered, type Variant } from "./harness.ts";
import { readMailAnswers } from "./mail-answers.ts";
import { meanOf, type Metrics } from "./metrics.ts";

function printMetrics(title: string, rows: [string, Metrics][]): void {
  console.log(`\n${title}`);
  console.log(
    `${"".padEnd(30)}${["n", "R@5", "R@10", "any@5", "any@10", "MRR", "nDCG@10"].map((h) => h.padStart(9)).join("")}`,
  );
  for (const [name, m] of rows) {
    const cells = [m.r5, m.r10, m.any5, m.any10, m.mrr, m.ndcg10].map((v) =>
      v.toFixed(3).padStart(9),
    );
    console.log(`${name.padEnd(30)}${String(m.questions).padStart(9)}${cells.join("")}`);
  }
}

const turns = (answers: readonly Answered[]): Metrics => meanOf(answers.map((one) => one.metrics));
const sessions = (answers: readonly Answered[]): Metrics =>
  meanOf(answers.map((one) => one.sessions));

function byCategory(
  answers: readonly Answered[],
  mean: (some: readonly Answered[]) => Metrics,
): Record<string, Metrics> {
  const categories = [...new Set(answers.map((one) => one.category))].sort();
  return Object.fromEntries(
    categories.map((category) => [
      category,
      mean(answers.filter((one) => one.category === category)),
    ]),
  );
}

export async function main(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      data: { type: "string" },
      mails: { type: "string" },
      limit: { type: "string" },
      json: { type: "string" },
      quick: { type: "boolean" },
    },
  });
  if (values.data === undefined && values.mails === undefined)
    throw new Error(
      "Give a folder or file of LoCoMo or LongMemEval: npm run bench -- recall --data PATH",
    );
  const { name, conversations: all }: Dataset =
    values.data === undefined
      ? { name: "mailing lists", conversations: await readMailAnswers(Number(values.mails)) }
      : readDataset(values.data);
  const conversations = all.slice(
    0,
    values.limit === undefined ? all.length : Number(values.limit),
  );
  if (conversations.length === 0)
    throw new Error(`${values.data ?? "The mails"} hold no question with evidence.`);
  const cache = await EmbeddingCache.open();
  await cache.embed(conversations.flatMap((one) => one.questions.map((question) => question.text)));

  // One store at a time: LongMemEval has a history of 500 turns for each question.
  const variants: [string, Variant][] = [["all signals", {}], ...(values.quick ? [] : ABLATIONS)];
  const answers = variants.map((): Answered[] => []);
  const conversationRows: [string, Metrics][] = [];
  for (const [i, conversation] of conversations.entries()) {
    const loaded = await loadConversation(conversation, cache);
    for (const [v, [, variant]] of variants.entries())
      answers[v]!.push(...(await answer(loaded, cache, variant)));
    const own = answers[0]!.slice(-conversation.questions.length);
    conversationRows.push([conversation.name, turns(own)]);
    await closeLoaded(loaded);
    process.stderr.write(`\rconversation ${i + 1} of ${conversations.length} `);
  }
  process.stderr.write("\n");

  const shipped = answers[0]!;
  const overall = turns(shipped);
  const answerable = shipped.filter((one) => one.category !== "adversarial");
  const categories = byCategory(shipped, turns);
  printMetrics(`${name}, ${conversations.length} conversations, turns as memories`, [
    ["overall", overall],
    ...(answerable.length === shipped.length
      ? []
      : [["without adversarial", turns(answerable)] as [string, Metrics]]),
    ...Object.entries(categories),
  ]);
  const pool = shipped.reduce((sum, one) => sum + one.poolRecall, 0) / shipped.length;
  console.log(
    `evidence among the first 200, the most that another order could find: ${pool.toFixed(3)}`,
  );
  printMetrics("The sessions of the first 50 turns", [
    ["overall", sessions(shipped)],
    ...Object.entries(byCategory(shipped, sessions)),
  ]);
  if (name === "LoCoMo" && conversations.length > 1)
    printMetrics("Per conversation", conversationRows);
  if (!values.quick)
    printMetrics(
      "What each signal adds",
      variants.map(([title], v) => [title, turns(answers[v]!)]),
    );
  if (values.json !== undefined)
    writeFileSync(
      values.json,
      JSON.stringify(
        {
          data: name,
          overall,
          byCategory: categories,
          withoutAdversarial: turns(answerable),
          sessions: { overall: sessions(shipped), byCategory: byCategory(shipped, sessions) },
          poolRecall: pool,
          ablations: Object.fromEntries(variants.map(([title], v) => [title, turns(answers[v]!)])),
        },
        null,
        2,
      ),
    );
  await cache.close();
}

await main(process.argv.slice(2));
