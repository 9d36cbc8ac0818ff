import { expect, it } from "vitest";
import { MemoryFileStore, MemoryVolume } from "../../../src/platform/memory/memory-file-store.ts";
import { ArrowStorage } from "../../../src/storage/arrow-storage.ts";
import { readManifest } from "../../../src/storage/manifest.ts";
import { mailBodies, makeMemories, makeMemory } from "./sample-memories.ts";

const open = (volume: MemoryVolume): Promise<ArrowStorage> => {
  volume.opened = false;
  return ArrowStorage.open(new MemoryFileStore(volume), {
    level: 3,
    backgroundLevel: 3,
    compactAtRows: 0,
    compactAtBytes: 0,
    codeTextsFromBytes: 16 * 1024,
  });
};

it("a move down of texts that are coded is undone after folds and reopening, and final after compact()", async () => {
  const volume = new MemoryVolume();
  const memories = await makeMemories(mailBodies(40).filter((body) => body.length < 3000));
  let store = await open(volume);
  await store.append(memories);
  await store.compact();
  const { manifest } = await readManifest(new MemoryFileStore(volume.clone()));
  expect(manifest!.primes!.length).toBeGreaterThan(0);

  const moved = memories.filter((_, i) => i % 3 === 0);
  const down = { edits: moved.map(({ id }) => ({ id, keep: "summary" as const })) };
  await store.commit(down);
  for (let round = 0; round < 2; round++) {
    // A query in SQL folds the journal beside the coded segment.
    await store.append([await makeMemory(`Round ${round}.`, 500 + round)]);
    await store.sqlSources();
    await store.close();
    store = await open(volume);
    for (const { id } of moved) expect((await store.get(id)).content).toBeNull();
  }
  expect(await store.lift()).toHaveLength(moved.length);
  for (const { id, content } of memories) expect((await store.get(id)).content).toBe(content);

  await store.commit(down);
  await store.compact();
  expect(await store.lift()).toEqual([]);
  await store.close();
  store = await open(volume);
  for (const { id, content, summary } of memories) {
    const isMoved = moved.some((one) => one.id === id);
    expect(await store.get(id)).toMatchObject({ content: isMoved ? null : content, summary });
  }
  await store.close();
}, 60_000);
