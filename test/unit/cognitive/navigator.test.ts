import { describe, expect, it } from "vitest";
import { ConnectionLearner } from "../../../src/cognitive/connection-learner.ts";
import { NetworkNavigator } from "../../../src/cognitive/navigator.ts";
import { createMemoryId } from "../../../src/model/id.ts";
import { META } from "../../../src/model/memory.ts";
import { SearchService } from "../../../src/search/search-service.ts";
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
    const hits = navigator.spread([{ ordinal: 0, score: 1 }], { limit: 10 });
    expect(hits).toEqual([
      { ordinal: 1, score: 0.5, path: [0, 1] },
      { ordinal: 2, score: 0.25, path: [0, 1, 2] },
    ]);
  });

  it("adds up what arrives by several ways", async () => {
    const { navigator } = await setUp(thread("a", "b", "c"));
    const seeds = [
      { ordinal: 0, score: 0.6 },
      { ordinal: 2, score: 0.4 },
    ];
    const middle = navigator.spread(seeds, { limit: 10 }).find((hit) => hit.ordinal === 1)!;
    expect(middle.score).toBeCloseTo(0.5, 10);
    expect(middle.path).toEqual([0, 1]);
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
    expect(navigator.spread([{ ordinal: 0, score: 1 }], { limit: 10 })).toEqual([]);
  });

  it("brings a neighbour without the words into a recall, with its path", async () => {
    const { service, navigator, ids } = await setUp([
      ...thread("Did you find a flat?", "Yes, two rooms by the canal."),
      { text: "Something else" },
    ]);
    const { hits, signals } = await service.recall({ query: "flat" }, { spread: navigator.spread });
    expect(hits.map((hit) => hit.memory.id)).toEqual([ids[0], ids[1]]);
    expect(hits[1]!.path).toEqual([ids[0], ids[1]]);
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
    const seeds = Array.from({ length: 300 }, (_, ordinal) => ({ ordinal, score: 1 }));
    expect(navigator.spread(seeds, { limit: 50 }).length).toBeLessThanOrEqual(50);
  });
});
