import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readDataset } from "../../../bench/recall/dataset.ts";
import {
  answer,
  closeLoaded,
  loadConversation,
  type Answered,
  type EmbedTexts,
} from "../../../bench/recall/harness.ts";
import { measure, meanOf, type Metrics } from "../../../bench/recall/metrics.ts";
import { NodeEmbedderProvider } from "../../../src/platform/node/ort-embedder.ts";
import type { Embedder } from "../../../src/ports/embedder.ts";

const CHAT = "test/fixtures/recall/rosa-and-piet.json";
const TINY = "test/fixtures/recall/longmemeval-tiny.json";

const mean = (answers: readonly Answered[]): Metrics => meanOf(answers.map((one) => one.metrics));

describe("data sets of questions with evidence", () => {
  it("reads LoCoMo: turns with who, when and photo, questions with the turns that answer them", () => {
    const { name, conversations } = readDataset(CHAT);
    expect(name).toBe("LoCoMo");
    const [chat] = conversations;
    expect(chat!.turns).toHaveLength(64);
    expect(chat!.turns[9]).toEqual({
      id: "D1:10",
      session: 1,
      speaker: "Piet",
      text: "Here she is, asleep as usual. [photo: a photo of a grey dog sleeping on a red couch]",
      timestamp: Date.UTC(2023, 2, 14, 19, 40, 9),
    });
    expect(chat!.questions[2]).toMatchObject({
      category: "multi-hop",
      evidence: ["D1:8", "D3:8"],
    });
  });

  it("reads LongMemEval: a history per question, its evidence as turns and as sessions", () => {
    const { name, conversations } = readDataset(TINY);
    expect(name).toBe("LongMemEval");
    // The fourth asks for what nobody said.
    expect(conversations.map((one) => one.questions[0]!.category)).toEqual([
      "single-session-user",
      "multi-session",
      "temporal-reasoning",
    ]);
    const { turns, questions } = conversations[1]!;
    expect(questions[0]).toMatchObject({
      evidence: ["1:2", "2:2"],
      sessionEvidence: [1, 2],
      now: Date.UTC(2023, 11, 1, 10, 5),
    });
    expect(turns[0]).toMatchObject({
      session: 0,
      speaker: "user",
      timestamp: Date.UTC(2023, 9, 2, 18, 20),
    });
  });

  it("measures ranks against evidence", () => {
    const metrics = measure(["a", "x", "b", "y", "z", "c"], ["b", "c", "d"]);
    expect(metrics).toMatchObject({ r5: 1 / 3, r10: 2 / 3, any5: 1, any10: 1, mrr: 1 / 3 });
    expect(measure([], ["a"])).toMatchObject({ r10: 0, any10: 0, mrr: 0, ndcg10: 0 });
  });
});

describe("finding the evidence with the real pipeline", () => {
  let embedder: Embedder | null = null;
  let texts: EmbedTexts | null = null;

  beforeAll(async () => {
    embedder = await new NodeEmbedderProvider({}).load();
    const loaded = embedder;
    if (loaded === null) return;
    const known = new Map<string, Float32Array>();
    texts = {
      embed: async (wanted) => {
        const missing = [...new Set(wanted)].filter((text) => !known.has(text));
        const vectors = missing.length === 0 ? [] : await loaded.embed(missing);
        missing.forEach((text, i) => known.set(text, vectors[i]!));
        return wanted.map((text) => known.get(text));
      },
    };
  });

  afterAll(async () => {
    await embedder?.close();
  });

  it("finds what answers questions about a chat, and each signal helps", async ({ skip }) => {
    if (texts === null) return skip("the embedding model is not installed: npm run setup");
    const loaded = await loadConversation(readDataset(CHAT).conversations[0]!, texts);
    const all = mean(await answer(loaded, texts));
    // Loose bounds: a worse ranking falls below them, another order of near equals doesn't.
    expect(all.r10).toBeGreaterThan(0.85);
    expect(all.any10).toBeGreaterThan(0.95);
    expect(all.r5).toBeGreaterThan(0.75);
    const words = mean(await answer(loaded, texts, { noMeaning: true }));
    expect(words.r10).toBeGreaterThan(0.7);
    const alone = mean(
      await answer(loaded, texts, {
        weights: { lexical: 0, semantic: 1, activation: 0, recency: 0, fields: 0 },
      }),
    );
    expect(all.r10).toBeGreaterThan(alone.r10);
    await closeLoaded(loaded);
  });

  it("finds the messages and sessions that answer questions over their own history", async ({
    skip,
  }) => {
    if (texts === null) return skip("the embedding model is not installed: npm run setup");
    for (const conversation of readDataset(TINY).conversations) {
      const loaded = await loadConversation(conversation, texts);
      const [answered] = await answer(loaded, texts);
      expect(answered!.metrics.any5, conversation.name).toBe(1);
      expect(answered!.sessions.any5).toBe(1);
      await closeLoaded(loaded);
    }
  });
});
