import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readDataset } from "../../../bench/recall/dataset.ts";
import { closeLoaded, loadConversation, type Loaded } from "../../../bench/recall/harness.ts";
import { openBenchStore } from "../../../bench/search/store.ts";
import { NodeEmbedderProvider } from "../../../src/platform/node/ort-embedder.ts";
import type { Embedder } from "../../../src/ports/embedder.ts";
import type { RecallHit, RecallQuery } from "../../../src/model/query.ts";
import { SearchService } from "../../../src/search/search-service.ts";
import { InMemoryStore } from "./in-memory-store.ts";

const CHAT = "test/fixtures/recall/rosa-and-piet.json";
const partsOf = ({ score }: RecallHit): number =>
  score.lexical + score.semantic + score.activation + score.recency + score.fields;

describe("times in a query", () => {
  it("lift what is of that time, read from the query's present", async () => {
    const store = new InMemoryStore();
    const entries = await store.add(
      { text: "The boat was painted green.", timestamp: Date.UTC(2021, 4, 3) },
      { text: "The boat was painted blue.", timestamp: Date.UTC(2023, 4, 3) },
    );
    const service = await SearchService.open(store);
    const ask = (query: string, options: Partial<RecallQuery> = {}) =>
      service.recall({ query, now: Date.UTC(2023, 5, 20), ...options });
    const { hits, times } = await ask("Which colour was the boat painted in May 2021?");
    expect(hits.map((hit) => hit.memory.id)).toEqual(entries.map(({ id }) => id));
    expect(times).toEqual([{ text: "May 2021", from: Date.UTC(2021, 4), to: Date.UTC(2021, 5) }]);
    for (const hit of hits) expect(partsOf(hit)).toBeCloseTo(hit.score.total, 12);
    const recent = await ask("Which colour was the boat painted last month?");
    expect(recent.hits[0]!.memory.id).toBe(entries[1]!.id);
    expect((await ask("boat")).times).toBeUndefined();
    await service.close();
  });

  it("are read from the last memory of a store that ended before them", async () => {
    const store = new InMemoryStore();
    await store.add(
      { text: "We sold the boat.", timestamp: Date.UTC(1999, 6, 3) },
      { text: "The harbour was closed.", timestamp: Date.UTC(1999, 7, 10) },
    );
    const service = await SearchService.open(store);
    const { times } = await service.recall({
      query: "what did we sell last month",
      now: Date.UTC(2024, 0, 1),
    });
    expect(times).toEqual([{ text: "last month", from: Date.UTC(1999, 6), to: Date.UTC(1999, 7) }]);
    await service.close();
  });

  it("bring what the whole of a large store would have left out", async () => {
    const store = new InMemoryStore();
    const DAY_MS = 86_400_000;
    const start = Date.UTC(2022, 0, 1);
    await store.add(
      ...Array.from({ length: 900 }, (_, i) => ({
        text: i === 500 ? "Rain all morning, then wind, and the boat stayed in." : "boat",
        timestamp: start + i * DAY_MS,
      })),
    );
    const service = await SearchService.open(store);
    const day = new Date(start + 500 * DAY_MS).toISOString().slice(0, 10);
    const { hits } = await service.recall({ query: `boat on ${day}`, topK: 3 });
    expect(hits[0]!.memory.summary).toContain("Rain all morning");
    await service.close();
  });

  it("refuses a present that is no time, and a diversity out of range", async () => {
    const service = await SearchService.open(new InMemoryStore());
    for (const bad of [{ now: Number.NaN }, { diversity: 1.5 }, { diversity: -0.1 }])
      await expect(service.recall({ query: "boat", ...bad })).rejects.toMatchObject({
        code: "invalid_input",
      });
    await service.close();
  });
});

describe("diversity", () => {
  it("puts what says the same again behind what is new", async () => {
    const rows = ["The lease ends in June.", "The lease ends in June.", "A lease needs a deposit."];
    const { store } = await openBenchStore(rows.map((text) => ({ text, vector: undefined })));
    const service = await SearchService.open(store);
    const texts = async (diversity: number) =>
      (await service.recall({ query: "when does the lease end", diversity })).hits.map(
        (hit) => hit.memory.summary,
      );
    expect(await texts(0)).toEqual(rows);
    expect(await texts(0.5)).toEqual([rows[0], rows[2], rows[1]]);
    await service.close();
  });
});

describe("with the model", () => {
  let embedder: Embedder | null = null;
  let chat: Loaded | null = null;
  const embed = async (texts: readonly string[]) => embedder!.embed([...texts]);

  beforeAll(async () => {
    embedder = await new NodeEmbedderProvider({}).load();
    if (embedder !== null)
      chat = await loadConversation(readDataset(CHAT).conversations[0]!, { embed });
  });

  afterAll(async () => {
    if (chat !== null) await closeLoaded(chat);
    await embedder?.close();
  });

  const ask = (query: RecallQuery) =>
    chat!.service.recall(query, {
      embedQuery: async (text) => (await embed([text]))[0] ?? null,
      spread: chat!.navigator.spread,
    });

  it("takes a time from an event that a memory tells of", async ({ skip }) => {
    if (chat === null) return skip("the embedding model is not installed: npm run setup");
    const { times } = await ask({ query: "What did Piet sell after he moved to the harbour?" });
    expect(times).toHaveLength(1);
    expect(times![0]).toMatchObject({ text: "after he moved to the harbour", to: null });
    expect(chat.turnOf.get(times![0]!.memoryId!)).toBe("D6:1");
    const { times: none } = await ask({ query: "What did Piet say before the aliens landed?" });
    expect(none).toBeUndefined();
  });

  it("finds the answer beside its question, and says so", async ({ skip }) => {
    if (chat === null) return skip("the embedding model is not installed: npm run setup");
    const { hits } = await ask({ query: "Did anyone ride with Piet?" });
    const answer = hits.slice(0, 3).find((hit) => chat!.turnOf.get(hit.memory.id) === "D4:5");
    expect(answer?.links?.at(-1)).toEqual({ kind: "next" });
    expect(partsOf(answer!)).toBeCloseTo(answer!.score.total, 12);
  });

  it("chooses results that are less alike when asked for it", async ({ skip }) => {
    if (chat === null) return skip("the embedding model is not installed: npm run setup");
    const likeness = async (diversity: number): Promise<number> => {
      const { hits } = await ask({ query: "What about the tomatoes?", topK: 6, diversity });
      const vectors = await embed(hits.map((hit) => hit.memory.summary));
      let sum = 0;
      vectors.forEach((a, i) =>
        vectors.slice(i + 1).forEach((b) => (sum += a.reduce((dot, x, k) => dot + x * b[k]!, 0))),
      );
      return sum;
    };
    expect(await likeness(0.6)).toBeLessThan(await likeness(0));
  });
});
