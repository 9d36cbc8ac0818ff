import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { exportMemories } from "../../../../src/storage/interchange/export.ts";
import { readExport, recognizeExport } from "../../../../src/storage/interchange/import.ts";
import type { PortableMemory } from "../../../../src/storage/interchange/portable-memory.ts";
import { arbitraryMemory, collect, inBatches, withHashes } from "./portable-memories.ts";

async function roundTrip(
  format: "parquet" | "jsonl",
  memories: PortableMemory[],
): Promise<PortableMemory[]> {
  const files = await collect(exportMemories(format, inBatches(memories)));
  const read: PortableMemory[] = [];
  for (const { path, bytes } of files) {
    const file = { path, blob: new Blob([bytes as Uint8Array<ArrayBuffer>]) };
    expect(await recognizeExport(file)).toBe(format);
    for (const batch of await collect(readExport(file))) read.push(...batch);
  }
  return read;
}

describe("an export read back", () => {
  it("is the same from Parquet, for any well-formed text", async () => {
    const memory = arbitraryMemory(fc.string({ unit: "binary", maxLength: 40 }));
    await fc.assert(
      fc.asyncProperty(fc.array(memory, { minLength: 1, maxLength: 12 }), async (generated) => {
        const memories = await withHashes(generated);
        expect(await roundTrip("parquet", memories)).toEqual(memories);
      }),
      { numRuns: 25 },
    );
  });

  it("is the same from JSONL, for any text, lone surrogates included", async () => {
    const text = fc.string({
      unit: fc.integer({ min: 0, max: 0xffff }).map((unit) => String.fromCharCode(unit)),
      maxLength: 40,
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(arbitraryMemory(text), { minLength: 1, maxLength: 12 }),
        async (generated) => {
          const memories = await withHashes(generated);
          expect(await roundTrip("jsonl", memories)).toEqual(memories);
        },
      ),
      { numRuns: 25 },
    );
  });

  it.each(["parquet", "jsonl"] as const)("keeps hard texts whole in %s", async (format) => {
    const [template] = await withHashes(
      fc.sample(arbitraryMemory(fc.constant("x")), { numRuns: 1, seed: 7 }),
    );
    const texts = [
      "",
      "\ufeffBOM first",
      "NUL \0 inside",
      "a\r\nb\rc\u2028d",
      "שלום 👩‍👩‍👧 e\u0301",
      "x".repeat(3_000_000),
    ];
    const memories = await withHashes(
      texts.map((content, index) => ({
        ...template!,
        id: `${index}`,
        content,
        summary: content.slice(0, 50),
      })),
    );
    expect(await roundTrip(format, memories)).toEqual(memories);
  });

  it("spans several files of bounded size", async () => {
    const [template] = await withHashes(
      fc.sample(arbitraryMemory(fc.constant("x")), { numRuns: 1, seed: 3 }),
    );
    const memories = Array.from({ length: 50_050 }, (_, index) => ({
      ...template!,
      id: `m${index}`,
      embedding: null,
    }));
    for (const format of ["parquet", "jsonl"] as const) {
      const files = await collect(exportMemories(format, inBatches(memories, 999)));
      expect(files.map((file) => file.path)).toEqual([
        `memories-0001.${format}`,
        `memories-0002.${format}`,
      ]);
      const second = { path: "b", blob: new Blob([files[1]!.bytes as Uint8Array<ArrayBuffer>]) };
      const rows = (await collect(readExport(second))).flat();
      expect(rows.map((row) => row.id)).toEqual(memories.slice(50_000).map((row) => row.id));
    }
  });

  it("may be empty", async () => {
    expect(await roundTrip("parquet", [])).toEqual([]);
    const [file] = await collect(exportMemories("jsonl", inBatches<PortableMemory>([])));
    expect(file!.bytes.length).toBe(0);
  });

  it("stops when it is cancelled", async () => {
    const controller = new AbortController();
    controller.abort();
    const memories = fc.sample(arbitraryMemory(fc.string()), 3);
    const run = collect(
      exportMemories("jsonl", inBatches(memories), { signal: controller.signal }),
    );
    await expect(run).rejects.toMatchObject({ name: "AbortError" });
  });

  it("carries vectors as numbers, or none, when asked", async () => {
    const memories = await withHashes(
      fc.sample(arbitraryMemory(fc.string()), { numRuns: 4, seed: 1 }).map((memory) => ({
        ...memory,
        embedding: { codes: new Int8Array(384).fill(127, 0, 9), scale: Math.fround(0.01) },
      })),
    );
    const [floats] = await collect(
      exportMemories("jsonl", inBatches(memories), { embeddings: "floats" }),
    );
    const blob = new Blob([floats!.bytes as Uint8Array<ArrayBuffer>]);
    const read = (await collect(readExport({ path: "a", blob }))).flat();
    expect(read.map((row) => row.embedding)).toMatchObject(memories.map((row) => row.embedding));
    const [none] = await collect(
      exportMemories("jsonl", inBatches(memories), { embeddings: "none" }),
    );
    expect(new TextDecoder().decode(none!.bytes)).not.toContain('"codes"');
  });
});
