import { describe, expect, it } from "vitest";
import { createEngine } from "../../../src/create-engine.ts";
import type { Engine } from "../../../src/engine.ts";
import { MemoryFileStore, MemoryVolume } from "../../../src/platform/memory/memory-file-store.ts";
import { noEmbedder } from "../../../src/platform/memory/no-embedder.ts";
import { damageColumn, unlikeWords } from "../storage/damaged-column.ts";

const START = Date.UTC(2024, 0, 1);

function open(volume: MemoryVolume): Promise<Engine> {
  volume.opened = false;
  return createEngine({
    fileStore: new MemoryFileStore(volume),
    embedder: noEmbedder,
    sql: () => Promise.reject(new Error("not used")),
  });
}

interface SampleStore {
  volume: MemoryVolume;
  path: string;
}

const samples = new Map<number, Promise<SampleStore>>();

/** One segment of `count` memories and of each a word of its own. */
async function storeOf(count: number): Promise<SampleStore> {
  const made = samples.get(count) ?? makeStore(count);
  samples.set(count, made);
  const { volume, path } = await made;
  return { volume: volume.clone(), path };
}

async function makeStore(count: number): Promise<SampleStore> {
  const volume = new MemoryVolume();
  const engine = await open(volume);
  const vector = (seed: number) =>
    Float32Array.from({ length: 384 }, (_, i) => Math.sin(seed + i * i));
  await engine.remember(
    Array.from({ length: count }, (_, i) => ({
      text: `Crate${i} ${unlikeWords(i)}`,
      timestamp: START + i,
      embedding: { vector: vector(i), model: "m" },
    })),
  );
  await engine.compact();
  await engine.close();
  const path = [...volume.files.keys()].find((name) => name.startsWith("segments/"))!;
  return { volume, path };
}

async function exported(engine: Engine): Promise<string> {
  const files: string[] = [];
  for await (const { bytes } of engine.exportStore("jsonl"))
    files.push(new TextDecoder().decode(bytes));
  return files.join("\n");
}

/** `small`: its words are read from the texts at opening. `large`: two row groups, words from a snapshot. */
describe.each([
  ["small", 1500],
  ["large", 4200],
])("a %s store with a damaged page of summaries", (size, count) => {
  it("opens, answers, exports what can be read, and names the file", async () => {
    const store = await storeOf(count);
    const at = damageColumn(store.volume, store.path, "summary");
    const damaged = store.volume.files.get(store.path)!.slice();
    let engine = await open(store.volume);
    expect((await engine.status()).store).toMatchObject({
      memoryCount: count,
      damagedFiles: [store.path],
    });
    expect((await engine.recall({ query: "crate7" })).hits).toHaveLength(1);
    expect((await engine.browse({ order: "newest", limit: 5 })).items).toHaveLength(5);
    await engine.remember([{ text: "A kettle was left in the hold.", timestamp: START + count }]);
    const text = await exported(engine);
    expect(text.includes("A kettle was left in the hold.")).toBe(true);
    expect(text.includes("Crate7 ")).toBe(false);
    // The other row group is whole.
    expect(text.includes(`Crate${count - 1} `)).toBe(size === "large");
    expect((await engine.status()).store.recovered.join()).toContain(store.path);
    // It stays as it is until its owner gives it up, or mends it.
    await engine.compact();
    expect(store.volume.files.get(store.path)).toEqual(damaged);
    expect(await engine.repair()).toEqual({ files: [store.path], discarded: false, lostCount: 0 });
    await engine.close();

    store.volume.files.get(store.path)![at]! ^= 1;
    engine = await open(store.volume);
    expect((await engine.status()).store.damagedFiles).toEqual([]);
    expect((await exported(engine)).includes("Crate7 ")).toBe(true);
    const [hit] = (await engine.recall({ query: "crate7" })).hits;
    expect(hit!.memory.summary).toContain("Crate7 ");
    await engine.close();
  }, 60_000);

  it("goes on without it once it is given up", async () => {
    const store = await storeOf(count);
    damageColumn(store.volume, store.path, "summary");
    const engine = await open(store.volume);
    await engine.remember([{ text: "A kettle was left in the hold.", timestamp: START + count }]);
    await engine.status();
    const report = await engine.repair({ discard: true });
    expect(report).toEqual({ files: [store.path], discarded: true, lostCount: count });
    expect((await engine.status()).store).toMatchObject({ memoryCount: 1, damagedFiles: [] });
    expect((await engine.recall({ query: "kettle crate7" })).hits).toHaveLength(1);
    await engine.close();
  }, 60_000);
});

it("searches by the vectors that can be read, and names the file of the others", async () => {
  const store = await storeOf(4200);
  damageColumn(store.volume, store.path, "embedding");
  const engine = await open(store.volume);
  const { vectors, store: found } = await engine.status();
  // Of the second row group; those of the first are in the damaged column.
  expect(vectors.count).toBe(4200 - 4096);
  expect(found.damagedFiles).toEqual([store.path]);
  await engine.close();
}, 60_000);

it("exports memories without the vectors that can't be read, and names the file", async () => {
  const store = await storeOf(1500);
  damageColumn(store.volume, store.path, "embedding");
  const engine = await open(store.volume);
  expect((await engine.recall({ query: "crate7" })).hits).toHaveLength(1);
  expect((await exported(engine)).includes("Crate7 ")).toBe(true);
  expect((await engine.repair()).files).toEqual([store.path]);
  await engine.close();
}, 60_000);
