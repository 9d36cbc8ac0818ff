import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import { gatherEmbeddings } from "../../../src/engine/embeddings-buffer.ts";
import { dequantizeVector, quantizeVector } from "../../../src/model/vector.ts";
import { MemoryFileStore, MemoryVolume } from "../../../src/platform/memory/memory-file-store.ts";
import { ArrowStorage } from "../../../src/storage/arrow-storage.ts";
import { sha256Hex } from "../../../src/storage/bytes.ts";
import type { NewMemory } from "../../../src/storage/memory-store.ts";
import { newMemory, type SimpleMemory } from "../search/in-memory-store.ts";

async function memoryOf(memory: SimpleMemory): Promise<NewMemory> {
  return { ...newMemory(memory), contentSha256: await sha256Hex(memory.text) };
}

function vectorOf(seed: number): Float32Array {
  return Float32Array.from({ length: 384 }, (_, i) => Math.sin(seed * 37 + i * 1.7));
}

const TEXTS = [
  "The ferry to Hitra left at six.",
  "Ingrid paid for the new rope.",
  "Nothing was said about the anchor.",
  "The lighthouse keeper kept two goats.",
];

describe("the embeddings of a store in one buffer", () => {
  let store: ArrowStorage;
  let ids: string[];
  beforeEach(async () => {
    store = await ArrowStorage.open(new MemoryFileStore(new MemoryVolume()));
    const entries = await store.append(
      await Promise.all(
        TEXTS.map((text, i) => memoryOf({ text, ...(i === 2 ? {} : { vector: vectorOf(i) }) })),
      ),
    );
    ids = entries.map(({ id }) => id);
    return () => store.close();
  });

  it.each(["before", "after"])("are those that are stored, %s a compaction", async (when) => {
    if (when === "after") await store.compact();
    const found = await gatherEmbeddings(store, {}, null);
    expect(found.ids.toSorted()).toEqual([ids[0], ids[1], ids[3]].toSorted());
    expect(found).toMatchObject({ model: "test", dimensions: 384, format: "float32" });
    if (found.format !== "float32") throw new Error("another format");
    found.ids.forEach((id, row) => {
      const stored = dequantizeVector(quantizeVector(vectorOf(ids.indexOf(id))));
      const own = found.embeddings.subarray(row * 384, (row + 1) * 384);
      own.forEach((value, i) => expect(Math.abs(value - stored[i]!)).toBeLessThan(0.004));
    });
  });

  it("are the stored codes themselves where that is asked", async () => {
    const found = await gatherEmbeddings(store, { ids: [ids[3]!, ids[0]!], format: "int8" }, null);
    if (found.format !== "int8") throw new Error("another format");
    expect(found.ids).toEqual([ids[3], ids[0]]);
    [3, 0].forEach((seed, row) => {
      const { codes, scale } = quantizeVector(vectorOf(seed));
      expect(found.codes.subarray(row * 384, (row + 1) * 384)).toEqual(codes);
      expect(found.scales[row]).toBe(scale);
    });
  });

  it("come in the order asked, each memory once, without those that have none or aren't there", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom(0, 1, 2, 3, 4), { maxLength: 8 }),
        async (picks) => {
          const asked = picks.map((pick) => ids[pick] ?? "not-there");
          const found = await gatherEmbeddings(store, { ids: asked }, null);
          expect(found.ids).toEqual(
            [...new Set(asked)].filter((id) => id !== "not-there" && id !== ids[2]),
          );
        },
      ),
      { numRuns: 30 },
    );
  });

  it("leave out what a filter doesn't let pass, and what was forgotten", async () => {
    const first = store.catalog.byId(ids[0]!)!.ordinal;
    const others = await gatherEmbeddings(store, {}, (ordinal) => ordinal !== first);
    expect(others.ids.toSorted()).toEqual([ids[1], ids[3]].toSorted());
    await store.forget([ids[1]!]);
    expect((await gatherEmbeddings(store, {}, null)).ids).not.toContain(ids[1]);
  });

  it("don't mix models: those of the model that most have", async () => {
    const [other] = await store.append([await memoryOf({ text: "A note." })]);
    await store.setEmbeddings(
      [{ id: other!.id, embedding: quantizeVector(vectorOf(9)) }],
      "another",
    );
    const found = await gatherEmbeddings(store, {}, null);
    expect(found.model).toBe("test");
    expect(found.ids).not.toContain(other!.id);
    expect((await gatherEmbeddings(store, { ids: [other!.id] }, null)).model).toBe("another");
  });

  it("are nothing where nothing is stored", async () => {
    const empty = await gatherEmbeddings(store, { ids: [] }, null);
    expect(empty).toMatchObject({ ids: [], model: null, embeddings: new Float32Array(0) });
  });

  it("lie in buffers of the receiver's own", async () => {
    const once = await gatherEmbeddings(store, {}, null);
    const twice = await gatherEmbeddings(store, {}, null);
    if (once.format !== "float32" || twice.format !== "float32") throw new Error("another format");
    const before = twice.embeddings.slice();
    expect(once.embeddings.byteLength).toBe(once.embeddings.buffer.byteLength);
    structuredClone(once.embeddings, { transfer: [once.embeddings.buffer] });
    expect(once.embeddings).toHaveLength(0);
    expect(twice.embeddings).toEqual(before);
  });
});
