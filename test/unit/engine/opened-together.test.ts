import { expect, it } from "vitest";
import { createEngine } from "../../../src/create-engine.ts";
import type { Engine } from "../../../src/engine.ts";
import { MemoryFileStore, MemoryVolume } from "../../../src/platform/memory/memory-file-store.ts";
import { noEmbedder } from "../../../src/platform/memory/no-embedder.ts";

const open = (volume: MemoryVolume): Promise<Engine> =>
  createEngine({
    fileStore: new MemoryFileStore(volume),
    embedder: noEmbedder,
    sql: () => Promise.reject(new Error("not asked in this test")),
  });

it("brings a memory along that was opened together with a hit, also after reopening and new writes", async () => {
  const volume = new MemoryVolume();
  let engine = await open(volume);
  const [boat, tide] = await engine.remember([
    { text: "The red boat needs a new mast before summer." },
    { text: "Low tide comes at noon, so the red flag goes up." },
  ]);
  await engine.recall({ query: "red" });
  await engine.read(boat!.id!);
  await engine.read(tide!.id!);
  await engine.remember([{ text: "Something else was written afterwards." }]);
  await engine.close();

  engine = await open(volume);
  const { hits } = await engine.recall({ query: "mast" });
  const along = hits.find((hit) => hit.memory.id === tide!.id);
  expect(along?.score.activation).toBeGreaterThan(0);
  expect(along?.path).toEqual([boat!.id, tide!.id]);
  await engine.close();
});

it("keeps what was learned when something else is erased, also when the engine isn't closed", async () => {
  const volume = new MemoryVolume();
  let engine = await open(volume);
  const [boat, tide, note] = await engine.remember([
    { text: "The red boat needs a new mast before summer." },
    { text: "Low tide comes at noon, so the red flag goes up." },
    { text: "An unrelated note about the garden." },
  ]);
  await engine.recall({ query: "red" });
  await engine.read(boat!.id!);
  await engine.read(tide!.id!);
  await engine.close();

  // Nothing is learned in this session: only the erasure touches the files.
  engine = await open(volume);
  await engine.forget({ ids: [note!.id!] }, { erase: true });
  const copy = volume.clone();
  await engine.close();

  engine = await open(copy);
  const { hits } = await engine.recall({ query: "mast" });
  expect(hits.map((hit) => hit.memory.id)).toContain(tide!.id);
  await engine.close();
});

it("ranks a query that was asked before with what was learned since", async () => {
  const engine = await open(new MemoryVolume());
  const [boat, tide] = await engine.remember([
    { text: "The red boat needs a new mast before summer." },
    { text: "Low tide comes at noon, so the red flag goes up." },
  ]);
  const before = await engine.recall({ query: "mast" });
  expect(before.hits.map((hit) => hit.memory.id)).toEqual([boat!.id]);
  await engine.recall({ query: "red" });
  await engine.read(boat!.id!);
  await engine.read(tide!.id!);
  const after = await engine.recall({ query: "mast" });
  expect(after.hits.map((hit) => hit.memory.id)).toContain(tide!.id);
  await engine.close();
});
