/** Memories for export and import tests: generated ones with every field, and real speeches. */

import fc from "fast-check";
import { ENTITY_TYPES } from "../../../../src/model/memory.ts";
import { EMBEDDING_DIMENSIONS } from "../../../../src/model/vector.ts";
import type { PortableMemory } from "../../../../src/storage/interchange/portable-memory.ts";

export async function sha256Hex(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return Buffer.from(digest).toString("hex");
}

/** -0 is no value of these fields. */
const positive = (value: number): number => value + 0;
const float32 = fc.float({ min: 0, max: 1, noNaN: true }).map(positive);
const share = fc.double({ min: 0, max: 1, noNaN: true }).map(positive);
const time = fc.integer({ min: -8.64e15, max: 8.64e15 });
const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: null });
const uuid = fc.uuid({ version: 7 });

/** `text` makes the strings: well-formed ones where the format is UTF-8, any where it isn't. */
export function arbitraryMemory(text: fc.Arbitrary<string>): fc.Arbitrary<PortableMemory> {
  const bits = EMBEDDING_DIMENSIONS / 8;
  const embedding = fc.record(
    {
      codes: fc.int8Array({
        min: -127,
        max: 127,
        minLength: EMBEDDING_DIMENSIONS,
        maxLength: EMBEDDING_DIMENSIONS,
      }),
      scale: fc.float({ min: Math.fround(1e-6), max: 1, noNaN: true }),
      fine: fc.uint8Array({ minLength: bits, maxLength: bits }),
    },
    { requiredKeys: ["codes", "scale"] },
  );
  const memory = fc.record<PortableMemory>({
    id: uuid,
    content: optional(text),
    envelope: optional(fc.uint8Array({ maxLength: 50 })),
    summary: text,
    entities: fc.array(
      fc.record({ text, type: fc.constantFrom(...ENTITY_TYPES), confidence: float32 }),
      { maxLength: 4 },
    ),
    embedding: optional(embedding),
    embeddingModel: optional(text),
    timestamp: time,
    recordedAt: time,
    activation: float32,
    metadata: fc
      .array(
        fc.tuple(
          text.filter((key) => key !== "__proto__"),
          text,
        ),
        { maxLength: 4 },
      )
      .map((entries) => Object.fromEntries(entries)),
    userId: fc.string({ minLength: 1, unit: "binary" }),
    keep: fc.constantFrom("exact", "summary", "gist"),
    mode: fc.constantFrom("fast", "balanced", "high"),
    model: text,
    quality: fc.record({
      similarity: optional(share),
      coverage: optional(share),
      entityRecall: share,
      numberRecall: share,
      faithfulness: share,
    }),
    episodeId: optional(uuid),
    previousId: optional(uuid),
    nextId: optional(uuid),
    supersedes: optional(uuid),
    supersededBy: optional(uuid),
    validFrom: optional(time),
    validTo: optional(time),
    contentSha256: fc.constant("0".repeat(64)),
    originalBytes: fc.nat(),
    storedBytes: fc.nat(),
  });
  return memory.map((value) => (value.content === null ? { ...value, keep: "summary" } : value));
}

/** The same with the true SHA-256, as storage keeps it. */
export async function withHashes(memories: readonly PortableMemory[]): Promise<PortableMemory[]> {
  return Promise.all(
    memories.map(async (memory) =>
      memory.content === null
        ? memory
        : { ...memory, contentSha256: await sha256Hex(memory.content) },
    ),
  );
}

export interface Speech {
  text: string;
  name: string;
  year: number;
}

/** Real addresses, a few sentences to a memory, oldest first, one thread per address. */
export async function speechMemories(speeches: readonly Speech[]): Promise<PortableMemory[]> {
  const memories: PortableMemory[] = [];
  for (const { text, name, year } of speeches) {
    let previous: PortableMemory | null = null;
    const paragraphs = text.match(/\S(?:[^.!?]*[.!?]+\s+){1,5}/g) ?? [text];
    for (const [index, content] of paragraphs.entries()) {
      const bytes = new TextEncoder().encode(content).length;
      const memory: PortableMemory = {
        id: `01890000-0000-7000-8000-${String(memories.length).padStart(12, "0")}`,
        content,
        envelope: null,
        summary: content.slice(0, 120),
        entities: Array.from(new Set(content.match(/\b[A-Z][a-z]{3,}\b/g) ?? []), (word) => ({
          text: word,
          type: "person" as const,
          confidence: 0.5,
        })),
        embedding: {
          codes: Int8Array.from(
            { length: EMBEDDING_DIMENSIONS },
            (_, i) => ((i * (index + 3)) % 255) - 127,
          ),
          scale: Math.fround(0.002),
        },
        embeddingModel: "test-vectors",
        timestamp: Date.UTC(year, 0, 8, 12) + index * 60_000,
        recordedAt: Date.UTC(2024, 0, 1),
        activation: 1,
        metadata: {
          source: "sotu",
          title: `Address of ${year}`,
          speaker: name,
          thread: `${name} ${year}`,
          kind: "prose",
        },
        userId: "local",
        keep: "exact",
        mode: "fast",
        model: "extractive",
        quality: {
          similarity: 0.9,
          coverage: 0.8,
          entityRecall: 0.75,
          numberRecall: 1,
          faithfulness: 1,
        },
        episodeId: null,
        previousId: previous?.id ?? null,
        nextId: null,
        supersedes: null,
        supersededBy: null,
        validFrom: null,
        validTo: null,
        contentSha256: await sha256Hex(content),
        originalBytes: bytes,
        storedBytes: Math.ceil(bytes / 3),
      };
      if (previous) previous.nextId = memory.id;
      memories.push(memory);
      previous = memory;
    }
  }
  return memories;
}

export async function* inBatches<T>(items: readonly T[], size = 7): AsyncGenerator<T[]> {
  for (let i = 0; i < items.length; i += size) yield items.slice(i, i + size);
}

export async function collect<T>(source: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of source) items.push(item);
  return items;
}
