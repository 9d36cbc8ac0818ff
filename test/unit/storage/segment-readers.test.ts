import { tableFromIPC } from "apache-arrow";
import * as parquetWasm from "parquet-wasm/node";
import { beforeAll, describe, expect, it } from "vitest";
import { MemoryFileStore, MemoryVolume } from "../../../src/platform/memory/memory-file-store.ts";
import { ArrowStorage } from "../../../src/storage/arrow-storage.ts";
import { arrowSchemaMessage, encodeBatch } from "../../../src/storage/arrow-batch.ts";
import { concatBytes } from "../../../src/storage/bytes.ts";
import type { NewMemory } from "../../../src/storage/memory-store.ts";
import { mailBodies, makeMemory, sampleVector } from "./sample-memories.ts";

let memories: NewMemory[];
let segment: Uint8Array;

beforeAll(async () => {
  memories = await Promise.all(
    mailBodies(300).map((body, i) =>
      makeMemory(body, i, i % 3 ? {} : { embedding: sampleVector(i), embeddingModel: "m" }),
    ),
  );
  const volume = new MemoryVolume();
  // Texts as plain columns: coded ones are for our own reader alone.
  const store = await ArrowStorage.open(new MemoryFileStore(volume), {
    level: 3,
    codeTextsFromBytes: 0,
  });
  await store.append(memories);
  await store.compact();
  await store.close();
  segment = [...volume.files].find(([path]) => path.endsWith(".parquet"))![1];
});

describe("the store's files, read by others", () => {
  it("a segment is read by the Rust Parquet implementation with the same values", () => {
    const table = tableFromIPC(parquetWasm.readParquet(segment).intoIPCStream());
    expect(table.numRows).toBe(memories.length);
    expect(table.schema.fields.map((field) => `${field.name}: ${field.type}`)).toEqual([
      "memory_id: Utf8",
      "content: Utf8",
      "envelope: Binary",
      "summary: Utf8",
      "entities: List<Struct<{text:Utf8, type:Utf8, confidence:Float32}>>",
      "embedding: Binary",
      "embedding_scale: Float32",
      "embedding_model: Utf8",
      "timestamp: Int64",
      "recorded_at: Int64",
      "activation_level: Float32",
      "metadata: Map<{key:Utf8, value:Utf8}>",
      "user_id: Utf8",
      "keep: Utf8",
      "mode: Utf8",
      "model: Utf8",
      "quality: Struct<{similarity:Float64, coverage:Float64, entity_recall:Float64, number_recall:Float64, faithfulness:Float64}>",
      "episode_id: Utf8",
      "previous_id: Utf8",
      "next_id: Utf8",
      "supersedes: Utf8",
      "superseded_by: Utf8",
      "valid_from: Int64",
      "valid_to: Int64",
      "content_sha256: Utf8",
      "original_bytes: Int64",
      "stored_bytes: Int64",
      "ordinal: Int32",
      "embedding_fine: Binary",
    ]);
    memories.forEach((memory, i) => {
      const row = table.get(i)!.toJSON();
      expect(row.memory_id).toBe(memory.id);
      expect(row.content).toBe(memory.content);
      expect(row.timestamp).toBe(BigInt(memory.timestamp));
      expect(row.envelope).toBeNull();
      expect(Object.fromEntries(row.metadata as Iterable<[string, string]>)).toEqual(
        memory.metadata,
      );
      const codes = row.embedding as Uint8Array | null;
      expect(codes && new Int8Array(codes.slice().buffer)).toEqual(memory.embedding?.codes ?? null);
    });
  });

  it("holds no text in its footer: statistics are of times only", () => {
    const footer = Buffer.from(segment.subarray(segment.length - 4000)).toString("latin1");
    const words = new Set(
      memories.flatMap((memory) => memory.content!.match(/[A-Za-z]{12,}/g) ?? []),
    );
    const names =
      /embedding|confidence|activation|metadata|entities|similarity|faithfulness|superseded|compression/;
    for (const word of words)
      if (!names.test(word.toLowerCase())) expect(footer).not.toContain(word);
  });

  it("journal batches behind the schema message are one Arrow stream", () => {
    const rows = memories.map((memory, ordinal) => ({ ...memory, ordinal, storedBytes: 0 }));
    const end = Uint8Array.of(255, 255, 255, 255, 0, 0, 0, 0);
    const stream = concatBytes([
      arrowSchemaMessage(),
      encodeBatch(rows.slice(0, 100)),
      encodeBatch(rows.slice(100)),
      end,
    ]);
    const table = tableFromIPC(stream);
    expect(table.batches.length).toBe(2);
    expect(table.numRows).toBe(300);
    expect(table.getChild("content")!.get(299)).toBe(memories[299]!.content);
  });
});
