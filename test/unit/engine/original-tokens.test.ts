import { describe, expect, it, vi } from "vitest";
import { OriginalTokens, sampleOf } from "../../../src/engine/original-tokens.ts";
import { MemoryFileStore, MemoryVolume } from "../../../src/platform/memory/memory-file-store.ts";
import { estimateTokens } from "../../../src/processing/compression/ratios.ts";
import { ArrowStorage } from "../../../src/storage/arrow-storage.ts";
import { sha256Hex } from "../../../src/storage/bytes.ts";
import { newMemory } from "../search/in-memory-store.ts";

async function add(store: ArrowStorage, from: number, to: number): Promise<void> {
  const memories = Array.from({ length: to - from }, (_, i) =>
    newMemory({ text: `The ferry number ${from + i} waits in the harbour. `.repeat((i % 5) + 1) }),
  );
  for (const memory of memories) memory.contentSha256 = await sha256Hex(memory.content!);
  await store.append(memories);
}

const sampled = (store: ArrowStorage) => sampleOf([...store.catalog.entries()]);

describe("the tokens of a sample", () => {
  it("are those of its texts, and are known after opening without reading one", async () => {
    const volume = new MemoryVolume();
    const store = await ArrowStorage.open(new MemoryFileStore(volume));
    await add(store, 0, 3000);
    const sample = sampled(store);
    const texts = await store.getContents(sample.map(({ ordinal }) => ordinal));
    const expected = texts.reduce((sum, text) => sum + estimateTokens(text!), 0);
    expect(await new OriginalTokens(store).of(sample)).toBe(expected);
    await store.close();

    const reopened = await ArrowStorage.open(new MemoryFileStore(volume));
    const asked = vi.spyOn(reopened, "getContents");
    expect(await new OriginalTokens(reopened).of(sampled(reopened))).toBe(expected);
    expect(asked.mock.calls.flatMap(([ordinals]) => ordinals)).toEqual([]);

    // A memory more doesn't make another sample.
    await add(reopened, 3000, 3001);
    await new OriginalTokens(reopened).of(sampled(reopened));
    expect(asked.mock.calls.flatMap(([ordinals]) => ordinals).length).toBeLessThan(2);
    await reopened.close();
  });

  it("are counted again where what was kept of them is damaged", async () => {
    const store = await ArrowStorage.open(new MemoryFileStore());
    await add(store, 0, 1500);
    const expected = await new OriginalTokens(store).of(sampled(store));
    await store.writeDerived(
      "original-tokens",
      new TextEncoder().encode('{"version":1,"tokens":[]}'),
    );
    expect(await new OriginalTokens(store).of(sampled(store))).toBe(expected);
    await store.close();
  });

  it("are of 100 to 200 memories, of all where there are fewer", () => {
    for (const count of [0, 1, 150, 200, 201, 1000, 100_000]) {
      const entries = Array.from({ length: count }, (_, ordinal) => ({ ordinal })) as never[];
      const { length } = sampleOf(entries);
      if (count <= 200) expect(length).toBe(count);
      else {
        expect(length).toBeGreaterThan(95);
        expect(length).toBeLessThan(205);
      }
    }
  });
});
