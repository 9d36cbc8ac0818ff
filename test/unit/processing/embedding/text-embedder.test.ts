import { describe, expect, it } from "vitest";
import { isAbortError } from "../../../../src/errors.ts";
import type { Embedder } from "../../../../src/ports/embedder.ts";
import { VectorCache } from "../../../../src/processing/embedding/cache.ts";
import { TextEmbedder } from "../../../../src/processing/embedding/text-embedder.ts";

/** Vectors that tell their text: its length first. Only the cache is under test here. */
function countingEmbedder() {
  const seen: string[] = [];
  const embedder: Embedder = {
    info: { id: "counting@00000000", dimensions: 384, maxTokens: 256, backend: "none", threads: 1 },
    embed(texts, options) {
      seen.push(...texts);
      options?.onProgress?.(texts.length);
      return Promise.resolve(texts.map((text) => new Float32Array(384).fill(text.length)));
    },
    countTokens: (text) => text.length,
    close: () => Promise.resolve(),
  };
  return { embedder, seen };
}

describe("TextEmbedder", () => {
  it("computes a text once, within a call and over calls", async () => {
    const { embedder, seen } = countingEmbedder();
    const texts = new TextEmbedder(embedder);
    const vectors = await texts.embed(["aa", "b", "aa", "ccc"]);
    expect(vectors.map((vector) => vector[0])).toEqual([2, 1, 2, 3]);
    await texts.embed(["b", "dddd"]);
    expect(seen).toEqual(["aa", "b", "ccc", "dddd"]);
    expect(texts.status).toEqual({
      entries: 4,
      hits: 1,
      misses: 4,
      embeddedTexts: 4,
      dedupedTexts: 1,
    });
  });

  it("gives vectors that a caller may change or transfer", async () => {
    const texts = new TextEmbedder(countingEmbedder().embedder);
    const [first, twin] = await texts.embed(["aa", "aa"]);
    first!.fill(9);
    expect(twin![0]).toBe(2);
    expect((await texts.embed(["aa"]))[0]![0]).toBe(2);
  });

  it("tells progress up to all texts, cached and equal ones included", async () => {
    const texts = new TextEmbedder(countingEmbedder().embedder);
    await texts.embed(["a"]);
    const seen: number[] = [];
    await texts.embed(["a", "b", "b", "c"], { onProgress: (done) => seen.push(done) });
    expect(seen).toEqual([1, 4]);
  });

  it("holds no text and no vector after its cache was cleared", async () => {
    const { embedder, seen } = countingEmbedder();
    const texts = new TextEmbedder(embedder);
    await texts.embed(["a"]);
    texts.clearCache();
    expect(texts.status.entries).toBe(0);
    await texts.embed(["a"]);
    expect(seen).toEqual(["a", "a"]);
  });

  it("keeps no vector that was under way when the cache was cleared", async () => {
    const texts = new TextEmbedder(countingEmbedder().embedder);
    const work = texts.embed(["a"]);
    texts.clearCache();
    await work;
    expect(texts.status.entries).toBe(0);
  });

  it("does not start when it was cancelled", async () => {
    const { embedder, seen } = countingEmbedder();
    const work = new TextEmbedder(embedder).embed(["a"], { signal: AbortSignal.abort() });
    await expect(work).rejects.toSatisfy(isAbortError);
    expect(seen).toEqual([]);
  });
});

describe("VectorCache", () => {
  it("stays within its bytes, least recently used first out", () => {
    const cache = new VectorCache(10 * (384 * 4 + 250));
    for (let index = 0; index < 50; index++) {
      cache.set(`${index}`, new Float32Array(384).fill(index));
      cache.get("0");
    }
    expect(cache.status.entries).toBe(10);
    expect(cache.get("0")![0]).toBe(0);
    expect(cache.get("1")).toBeNull();
    expect(cache.get("49")![0]).toBe(49);
  });

  it("tells texts apart that differ in one character", () => {
    expect(VectorCache.keyOf("a")).not.toBe(VectorCache.keyOf("b"));
  });
});
