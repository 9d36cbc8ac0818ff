import { describe, expect, it } from "vitest";
import { createEngine } from "../../../src/create-engine.ts";
import type { Engine } from "../../../src/engine.ts";
import { META } from "../../../src/model/memory.ts";
import { MemoryFileStore, MemoryVolume } from "../../../src/platform/memory/memory-file-store.ts";
import { createNodeSqlEngine } from "../../../src/platform/node/duckdb.ts";

function open(volume: MemoryVolume): Promise<Engine> {
  volume.opened = false;
  return createEngine({
    fileStore: new MemoryFileStore(volume),
    embedder: {
      load: async () => null,
      state: async () => ({
        name: "none",
        state: "missing",
        sizeBytes: 0,
        installedBytes: 0,
        licence: "",
      }),
    },
    sql: async () => createNodeSqlEngine(),
  });
}

async function listed(engine: Engine): Promise<string[]> {
  return (await engine.browse({ limit: 100 })).items.map(({ id }) => id);
}

/** A store whose one segment is damaged, with a memory in the journal beside it. */
async function damagedStore() {
  const volume = new MemoryVolume();
  const engine = await open(volume);
  const note = (text: string) => ({ text, metadata: { [META.thread]: "harbour" } });
  const [old] = await engine.remember([note("The crane was inspected in April.")]);
  await engine.compact();
  const [recent] = await engine.remember([note("The crane's cable was replaced in June.")]);
  await engine.close();
  const path = [...volume.files.keys()].find((name) => name.startsWith("segments/"))!;
  volume.files.get(path)![20]! ^= 0xff;
  return { volume, path, old: old!.id!, recent: recent!.id! };
}

describe("a store with a damaged file", () => {
  it("names it, keeps it, serves the rest, and erases nothing for sure until it is given up", async () => {
    const { volume, path, old, recent } = await damagedStore();
    const engine = await open(volume);
    expect((await engine.status()).store.damagedFiles).toEqual([path]);
    expect(await engine.repair()).toEqual({ files: [path], discarded: false, lostCount: 0 });
    expect(volume.files.has(path)).toBe(true);
    expect(await listed(engine)).toContain(recent);
    const erasing = engine.forget({ ids: [recent] }, { erase: true });
    await expect(erasing).rejects.toMatchObject({ code: "corrupt_data" });

    const report = await engine.repair({ discard: true });
    expect(report).toMatchObject({ files: [path], discarded: true });
    expect(volume.files.has(path)).toBe(false);
    expect((await engine.status()).store.damagedFiles).toEqual([]);
    expect(await listed(engine)).toEqual([]);
    await expect(engine.read(old)).rejects.toMatchObject({ code: "not_found" });
    await engine.close();
  });

  it("goes on without it: writes, answers, erases, opens again, and refers to nothing that went", async () => {
    const { volume, old, recent } = await damagedStore();
    let engine = await open(volume);
    await engine.repair({ discard: true });
    const [next] = await engine.remember([{ text: "The crane lifted its first keel." }]);
    const { rows } = await engine.sql("SELECT memory_id FROM memories ORDER BY 1");
    expect(rows.map((row) => row["memory_id"])).toEqual([recent, next!.id].sort());
    await engine.close();
    engine = await open(volume);
    expect((await listed(engine)).sort()).toEqual([recent, next!.id].sort());
    expect((await engine.read(recent)).memory.previousId).not.toBe(old);
    const found = await engine.recall({ query: "crane" });
    expect(found.hits.map(({ memory }) => memory.id).sort()).toEqual([recent, next!.id].sort());
    const erased = await engine.forget({ ids: [recent] }, { erase: true });
    expect(erased).toEqual({ ids: [recent], erased: true });
    await engine.close();
  });

  it("is what it was once the file is mended", async () => {
    const { volume, path, old, recent } = await damagedStore();
    await (await open(volume)).close();
    volume.files.get(path)![20]! ^= 0xff;
    const engine = await open(volume);
    expect(await engine.repair()).toMatchObject({ files: [] });
    expect((await listed(engine)).sort()).toEqual([old, recent].sort());
    await engine.close();
  });
});

describe("a question in SQL", () => {
  it("can be taken back while it runs, and the next one is answered", async () => {
    const engine = await open(new MemoryVolume());
    await engine.remember([{ text: "The ferry counted its passengers." }]);
    const control = new AbortController();
    const slow = engine.sql("SELECT count(*) FROM range(1000000) a, range(1000000) b, memories", {
      signal: control.signal,
    });
    setTimeout(() => control.abort(), 300);
    await expect(slow).rejects.toMatchObject({ name: "AbortError" });
    const aborted = AbortSignal.abort();
    const never = engine.sql("SELECT 1", { signal: aborted });
    await expect(never).rejects.toMatchObject({ name: "AbortError" });
    const { rows } = await engine.sql("SELECT count(*) AS n FROM memories");
    expect(rows).toEqual([{ n: 1 }]);
    await engine.close();
  });
});

it("compares the search by words with FTS5 when asked, and says in status how far the record is", async () => {
  const engine = await open(new MemoryVolume());
  const texts = ["The crane was inspected in April.", "The harbour froze over in 1838."];
  await engine.remember(texts.map((text) => ({ text })));
  expect((await engine.status()).words).toMatchObject({
    count: 2,
    record: { memories: 0, waiting: 2, isFull: false },
  });
  const { words, files } = await engine.repair({ check: true });
  expect(files).toEqual([]);
  expect(words).toMatchObject({ isComplete: true, memories: 2, differingCount: 0 });
  expect(words!.terms).toBeGreaterThan(8);
  expect((await engine.status()).words.record).toMatchObject({ memories: 2, waiting: 0 });
  await engine.close();
});
