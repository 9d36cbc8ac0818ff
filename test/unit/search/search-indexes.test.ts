import { describe, expect, it } from "vitest";
import { META } from "../../../src/model/memory.ts";
import { normalizeVector } from "../../../src/model/vector.ts";
import { MemoryFileStore } from "../../../src/platform/memory/memory-file-store.ts";
import { SearchIndexes } from "../../../src/search/search-indexes.ts";
import { SearchService } from "../../../src/search/search-service.ts";
import { ArrowStorage } from "../../../src/storage/arrow-storage.ts";
import { readCorpus } from "../../../bench/search/corpus.ts";
import { fillStore, type BenchMemory } from "../../../bench/search/store.ts";

const QUERIES = ["the state of the union", "white whale", "mailing list", "senate treaty", "ship"];

function vectorOf(i: number): Float32Array {
  return normalizeVector(Float32Array.from({ length: 384 }, (_, j) => Math.sin(i * 37 + j * j)));
}

async function realMemories(count: number): Promise<BenchMemory[]> {
  const texts = await readCorpus(count);
  return texts.map((one, i) => ({
    text: one.text,
    timestamp: one.timestamp,
    vector: vectorOf(i),
    metadata: {
      [META.source]: one.source,
      [META.title]: one.title,
      [META.speaker]: one.speaker,
    },
    entities: [...new Set(one.text.match(/(?<=[a-z] )[A-Z][a-z]+/g) ?? [])].map((text) => ({
      text,
      type: "person" as const,
      confidence: 1,
    })),
  }));
}

/** A copy of the folder as it is now: what a kill would leave. */
async function copyOf(files: MemoryFileStore): Promise<MemoryFileStore> {
  const copy = new MemoryFileStore();
  for (const { path } of await files.list()) await copy.write(path, await files.read(path));
  return copy;
}

async function answersOf(files: MemoryFileStore, snapshots: "always" | "never") {
  const store = await ArrowStorage.open(files);
  const service = await SearchService.open(store, { snapshots, cacheEntries: 1 });
  const answers = [];
  for (const query of QUERIES)
    for (const [i, filter] of [{}, { sources: ["mail"] }, { speakers: ["Ishmael"] }].entries()) {
      const { hits } = await service.recall(
        { query, filter, topK: 20 },
        { embedQuery: () => Promise.resolve(vectorOf(i)) },
      );
      answers.push(hits.map((hit) => [hit.memory.id, hit.score.total.toFixed(5)]));
    }
  const { entities, speakers } = await service.facets();
  const result = { answers, entities: entities.slice(0, 20), speakers };
  await service.close();
  await store.close();
  return result;
}

async function indexed(memories: readonly BenchMemory[]) {
  const files = new MemoryFileStore();
  const store = await ArrowStorage.open(files);
  const ids = await fillStore(store, memories);
  await store.compact();
  const indexes = await SearchIndexes.open(store, { snapshots: "always" });
  await indexes.save();
  return { files, store, indexes, ids };
}

describe("SearchIndexes", () => {
  it("reads no memory again when its snapshots are of now, and answers as if built afresh", async () => {
    const { files, store, indexes } = await indexed(await realMemories(400));
    await indexes.close();
    const left = await copyOf(files);
    await store.close();
    const reopened = await ArrowStorage.open(await copyOf(left));
    const restored = await SearchIndexes.open(reopened, { snapshots: "always" });
    await restored.storedVectors.loaded();
    expect(restored.caughtUpRows).toBe(0);
    expect(restored.vectors.size).toBe(400);
    expect(restored.text.size).toBe(400);
    await restored.close();
    await reopened.close();
    expect(await answersOf(await copyOf(left), "always")).toEqual(
      await answersOf(await copyOf(left), "never"),
    );
  });

  it("catches up with what was added, changed and forgotten after the snapshots were written", async () => {
    const memories = await realMemories(300);
    const { files, store, ids } = await indexed(memories.slice(0, 250));
    await fillStore(store, memories.slice(250));
    await store.forget(ids.slice(0, 20));
    await store.patch(ids[30]!, { metadata: { [META.speaker]: "Ishmael" } });
    await store.patch(ids[40]!, { keep: "summary" });
    const left = await copyOf(files); // as a kill would leave it
    await store.close();

    const reopened = await ArrowStorage.open(await copyOf(left));
    const restored = await SearchIndexes.open(reopened, { snapshots: "always" });
    await restored.storedVectors.loaded();
    expect(restored.caughtUpRows).toBeGreaterThanOrEqual(52);
    expect(restored.caughtUpRows).toBeLessThan(150);
    expect(restored.text.size).toBe(280);
    expect(restored.vectors.size).toBe(280);
    await restored.close();
    await reopened.close();
    expect(await answersOf(await copyOf(left), "always")).toEqual(
      await answersOf(await copyOf(left), "never"),
    );
  });

  it("builds afresh when a snapshot is damaged", async () => {
    const { files, store, indexes } = await indexed(await realMemories(120));
    await indexes.close();
    const damaged = await copyOf(files);
    for (const { path } of await damaged.list("index/")) {
      const bytes = await damaged.read(path);
      bytes[bytes.length >> 1]! ^= 0xff;
      await damaged.write(path, bytes);
    }
    expect(await answersOf(damaged, "always")).toEqual(
      await answersOf(await copyOf(files), "never"),
    );
    await store.close();
  });

  it("keeps what changes while it opens", async () => {
    const memories = await realMemories(300);
    const { store, indexes, ids } = await indexed(memories.slice(0, 250));
    await indexes.close();
    const opening = SearchIndexes.open(store, { snapshots: "never" });
    await fillStore(store, memories.slice(250));
    await store.forget(ids.slice(0, 10));
    const opened = await opening;
    await opened.settled();
    await opened.storedVectors.loaded();
    expect(opened.text.size).toBe(290);
    expect(opened.vectors.size).toBe(290);
    expect(ids.slice(0, 10).some((_, ordinal) => opened.text.has(ordinal))).toBe(false);
    await opened.close();
    await store.close();
  });
});
