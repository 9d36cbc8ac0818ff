import { describe, expect, it } from "vitest";
import { ConnectionLearner } from "../../../src/cognitive/connection-learner.ts";
import { NetworkNavigator } from "../../../src/cognitive/navigator.ts";
import { createMemoryId } from "../../../src/model/id.ts";
import { META } from "../../../src/model/memory.ts";
import { SearchService } from "../../../src/search/search-service.ts";
import type { BringOptions, SpreadOptions } from "../../../src/search/spread.ts";
import { InMemoryStore, type SimpleMemory } from "../search/in-memory-store.ts";

function thread(...texts: string[]): SimpleMemory[] {
  const ids = texts.map(() => createMemoryId());
  return texts.map((text, i) => ({
    id: ids[i]!,
    text,
    previousId: ids[i - 1] ?? null,
    nextId: ids[i + 1] ?? null,
  }));
}

async function setUp(memories: SimpleMemory[]) {
  const store = new InMemoryStore();
  const entries = await store.add(...memories);
  const service = await SearchService.open(store);
  const learner = await ConnectionLearner.open(store);
  const navigator = new NetworkNavigator(store, service.entities, learner);
  return { store, service, learner, navigator, ids: entries.map((entry) => entry.id) };
}

/** What a spread from these direct hits brings where, strongest first. */
function spreadFrom(
  navigator: NetworkNavigator,
  seeds: Record<number, number>,
  options: SpreadOptions & Partial<BringOptions> = {},
) {
  const ordinals = Int32Array.from(Object.keys(seeds), Number);
  const result = navigator.spread(
    { count: ordinals.length, ordinals, scores: Float64Array.from(Object.values(seeds)) },
    options,
  );
  const brought = result.bring({ limit: 50, ...options });
  return [
    ...Array.from(ordinals, (ordinal, i) => ({ ordinal, score: result.seedScores[i]! })),
    ...Array.from(brought.ordinals.subarray(0, brought.count), (ordinal, i) => ({
      ordinal,
      score: brought.scores[i]!,
    })),
  ]
    .map((one) => ({ ...one, way: result.wayTo(one.ordinal) }))
    .sort((a, b) => b.score - a.score || a.ordinal - b.ordinal);
}

const person = (text: string) => ({ text, type: "person" as const, confidence: 1 });

describe("NetworkNavigator", () => {
  it("knows neighbours in the thread, replies, rare names in common and learned links", async () => {
    const [a, b] = thread("first", "second") as [SimpleMemory, SimpleMemory];
    const { navigator, learner, ids } = await setUp([
      { ...a, entities: [person("Ada Byron")], metadata: { [META.externalId]: "<1@x>" } },
      b,
      { text: "about her", entities: [person("ada byron")] },
      { text: "answer", metadata: { [META.replyTo]: "<1@x>" } },
      { text: "other" },
    ]);
    learner.reinforce([ids[0]!, ids[4]!]);
    expect(navigator.connectionsOf(0).map(({ ordinal, kind }) => [ordinal, kind])).toEqual([
      [1, "next"],
      [2, "entity"],
      [4, "learned"],
    ]);
    expect(navigator.connectionsOf(3)).toMatchObject([{ ordinal: 0, kind: "reply" }]);
    expect(navigator.connectionsOf(2)[0]).toMatchObject({ ordinal: 0, via: "Ada Byron" });
  });

  it("spreads over two hops, weaker with each, and tells the way", async () => {
    const { navigator } = await setUp(thread("a", "b", "c", "d"));
    const hits = spreadFrom(navigator, { 0: 1 });
    expect(hits.map(({ ordinal, way }) => [ordinal, way])).toEqual([
      [1, { path: [0, 1], links: [{ kind: "next" }] }],
      [2, { path: [0, 1, 2], links: [{ kind: "next" }, { kind: "next" }] }],
      [0, null],
    ]);
    expect(hits[0]!.score).toBeGreaterThan(2 * hits[1]!.score);
    expect(hits[2]!.score).toBe(0);
  });

  it("adds up what arrives by several ways", async () => {
    const { navigator } = await setUp(thread("a", "b", "c"));
    const scoreOfMiddle = (seeds: Record<number, number>): number =>
      spreadFrom(navigator, seeds).find(({ ordinal }) => ordinal === 1)!.score;
    const [first, last] = [scoreOfMiddle({ 0: 0.6 }), scoreOfMiddle({ 2: 0.4 })];
    expect(scoreOfMiddle({ 0: 0.6, 2: 0.4 })).toBeCloseTo(first + last, 10);
    const hits = spreadFrom(navigator, { 0: 0.6, 2: 0.4 });
    expect(hits[0]!.way).toEqual({ path: [0, 1], links: [{ kind: "next" }] });
  });

  it("passes on more from a question to what follows it", async () => {
    const { navigator } = await setUp([...thread("a", "b"), ...thread("c?", "d")]);
    const hits = spreadFrom(navigator, { 0: 0.5, 2: 0.5 }, { asks: (ordinal) => ordinal === 2 });
    const scoreOf = (ordinal: number) => hits.find((hit) => hit.ordinal === ordinal)!.score;
    expect(scoreOf(3)).toBeGreaterThan(scoreOf(1));
    expect(scoreOf(0)).toBe(scoreOf(2));
  });

  it("lifts the other hits of a conversation, and less in a crowd", async () => {
    const talk = (count: number, name: string): SimpleMemory[] =>
      Array.from({ length: count }, () => ({ text: "x", metadata: { [META.thread]: name } }));
    const { navigator } = await setUp([...talk(3, "few"), ...talk(100, "many"), { text: "alone" }]);
    const seeds = Object.fromEntries(
      Array.from({ length: 104 }, (_, i) => [i, i === 0 || i === 3 ? 1 : 0.2]),
    );
    const hits = new Map(spreadFrom(navigator, seeds).map((hit) => [hit.ordinal, hit]));
    expect(hits.get(1)!.way).toEqual({ path: [0, 1], links: [{ kind: "thread" }] });
    expect(hits.get(1)!.score).toBeGreaterThan(hits.get(4)!.score);
    expect(hits.get(103)!.score).toBe(0);
  });

  it("lifts no memory any more that moved to another conversation", async () => {
    const talk = thread("a", "b", "c").map((one) => ({
      ...one,
      nextId: null,
      metadata: { [META.thread]: "talk" },
    }));
    const { store, navigator, ids } = await setUp(talk);
    const linkOfFirst = () =>
      spreadFrom(navigator, { 2: 1 }).find(({ ordinal }) => ordinal === 0)?.way?.links[0]?.kind;
    expect(linkOfFirst()).toBe("thread");
    await store.patch(ids[0]!, { metadata: { [META.thread]: "another" } });
    expect(linkOfFirst()).toBe("previous");
  });

  it("parts a long chat where it paused", async () => {
    const HOUR_MS = 3_600_000;
    const { navigator } = await setUp(
      Array.from({ length: 80 }, (_, i) => ({
        text: "x",
        timestamp: i < 40 ? i * 1000 : 48 * HOUR_MS + i * 1000,
        metadata: { [META.thread]: "family.txt" },
      })),
    );
    const seeds = Object.fromEntries(Array.from({ length: 80 }, (_, i) => [i, i === 5 ? 1 : 0.1]));
    const hits = new Map(spreadFrom(navigator, seeds).map((hit) => [hit.ordinal, hit.score]));
    expect(hits.get(6)).toBeGreaterThan(0);
    expect(hits.get(60)).toBe(0);
  });

  it("follows names in common, and says which", async () => {
    const { navigator } = await setUp([
      { text: "a", entities: [person("Ada Byron"), person("Mr. Lee")] },
      { text: "b", entities: [person("ada byron")] },
      { text: "c", entities: [person("Mr. Lee")] },
      { text: "d", entities: [person("Mr. Lee")] },
    ]);
    const [first] = spreadFrom(navigator, { 0: 1 });
    expect(first).toMatchObject({
      ordinal: 1,
      way: { path: [0, 1], links: [{ kind: "entity", via: "Ada Byron" }] },
    });
  });

  it("ignores names that many memories share", async () => {
    const { navigator } = await setUp(
      Array.from({ length: 40 }, () => ({ text: "x", entities: [person("Everyone")] })),
    );
    expect(navigator.connectionsOf(0)).toEqual([]);
  });

  it("never reaches a forgotten memory, nor through one", async () => {
    const { store, navigator, ids } = await setUp(thread("a", "b", "c"));
    await store.forget([ids[1]!]);
    expect(spreadFrom(navigator, { 0: 1 })).toEqual([{ ordinal: 0, score: 0, way: null }]);
  });

  it("brings a neighbour without the words into a recall, with its path", async () => {
    const { service, navigator, ids } = await setUp([
      ...thread("Did you find a flat?", "Yes, two rooms by the canal."),
      { text: "Something else" },
    ]);
    const { hits, signals } = await service.recall({ query: "flat" }, { spread: navigator.spread });
    expect(hits.map((hit) => hit.memory.id)).toEqual([ids[0], ids[1]]);
    expect(hits[1]!.path).toEqual([ids[0], ids[1]]);
    expect(hits[1]!.links).toEqual([{ kind: "next" }]);
    expect(hits[1]!.score.activation).toBeGreaterThan(0);
    expect(signals).toContain("activation");
  });

  it("keeps the spread inside the filter", async () => {
    const [a, b] = thread("a flat", "by the canal") as [SimpleMemory, SimpleMemory];
    const { service, navigator } = await setUp([
      { ...a, userId: "ann" },
      { ...b, userId: "bob" },
    ]);
    const { hits } = await service.recall(
      { query: "flat", filter: { userId: "ann" } },
      { spread: navigator.spread },
    );
    expect(hits).toHaveLength(1);
  });

  it("stays within bounds on a dense graph", async () => {
    const { navigator } = await setUp(
      Array.from({ length: 600 }, (_, i) => ({
        text: "x",
        entities: Array.from({ length: 20 }, (_, j) => person(`Name ${(i * 7 + j * 31) % 1200}`)),
      })),
    );
    const seeds = Object.fromEntries(Array.from({ length: 300 }, (_, ordinal) => [ordinal, 1]));
    expect(spreadFrom(navigator, seeds, { limit: 50 }).length).toBeLessThanOrEqual(350);
  });
});
