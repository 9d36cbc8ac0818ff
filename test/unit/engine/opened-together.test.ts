import { expect, it } from "vitest";
import { createEngine } from "../../../src/create-engine.ts";
import type { Engine } from "../../../src/engine.ts";
import { MemoryFileStore, MemoryVolume } from "../../../src/platform/memory/memory-file-store.ts";

const open = (volume: MemoryVolume): Promise<Engine> =>
  createEngine({
    fileStore: new MemoryFileStore(volume),
    embedder: {
      load: () => Promise.resolve(null),
      state: () =>
        Promise.resolve({
          name: "none",
          state: "missing",
          sizeBytes: 0,
          installedBytes: 0,
          licence: "",
        }),
    },
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
