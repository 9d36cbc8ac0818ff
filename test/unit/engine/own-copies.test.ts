import { expect, it } from "vitest";
import { createEngine } from "../../../src/create-engine.ts";
import type { Engine } from "../../../src/engine.ts";
import { MemoryFileStore, MemoryVolume } from "../../../src/platform/memory/memory-file-store.ts";
import { noEmbedder } from "../../../src/platform/memory/no-embedder.ts";

function open(volume: MemoryVolume): Promise<Engine> {
  volume.opened = false;
  return createEngine({
    fileStore: new MemoryFileStore(volume),
    embedder: noEmbedder,
    sql: () => Promise.reject(new Error("not used")),
  });
}

it("keeps memories apart from what callers gave and got", async () => {
  const volume = new MemoryVolume();
  let engine = await open(volume);
  const given = {
    text: "Greta moored the ferry at the north pier.",
    metadata: { title: "Log" },
    entities: [{ text: "Greta", type: "person" as const, confidence: 1 }],
    embedding: { vector: Float32Array.from({ length: 384 }, (_, i) => Math.sin(i)), model: "m" },
  };
  const [receipt] = await engine.remember([given]);
  given.entities[0]!.text = "Otto";
  given.metadata.title = "Changed";
  given.embedding.vector.fill(0);
  const spoil = (memory: { entities: { text: string }[]; metadata: object; quality: object }) => {
    for (const entity of memory.entities) entity.text = "Otto";
    memory.entities.length = 0;
    Object.assign(memory.metadata, { title: "Changed" });
    Object.assign(memory.quality, { faithfulness: -1 });
  };
  const query = { query: "Greta ferry" };
  const before = structuredClone((await engine.recall(query)).hits[0]!.memory);
  expect(before.entities.map(({ text }) => text)).toEqual(["Greta"]);
  expect(before.metadata["title"]).toBe("Log");
  spoil((await engine.recall(query)).hits[0]!.memory);
  spoil((await engine.recall({ query: "pier" })).hits[0]!.memory);
  spoil((await engine.read(receipt!.id!)).memory);
  spoil((await engine.browse()).items[0]!);
  expect((await engine.recall({ query: "ferry" })).hits[0]!.memory).toEqual(before);
  await engine.compact();
  await engine.close();
  engine = await open(volume);
  const after = (await engine.recall(query)).hits[0]!.memory;
  expect(after.entities).toEqual(before.entities);
  expect(after.metadata).toEqual(before.metadata);
  expect(after.quality).toEqual(before.quality);
  await engine.close();
});
