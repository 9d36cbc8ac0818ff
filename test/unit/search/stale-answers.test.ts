import { describe, expect, it } from "vitest";
import { Fts5Record } from "../../../src/search/fts5-record.ts";
import { SearchService } from "../../../src/search/search-service.ts";
import { InMemoryStore } from "./in-memory-store.ts";

const axis = (at: number): Float32Array =>
  Float32Array.from({ length: 384 }, (_, i) => (i === at ? 1 : 0));

describe("a filter that more memories pass than have a vector", () => {
  it("holds for what is found by meaning", async () => {
    const store = new InMemoryStore();
    await store.add(
      ...["a boat", "a pier", "a rope", "an oar"].map((text) => ({ text, userId: "ann" })),
      ...["a kettle", "a cup"].map((text, i) => ({ text, userId: "bob", vector: axis(i) })),
    );
    const service = await SearchService.open(store);
    await service.vectorsLoaded();
    const ask = async (userId: string): Promise<string[]> => {
      const { hits } = await service.recall(
        { query: "something warm", filter: { userId } },
        { embedQuery: async () => axis(0) },
      );
      return hits.map(({ memory }) => memory.userId);
    };
    expect(await ask("ann")).toEqual([]);
    expect(await ask("bob")).toContain("bob");
    await service.close();
  });
});

describe("a model that is used for one question only", () => {
  it("leaves the vectors of the one before it to be found again", async () => {
    const store = new InMemoryStore();
    await store.add(
      ...["a boat", "a kettle", "rain"].map((text, i) => ({ text, vector: axis(i) })),
    );
    const service = await SearchService.open(store);
    await service.vectorsLoaded();
    const signalsWith = async (model: string, query: string): Promise<readonly string[]> => {
      const embedQuery = async (): Promise<Float32Array> => {
        await service.useModel(model);
        return axis(2);
      };
      return (await service.recall({ query }, { embedQuery })).signals;
    };
    const own = store.catalog.byOrdinal(0)!.embeddingModel!;
    expect(await signalsWith(own, "wet weather")).toContain("semantic");
    expect(await signalsWith("another", "drops from above")).not.toContain("semantic");
    expect(await signalsWith(own, "an umbrella")).toContain("semantic");
    expect(service.vectorIndex.size).toBe(3);
    await service.close();
  });
});

describe("kept results", () => {
  it("aren't those of a question that was asked before they were dropped", async () => {
    const store = new InMemoryStore();
    await store.add({ text: "a boat", vector: axis(0) }, { text: "a kettle", vector: axis(1) });
    const service = await SearchService.open(store);
    await service.vectorsLoaded();
    await service.recall({ query: "boat" }, { embedQuery: async () => axis(0) });
    expect(service.cacheStats().entries).toBe(1);
    const meanwhile = async (): Promise<Float32Array> => {
      service.clearCache();
      return axis(1);
    };
    expect(
      (await service.recall({ query: "cup" }, { embedQuery: meanwhile })).hits.length,
    ).not.toBe(0);
    expect(service.cacheStats().entries).toBe(0);
    await service.close();
  });
});

describe("the record in FTS5", () => {
  it("doesn't take in what was removed while its batch was read", async () => {
    let read = (): void => undefined;
    const gate = new Promise<void>((resolve) => (read = resolve));
    const record = new Fts5Record(
      async (ordinals) => {
        await gate;
        return ordinals.map((ordinal) => ({
          ordinal,
          summary: "",
          entities: "",
          topics: "",
          content: ordinal === 1 ? "the secret harbour" : "a kettle",
        }));
      },
      { idleMs: 1e6 },
    );
    record.changed([0, 1, 2]);
    const drained = record.drain();
    await new Promise((resolve) => setTimeout(resolve, 200));
    record.removed([1]);
    read();
    await drained;
    expect(record.status.memories).toBe(2);
    expect(record.search("harbour", 5)).toEqual([]);
    record.close();
  });
});
