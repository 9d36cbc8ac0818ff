/** The embedding model's network exchanged for a variant, with real networks of the tiny BERT. */

import { afterEach, expect, it } from "vitest";
import { createEngine } from "../../../src/create-engine.ts";
import type { Engine } from "../../../src/engine.ts";
import { EMBEDDING_DIMENSIONS } from "../../../src/model/vector.ts";
import { MemoryFileStore } from "../../../src/platform/memory/memory-file-store.ts";
import { noEmbedder } from "../../../src/platform/memory/no-embedder.ts";
import type { EmbedderProvider } from "../../../src/ports/embedder.ts";
import {
  VariantFolder,
  variantId,
  type FolderFiles,
} from "../../../src/processing/embedding/variant-folder.ts";

/** A folder in memory. */
function memoryFiles(): FolderFiles {
  const files = new Map<string, Uint8Array>();
  return {
    folders: async () => [...new Set([...files.keys()].filter((p) => p.includes("/")).map((p) => p.split("/")[0]!))],
    read: async (path) => files.get(path) ?? null,
    write: async (path, bytes) => void files.set(path, bytes),
    removeFolder: async (name) => {
      for (const path of files.keys()) if (path.startsWith(`${name}/`)) files.delete(path);
    },
  }; // prettier-ignore
}

/** Hashed words as vectors, turned by the bytes of the network: what one makes the other can't read. */
function provider(): EmbedderProvider & { variants: VariantFolder } {
  const variants = new VariantFolder(memoryFiles());
  return {
    ...noEmbedder,
    variants,
    async load() {
      const chosen = await variants.chosen();
      const found = chosen === null ? null : await variants.readNetwork(chosen).catch(() => null);
      if (chosen !== null && found === null) return null;
      const turn = found?.network[0] ?? 0;
      return {
        info: {
          id: found === null ? "fetched@00000000" : variantId(found.variant),
          dimensions: EMBEDDING_DIMENSIONS,
          maxTokens: 256,
          backend: "test",
          threads: 1,
        },
        embed: async (texts) =>
          texts.map((text) => {
            const vector = new Float32Array(EMBEDDING_DIMENSIONS);
            for (const word of text.toLowerCase().match(/\p{L}+/gu) ?? [])
              vector[([...word].reduce((sum, c) => sum * 31 + c.charCodeAt(0), 7) + turn) % 384]! += 1;
            const length = Math.hypot(...vector) || 1;
            return vector.map((value) => value / length);
          }),
        countTokens: (text) => text.split(" ").length,
        close: async () => undefined,
      };
    },
  }; // prettier-ignore
}

let engine: Engine;
afterEach(() => engine.close());

const variant = (name: string) => ({
  name,
  label: "INT8 products",
  base: "all-MiniLM-L6-v2",
  settings: { bits: 8 },
  quality: null,
  builtAt: "2026-01-01T00:00:00.000Z",
});

it("keeps vectors apart by the network that made them, until they are made again", async () => {
  engine = await createEngine({
    fileStore: new MemoryFileStore(),
    embedder: provider(),
    sql: () => Promise.reject(new Error("not asked")),
  });
  await engine.remember([
    { text: "The ferry to Bergen leaves from the south pier at nine in the morning." },
    { text: "Ingrid keeps the keys of the boat house under the green bench." },
  ]);
  const semantic = async (query: string) =>
    (await engine.recall({ query })).hits.map(({ score }) => score.semantic);
  expect(Math.max(...(await semantic("ferry to Bergen")))).toBeGreaterThan(0);

  await engine.embedders.install(variant("fast"), Uint8Array.of(17, 2, 3));
  await engine.embedders.use("fast");
  // Found by words; vectors of the other network take no part.
  const [found] = (await engine.recall({ query: "ferry to Bergen" })).hits;
  expect(found!.snippet).toContain("south pier");
  expect(Math.max(...(await semantic("ferry to Bergen")))).toBe(0);
  expect((await engine.status()).embeddings.pendingCount).toBe(2);

  expect(await engine.embedMissing()).toBe(2);
  expect(Math.max(...(await semantic("ferry to Bergen")))).toBeGreaterThan(0);
  const [, fast] = await engine.embedders.list();
  expect(fast).toMatchObject({ name: "fast", isChosen: true, vectorCount: 2 });

  const { sentencesPerSecond } = await engine.embedders.measure();
  expect(sentencesPerSecond).toBeGreaterThan(0);
  expect((await engine.embedders.list())[1]!.sentencesPerSecond).toBe(sentencesPerSecond);

  // Removing the one in use leads back to the fetched network.
  await engine.embedders.remove("fast");
  expect((await engine.embedders.list()).map(({ name, isChosen }) => [name, isChosen])).toEqual([
    [null, true],
  ]);
  expect((await engine.recall({ query: "keys of the boat house" })).hits.length).toBeGreaterThan(0);
});

it("goes back to the network before when another one doesn't work", async () => {
  const embedder = provider();
  const { load } = embedder;
  engine = await createEngine({
    fileStore: new MemoryFileStore(),
    embedder: {
      ...embedder,
      load: async () => {
        const loaded = (await load.call(embedder))!;
        const short = (await embedder.variants.chosen()) === "short";
        return short ? { ...loaded, embed: async () => [new Float32Array(64)] } : loaded;
      },
    },
    sql: () => Promise.reject(new Error("not asked")),
  });
  await engine.embedders.install(variant("short"), Uint8Array.of(1));
  await expect(engine.embedders.use("short")).rejects.toMatchObject({ code: "model_failed" });
  expect((await engine.embedders.list()).map(({ isChosen }) => isChosen)).toEqual([true, false]);
});

it("says when a network can't be chosen", async () => {
  engine = await createEngine({
    fileStore: new MemoryFileStore(),
    embedder: noEmbedder,
    sql: () => Promise.reject(new Error("not asked")),
  });
  await expect(engine.embedders.use("fast")).rejects.toMatchObject({ code: "unsupported_input" });
  await expect(engine.embedders.measure()).rejects.toMatchObject({ code: "model_missing" });
  expect(await engine.embedders.list()).toHaveLength(1);
});
