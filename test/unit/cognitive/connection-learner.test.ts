import { describe, expect, it } from "vitest";
import { ConnectionLearner } from "../../../src/cognitive/connection-learner.ts";
import { InMemoryStore } from "../search/in-memory-store.ts";

const DAY = 86_400_000;

async function setUp(count: number) {
  const store = new InMemoryStore();
  const entries = await store.add(
    ...Array.from({ length: count }, (_, i) => ({ text: `memory ${i}` })),
  );
  const clock = { at: Date.UTC(2024, 0, 1), now: () => clock.at, elapsed: () => 0 };
  const learner = await ConnectionLearner.open(store, clock);
  return { store, clock, learner, ids: entries.map((entry) => entry.id) };
}

describe("ConnectionLearner", () => {
  it("strengthens a link each time two memories come up together, and never beyond 1", async () => {
    const { learner, ids } = await setUp(3);
    learner.reinforce([ids[0]!, ids[1]!]);
    const once = learner.connectionsOf(0)[0]!.weight;
    learner.reinforce([ids[0]!, ids[1]!]);
    expect(learner.connectionsOf(0)[0]!.weight).toBeGreaterThan(once);
    for (let i = 0; i < 500; i++) learner.reinforce([ids[0]!, ids[1]!]);
    expect(learner.connectionsOf(1)[0]!.weight).toBeLessThanOrEqual(1);
    expect(learner.connectionsOf(2)).toEqual([]);
  });

  it("lets links fade with time until they are gone", async () => {
    const { learner, clock, ids } = await setUp(2);
    learner.reinforce(ids);
    const fresh = learner.connectionsOf(0)[0]!.weight;
    clock.at += 60 * DAY;
    expect(learner.connectionsOf(0)[0]!.weight).toBeCloseTo(fresh / 2, 10);
    clock.at += 600 * DAY;
    expect(learner.connectionsOf(0)).toEqual([]);
  });

  it("drops the links of a forgotten memory, in memory and in the store", async () => {
    const { store, learner, ids } = await setUp(3);
    learner.reinforce(ids);
    await store.forget([ids[1]!]);
    expect(learner.connectionsOf(0).map((link) => link.ordinal)).toEqual([2]);
    expect(learner.edgeCount).toBe(1);
    await learner.save();
    expect(new TextDecoder().decode(store.derived.get("connections"))).not.toContain(ids[1]);
  });

  it("is there again after opening, on the memories that still exist", async () => {
    const { store, clock, learner, ids } = await setUp(3);
    learner.reinforce(ids);
    const before = learner.connectionsOf(0);
    await learner.save();
    learner.close();
    const again = await ConnectionLearner.open(store, clock);
    expect(again.connectionsOf(0)).toEqual(before);
    again.close();
    await store.forget([ids[2]!]);
    expect((await ConnectionLearner.open(store, clock)).connectionsOf(0)).toHaveLength(1);
  });

  it.each([
    "",
    "{",
    "[]",
    '{"version":9}',
    '{"version":1,"savedAtMs":0,"ids":["x"],"edges":[[0,1,"a"]]}',
  ])("starts empty from unreadable data %j", async (text) => {
    const { store, clock } = await setUp(2);
    store.derived.set("connections", new TextEncoder().encode(text));
    expect((await ConnectionLearner.open(store, clock)).edgeCount).toBe(0);
  });

  it("keeps a bounded number of links per memory, the strongest", async () => {
    const { learner, ids } = await setUp(60);
    for (let i = 0; i < 5; i++) learner.reinforce([ids[0]!, ids[1]!]);
    for (let i = 2; i < 60; i++) learner.reinforce([ids[0]!, ids[i]!]);
    const links = learner.connectionsOf(0);
    expect(links.length).toBeLessThanOrEqual(32);
    expect(links[0]!.ordinal).toBe(1);
  });
});
