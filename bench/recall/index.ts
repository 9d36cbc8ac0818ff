/**
 * `npm run bench -- recall --data DIR [--json FILE]`: finds the evidence of LoCoMo questions with the
 * real recall pipeline, one store per conversation, one memory per turn. Prints recall, MRR and nDCG
 * per category, and what each signal adds.
 */

import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { WEIGHTS, type SignalWeights } from "../../src/search/ranking.ts";
import { EmbeddingCache } from "../search/embeddings.ts";
import { answer, loadConversation, type Answered, type Loaded } from "./harness.ts";
import { readLocomo } from "./locomo.ts";
import { meanOf, type Metrics } from "./metrics.ts";

function without(signal: keyof SignalWeights): SignalWeights {
  return { ...WEIGHTS, [signal]: 0 };
}

const ONLY = { lexical: 0, semantic: 0, activation: 0, recency: 0, fields: 0 };
const ABLATIONS: [string, SignalWeights][] = [
  ["all signals", WEIGHTS],
  ["lexical only", { ...ONLY, lexical: 1 }],
  ["semantic only", { ...ONLY, semantic: 1 }],
  ["lexical + semantic", { ...ONLY, lexical: WEIGHTS.lexical, semantic: WEIGHTS.semantic }],
  ["without lexical", without("lexical")],
  ["without semantic", without("semantic")],
  ["without activation", without("activation")],
  ["without fields", without("fields")],
  ["without recency", without("recency")],
];

function printMetrics(title: string, rows: [string, Metrics][]): void {
  console.log(`\n${title}`);
  console.log(
    `${"".padEnd(22)}${["n", "R@5", "R@10", "any@5", "any@10", "MRR", "nDCG@10"].map((h) => h.padStart(9)).join("")}`,
  );
  for (const [name, m] of rows) {
    const cells = [m.r5, m.r10, m.any5, m.any10, m.mrr, m.ndcg10].map((v) =>
      v.toFixed(3).padStart(9),
    );
    console.log(`${name.padEnd(22)}${String(m.questions).padStart(9)}${cells.join("")}`);
  }
}

export async function main(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: { data: { type: "string" }, json: { type: "string" }, quick: { type: "boolean" } },
  });
  if (values.data === undefined)
    throw new Error("Give the folder of LoCoMo JSON files: npm run bench -- recall --data DIR");
  const cache = await EmbeddingCache.open();
  const conversations = readLocomo(values.data);
  await cache.embed(conversations.flatMap((one) => one.questions.map((question) => question.text)));
  const loaded: Loaded[] = [];
  for (const conversation of conversations)
    loaded.push(await loadConversation(conversation, cache));
  const run = async (weights: SignalWeights): Promise<Answered[]> => {
    const all: Answered[] = [];
    for (const one of loaded) all.push(...(await answer(one, cache, weights)));
    return all;
  };

  const answers = await run(WEIGHTS);
  const overall = meanOf(answers.map((one) => one.metrics));
  const categories = [...new Set(answers.map((one) => one.category))].sort();
  const byCategory = Object.fromEntries(
    categories.map((category) => [
      category,
      meanOf(answers.filter((one) => one.category === category).map((one) => one.metrics)),
    ]),
  );
  printMetrics(`LoCoMo, ${conversations.length} conversations, turns as memories`, [
    ["overall", overall],
    ...Object.entries(byCategory),
  ]);
  if (!values.quick) {
    const rows: [string, Metrics][] = [];
    for (const [name, weights] of ABLATIONS)
      rows.push([name, meanOf((await run(weights)).map((one) => one.metrics))]);
    printMetrics("What each signal adds", rows);
  }
  if (values.json !== undefined)
    writeFileSync(values.json, JSON.stringify({ overall, byCategory }, null, 2));
  for (const one of loaded) await one.service.close();
  await cache.close();
}

await main(process.argv.slice(2));
