/** Memories for stores of any size: real sentences as they are, and long texts composed of real paragraphs. */

import { createHash } from "node:crypto";
import { META } from "../../src/model/memory.ts";
import { createMemoryId } from "../../src/model/id.ts";
import { quantizeVector } from "../../src/model/vector.ts";
import type { NewMemory } from "../../src/storage/memory-store.ts";
import { readCorpus } from "../search/corpus.ts";
import { readSentences } from "../search/sentences.ts";
import { newMemory } from "../../test/unit/search/in-memory-store.ts";

const START = Date.UTC(2020, 0, 1);
const DIMENSIONS = 384;

/** Asked of the composed texts. */
export const QUERIES = [
  "the white whale and the ship",
  "peace with foreign nations",
  "mailing list software release",
  "taxes on imported goods",
  "captain on the quarter-deck at night",
  "the treasury and the public debt",
  "unsubscribe from this newsletter",
  "linux kernel patch",
];

/** Seeded, uniform in [0, 1): the same texts and vectors in every run. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

export function seededVector(seed: number): Float32Array {
  const random = seededRandom(seed * 7919 + 17);
  return Float32Array.from({ length: DIMENSIONS }, () => random() - 0.5);
}

function memoryOf(
  text: string,
  index: number,
  fields: { source: string; title: string },
): NewMemory {
  return {
    ...newMemory({
      id: createMemoryId(),
      text,
      summary: text.slice(0, 200),
      timestamp: START + index * 60_000,
      metadata: { [META.source]: fields.source, [META.title]: fields.title, [META.kind]: "prose" },
    }),
    embedding: quantizeVector(seededVector(index)),
    embeddingModel: "seeded",
    contentSha256: createHash("sha256").update(text).digest("hex"),
    originalBytes: Buffer.byteLength(text),
  };
}

/** `count` memories of one sentence each. */
export async function sentenceMemories(count: number): Promise<NewMemory[]> {
  const sentences = await readSentences(count);
  return sentences.map((sentence, i) => memoryOf(sentence.text, i, sentence));
}

/** Memories of about `textBytes` each until they are `totalBytes`, in groups of about 4 MB. */
export async function* composedMemories(
  totalBytes: number,
  textBytes: number,
): AsyncGenerator<NewMemory[]> {
  const corpus = await readCorpus(Infinity, 6000);
  const random = seededRandom(1);
  let made = 0;
  for (let index = 0; made < totalBytes;) {
    const group: NewMemory[] = [];
    for (let size = 0; size < 4_000_000 && made < totalBytes; index++) {
      const parts: string[] = [];
      for (let length = 0; length < textBytes;) {
        const { text } = corpus[Math.floor(random() * corpus.length)]!;
        parts.push(text);
        length += text.length + 2;
      }
      const memory = memoryOf(parts.join("\n\n"), index, {
        source: `volume-${index % 50}.txt`,
        title: `Chapter ${index}`,
      });
      group.push(memory);
      size += memory.originalBytes;
      made += memory.originalBytes;
    }
    yield group;
  }
}
