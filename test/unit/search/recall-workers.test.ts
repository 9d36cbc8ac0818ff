import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { normalizeVector } from "../../../src/model/vector.ts";
import { NodeVectorThreads } from "../../../src/platform/node/vector-threads.ts";
import { SearchService } from "../../../src/search/search-service.ts";
import { readSotuSentences } from "../../contract/sotu-sentences.ts";
import { InMemoryStore } from "./in-memory-store.ts";

/** Where the words of a text hash to: near texts share words. */
function toyVector(text: string): Float32Array {
  const vector = new Float32Array(384);
  for (const word of text.toLowerCase().match(/\p{L}+/gu) ?? []) {
    let hash = 7;
    for (const char of word) hash = (hash * 31 + char.codePointAt(0)!) % 1_000_003;
    for (let i = 0; i < 12; i++) {
      hash = (hash * 48_271) % 2_147_483_647;
      vector[hash % 384]! += (hash & 1024) === 0 ? 1 : -1;
    }
  }
  return normalizeVector(vector);
}

/** Time stands still but for being looked at: what asks more at once measures faster. */
function tickingClock() {
  let ticks = 0;
  return { now: () => Date.UTC(2024, 5, 1), elapsed: () => ticks++ };
}

describe("recall with vectors on workers", () => {
  const texts = [
    "1999_william_j_clinton_d.txt",
    "2000_william_j_clinton_d.txt",
    "1995_william_j_clinton_d.txt",
    "2008_george_w_bush_r.txt",
  ].flatMap((file) => readSotuSentences(420, file));
  let alone: SearchService;
  let helped: SearchService;
  let store: InMemoryStore;
  beforeAll(async () => {
    store = new InMemoryStore();
    await store.add(...texts.map((text, i) => ({ text, timestamp: i, vector: toyVector(text) })));
    alone = await SearchService.open(store, { clock: tickingClock(), cacheEntries: 1 });
    helped = await SearchService.open(store, {
      clock: tickingClock(),
      cacheEntries: 1,
      vectorWorkers: new NodeVectorThreads(),
      vectorPool: { minSize: 1000, maxWorkers: 2 },
    });
  });
  afterAll(async () => {
    await alone.close();
    await helped.close();
  });

  const ask = async (service: SearchService, queries: readonly string[]) =>
    Promise.all(
      queries.map(async (query) => {
        const { hits } = await service.recall(
          { query },
          { embedQuery: async (text) => toyVector(text) },
        );
        return hits.map(({ memory, score }) => ({ id: memory.id, score }));
      }),
    );
  const questions = texts.filter((_, i) => i % 50 === 0).map((text) => text.slice(0, 60));

  it("gives what recall without workers gives, side by side and after a removal", async () => {
    await ask(helped, questions.slice(0, 10));
    while (helped.vectorPool.status().reason.includes("being started"))
      await new Promise((resolve) => setTimeout(resolve, 10));
    expect(await ask(helped, questions)).toEqual(await ask(alone, questions));
    expect(helped.vectorPool.status().answered.byWorkers).toBeGreaterThan(0);

    const [first] = (await ask(helped, [questions[3]!]))[0]!;
    const asked = ask(helped, questions);
    await store.forget([first!.id]);
    await asked;
    const after = await ask(helped, questions);
    expect(after).toEqual(await ask(alone, questions));
    expect(after.flat().map(({ id }) => id)).not.toContain(first!.id);
  });

  it("ends the workers with the search", async () => {
    await helped.close();
    expect(helped.vectorPool.status().workers).toBe(0);
  });
});
