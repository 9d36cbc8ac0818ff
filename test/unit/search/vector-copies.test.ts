import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { gatherEmbeddings } from "../../../src/engine/embeddings-buffer.ts";
import { quantizeVector } from "../../../src/model/vector.ts";
import { MemoryFileStore, MemoryVolume } from "../../../src/platform/memory/memory-file-store.ts";
import { VectorSearch } from "../../../src/search/vector-index.ts";
import { ArrowStorage } from "../../../src/storage/arrow-storage.ts";
import { sha256Hex } from "../../../src/storage/bytes.ts";
import type { VectorColumn } from "../../../src/storage/memory-store.ts";
import { newMemory } from "./in-memory-store.ts";

const COUNT = 3000;
const DIMENSIONS = 384;

type TypedArrayMethods = Pick<Uint8Array, "set" | "slice" | "copyWithin">;
const prototype = Object.getPrototypeOf(Uint8Array.prototype) as TypedArrayMethods;
const original = { set: prototype.set, slice: prototype.slice, copyWithin: prototype.copyWithin };

afterEach(() => {
  Object.assign(prototype, original);
});

/** Bytes that typed arrays copy while `work` runs, in calls of 64 bytes and more. */
async function copiedBytes(work: () => Promise<void> | void): Promise<number> {
  let bytes = 0;
  const count = (size: number): void => {
    if (size >= 64) bytes += size;
  };
  prototype.set = function (this: Uint8Array, source: ArrayLike<number>, at?: number) {
    count(source.length * this.BYTES_PER_ELEMENT);
    original.set.call(this, source, at);
  };
  prototype.slice = function (this: Uint8Array, from?: number, to?: number) {
    const copy = original.slice.call(this, from, to);
    count(copy.byteLength);
    return copy;
  } as typeof prototype.slice;
  try {
    await work();
  } finally {
    Object.assign(prototype, original);
  }
  return bytes;
}

describe("vectors on their way from a segment", () => {
  let store: ArrowStorage;
  beforeAll(async () => {
    store = await ArrowStorage.open(new MemoryFileStore(new MemoryVolume()));
    const text = "The same note, many times.";
    const contentSha256 = await sha256Hex(text);
    const vector = (seed: number): Float32Array =>
      Float32Array.from({ length: DIMENSIONS }, (_, i) => Math.sin(seed * 13 + i));
    await store.append(
      Array.from({ length: COUNT }, (_, i) => ({
        ...newMemory({ text, timestamp: i, vector: vector(i) }),
        embedding: quantizeVector(vector(i), { fine: true }),
        contentSha256,
      })),
    );
    await store.compact();
    return () => store.close();
  }, 120_000);

  async function columns(): Promise<VectorColumn[]> {
    const all: VectorColumn[] = [];
    for await (const column of store.scanVectors()) all.push(column);
    return all;
  }

  it("are views of the decoded column: no array per row", async () => {
    const all = await columns();
    expect(all.reduce((sum, { ordinals }) => sum + ordinals.length, 0)).toBe(COUNT);
    expect(all.length).toBeLessThan(COUNT / 100);
    for (const { codes, ordinals } of all) {
      expect(codes.length).toBe(ordinals.length * DIMENSIONS);
      // The column's own pages, not a buffer made to measure.
      expect(codes.buffer.byteLength).toBeGreaterThanOrEqual(codes.byteLength);
    }
  });

  it("are copied once into the index", async () => {
    const all = await columns();
    const index = await VectorSearch.create();
    const copied = await copiedBytes(() => {
      for (const column of all) index.setMany(column);
    });
    expect(index.size).toBe(COUNT);
    // Codes, ninth bits and ordinals, each once; the table of slots grows beside them.
    const once = COUNT * (DIMENSIONS + DIMENSIONS / 8 + 4);
    expect(copied).toBeGreaterThanOrEqual(COUNT * DIMENSIONS);
    expect(copied).toBeLessThan(once + COUNT * 8 + 65_536);
  });

  it("are copied once into a buffer of codes", async () => {
    const whole = await copiedBytes(async () => {
      for await (const column of store.scanVectors()) expect(column.dimensions).toBe(DIMENSIONS);
    });
    const copied = await copiedBytes(async () => {
      const found = await gatherEmbeddings(store, { format: "int8" }, null);
      expect(found.ids).toHaveLength(COUNT);
    });
    // Beyond what reading the column takes.
    expect(copied - whole).toBeLessThan(COUNT * (DIMENSIONS + 4) + 65_536);
  });
});
