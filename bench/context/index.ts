/**
 * `npm run bench -- context --data DIR [--share 0.05] [--tune] [--json FILE]`: how much of the
 * evidence of LoCoMo questions is in the context that recall packs into a share of the tokens of the
 * whole history. One memory per turn; evidence counts when the turn's text is in the pack, word for
 * word. Beside it: the newest turns, and the best whole turns by vector and by BM25, in the same
 * budget. `--tune` chooses the constant on all conversations but one and measures on that one.
 */

import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { estimateTokens } from "../../src/processing/compression/ratios.ts";
import { PACK_TUNING, type PackTuning } from "../../src/search/context-pack.ts";
import { WEIGHTS, type SignalWeights } from "../../src/search/ranking.ts";
import { loadConversation, type Loaded } from "../recall/harness.ts";
import { readLocomo, type Conversation, type Question, type Turn } from "../recall/locomo.ts";
import { EmbeddingCache } from "../search/embeddings.ts";

const ONLY = { lexical: 0, semantic: 0, activation: 0, recency: 0, fields: 0 };
const THRIFT = [0, 0.1, 0.2, 0.35, 0.5];

interface Measured {
  category: string;
  share: number;
  tokens: number;
}

const dayOf = (turn: Turn): string => new Date(turn.timestamp).toISOString().slice(0, 10);
const line = (turn: Turn): string => `${turn.speaker}: ${turn.text}`;

/** The whole history as it would be handed to a model: a date per day, then who says what. */
function historyText({ turns }: Conversation): string {
  let day = "";
  return turns
    .map((turn) => {
      const own = dayOf(turn);
      if (own === day) return line(turn);
      day = own;
      return `${own}\n${line(turn)}`;
    })
    .join("\n");
}

function evidenceShare(question: Question, turns: ReadonlyMap<string, Turn>, text: string): number {
  const found = question.evidence.filter((id) => text.includes(turns.get(id)!.text.trim()));
  return found.length / question.evidence.length;
}

/** Whole turns in the order given while they fit. */
function fill(turns: readonly Turn[], budget: number): string {
  const lines: string[] = [];
  let used = 0;
  for (const turn of turns) {
    const cost = estimateTokens(`${line(turn)}\n`);
    if (used + cost > budget) continue;
    used += cost;
    lines.push(line(turn));
  }
  return lines.join("\n");
}

class Run {
  readonly loaded: Loaded;
  readonly budget: number;
  readonly historyTokens: number;
  readonly #turns: Map<string, Turn>;
  readonly #cache: EmbeddingCache;

  constructor(loaded: Loaded, cache: EmbeddingCache, share: number) {
    this.loaded = loaded;
    this.#cache = cache;
    this.#turns = new Map(loaded.conversation.turns.map((turn) => [turn.id, turn]));
    this.historyTokens = estimateTokens(historyText(loaded.conversation));
    this.budget = Math.floor(this.historyTokens * share);
  }

  async #recall(question: Question, deps: { weights?: SignalWeights; packTuning?: PackTuning }) {
    return this.loaded.service.recall(
      { query: question.text, topK: 100, contextTokens: this.budget },
      {
        embedQuery: async (text) => (await this.#cache.embed([text]))[0] ?? null,
        spread: this.loaded.navigator.spread,
        countTokens: estimateTokens,
        ...deps,
      },
    );
  }

  async pack(packTuning?: PackTuning): Promise<Measured[]> {
    const measured: Measured[] = [];
    for (const question of this.loaded.conversation.questions) {
      const { context } = await this.#recall(question, packTuning ? { packTuning } : {});
      if (context!.tokens > this.budget) throw new Error("A pack exceeds its budget.");
      measured.push({
        category: question.category,
        share: evidenceShare(question, this.#turns, context!.text),
        tokens: context!.tokens,
      });
    }
    return measured;
  }

  async ranked(weights: SignalWeights): Promise<Measured[]> {
    const measured: Measured[] = [];
    for (const question of this.loaded.conversation.questions) {
      const { hits } = await this.#recall(question, { weights });
      const turns = hits.map(({ memory }) => this.#turns.get(this.loaded.turnOf.get(memory.id)!)!);
      measured.push(this.#measure(question, fill(turns, this.budget)));
    }
    return measured;
  }

  newest(): Measured[] {
    const text = fill([...this.loaded.conversation.turns].reverse(), this.budget);
    return this.loaded.conversation.questions.map((question) => this.#measure(question, text));
  }

  #measure(question: Question, text: string): Measured {
    const share = evidenceShare(question, this.#turns, text);
    return { category: question.category, share, tokens: estimateTokens(text) };
  }
}

const mean = (values: readonly number[]): number =>
  values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;
const meanShare = (measured: readonly Measured[]): number =>
  mean(measured.map(({ share }) => share));

function printRow(name: string, measured: readonly Measured[], categories: readonly string[]) {
  const cells = [
    meanShare(measured),
    ...categories.map((category) => meanShare(measured.filter((one) => one.category === category))),
  ].map((value) => value.toFixed(3).padStart(12));
  const tokens = mean(measured.map((one) => one.tokens)).toFixed(0);
  console.log(`${name.padEnd(26)}${cells.join("")}${tokens.padStart(9)}`);
}

/** Constants chosen on the other conversations, measured on the one left out. */
async function tune(runs: readonly Run[]): Promise<void> {
  const grid: { tuning: PackTuning; means: number[] }[] = [];
  for (const thrift of THRIFT) {
    const means: number[] = [];
    for (const run of runs) means.push(meanShare(await run.pack({ thrift })));
    grid.push({ tuning: { thrift }, means });
    console.log(
      `thrift ${thrift}: ${means.map((value) => value.toFixed(3)).join(" ")}  mean ${mean(means).toFixed(3)}`,
    );
  }
  const leftOut = runs.map((run, i) => {
    const others = ({ means }: { means: number[] }) => mean(means.filter((_, j) => j !== i));
    const best = grid.reduce((a, b) => (others(b) > others(a) ? b : a));
    return { name: run.loaded.conversation.name, ...best.tuning, share: best.means[i]! };
  });
  for (const one of leftOut)
    console.log(
      `left out ${one.name}: chosen thrift ${one.thrift}; evidence there ${one.share.toFixed(3)}`,
    );
  console.log(`cross-validated mean ${mean(leftOut.map(({ share }) => share)).toFixed(3)}`);
}

export async function main(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      data: { type: "string" },
      json: { type: "string" },
      share: { type: "string", default: "0.05" },
      tune: { type: "boolean" },
    },
  });
  if (values.data === undefined)
    throw new Error("Give the folder of LoCoMo JSON files: npm run bench -- context --data DIR");
  const share = Number(values.share);
  if (!(share > 0 && share <= 1)) throw new Error("--share is a number above 0, at most 1.");
  const cache = await EmbeddingCache.open();
  const runs: Run[] = [];
  for (const conversation of readLocomo(values.data))
    runs.push(new Run(await loadConversation(conversation, cache), cache, share));
  await cache.embed(
    runs.flatMap(({ loaded }) => loaded.conversation.questions.map((question) => question.text)),
  );
  if (values.tune) await tune(runs);
  else {
    const packs: Measured[][] = [];
    const rows: [string, Measured[]][] = [];
    for (const run of runs) packs.push(await run.pack());
    rows.push(["context pack", packs.flat()]);
    for (const [name, weights] of [
      ["top turns, all signals", WEIGHTS],
      ["top turns by vector", { ...ONLY, semantic: 1 }],
      ["top turns by BM25", { ...ONLY, lexical: 1 }],
    ] as const) {
      const all: Measured[] = [];
      for (const run of runs) all.push(...(await run.ranked(weights)));
      rows.push([name, all]);
    }
    rows.push(["newest turns", runs.flatMap((run) => run.newest())]);
    const categories = [...new Set(packs.flat().map(({ category }) => category))].sort();
    console.log(
      `LoCoMo, ${runs.length} conversations, evidence within ${share} of the history's tokens (about four characters each)`,
    );
    for (const run of runs)
      console.log(
        `${run.loaded.conversation.name}: ${run.historyTokens} tokens, budget ${run.budget}`,
      );
    console.log(
      `\n${"".padEnd(26)}${["all", ...categories].map((name) => name.padStart(12)).join("")}${"tokens".padStart(9)}`,
    );
    for (const [name, measured] of rows) printRow(name, measured, categories);
    console.log("\nper conversation, context pack");
    runs.forEach((run, i) => printRow(run.loaded.conversation.name, packs[i]!, categories));
    if (values.json !== undefined)
      writeFileSync(
        values.json,
        JSON.stringify(
          {
            share,
            tuning: PACK_TUNING,
            perConversation: Object.fromEntries(
              runs.map((run, i) => [run.loaded.conversation.name, meanShare(packs[i]!)]),
            ),
            rows: Object.fromEntries(
              rows.map(([name, measured]) => [
                name,
                {
                  all: meanShare(measured),
                  ...Object.fromEntries(
                    categories.map((category) => [
                      category,
                      meanShare(measured.filter((one) => one.category === category)),
                    ]),
                  ),
                },
              ]),
            ),
          },
          null,
          2,
        ),
      );
  }
  for (const { loaded } of runs) await loaded.service.close();
  await cache.close();
}

await main(process.argv.slice(2));
