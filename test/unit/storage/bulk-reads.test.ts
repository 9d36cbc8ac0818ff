import { beforeEach, describe, expect, it } from "vitest";
import { quantizeVector, type QuantizedVector } from "../../../src/model/vector.ts";
import { MemoryFileStore, MemoryVolume } from "../../../src/platform/memory/memory-file-store.ts";
import { ArrowStorage } from "../../../src/storage/arrow-storage.ts";
import type { IndexRow } from "../../../src/storage/memory-store.ts";
import { makeMemories, sampleVector } from "./sample-memories.ts";

let volume: MemoryVolume;
let store: ArrowStorage;
const open = () => ArrowStorage.open(new MemoryFileStore(volume), { level: 4, backgroundLevel: 3 });

/** Counts what is read of segments. */
class CountingFiles extends MemoryFileStore {
  reads = 0;

  override async read(...args: Parameters<MemoryFileStore["read"]>): Promise<Uint8Array> {
    if (args[0].startsWith("segments/")) this.reads++;
    return super.read(...args);
  }
}

beforeEach(async () => {
  volume = new MemoryVolume();
  store = await open();
  return () => store.close();
});

async function vectors(): Promise<Map<number, { vector: QuantizedVector; model: string }>> {
  const found = new Map<number, { vector: QuantizedVector; model: string }>();
  for await (const run of store.scanVectors())
    run.ordinals.forEach((ordinal, i) => {
      const [from, to] = [i * run.dimensions, (i + 1) * run.dimensions];
      const bits = (run.dimensions + 7) >> 3;
      expect(found.has(ordinal)).toBe(false);
      found.set(ordinal, {
        model: run.model,
        vector: {
          codes: run.codes.slice(from, to),
          scale: run.scales[i]!,
          ...(run.fine ? { fine: run.fine.slice(i * bits, (i + 1) * bits) } : {}),
        },
      });
    });
  return found;
}

async function scan(options?: Parameters<ArrowStorage["scan"]>[0]): Promise<IndexRow[]> {
  const rows: IndexRow[] = [];
  for await (const batch of store.scan(options)) rows.push(...batch);
  return rows;
}

/** Forty memories; every fifth without a vector, some with other forms of it, changes, one forgotten. */
async function fill(): Promise<string[]> {
  const memories = await makeMemories(
    Array.from({ length: 40 }, (_, i) => `Note ${i} of the tide.`),
  );
  const plain = quantizeVector(
    Float32Array.from({ length: 384 }, (_, i) => Math.cos(i)),
    { fine: false },
  );
  memories.forEach((memory, i) => {
    if (i % 5 === 0) return;
    memory.embedding =
      i === 7 ? plain : i === 8 ? { ...sampleVector(8), fine: undefined! } : sampleVector(i);
    if (!memory.embedding.fine) delete memory.embedding.fine;
    memory.embeddingModel = i === 9 ? "other" : "minilm";
  });
  await store.append(memories);
  await store.forget([memories[11]!.id]);
  await store.setEmbeddings([{ id: memories[12]!.id, embedding: sampleVector(99) }], "minilm");
  return memories.map(({ id }) => id);
}

describe("bulk reads", () => {
  it("give every live vector once, with its finer bits and model, from journal and segments", async () => {
    await fill();
    const inJournal = await vectors();
    const rows = new Map((await scan()).map((row) => [row.ordinal, row]));
    expect(inJournal.size).toBe(31);
    for (const [ordinal, { vector, model }] of inJournal) {
      expect(vector).toEqual(rows.get(ordinal)!.embedding);
      expect(model).toBe(store.catalog.byOrdinal(ordinal)!.embeddingModel);
    }
    await store.sqlSources();
    expect(await vectors()).toEqual(inJournal);
    await store.close();
    store = await open();
    expect(await vectors()).toEqual(inJournal);
    await store.compact();
    expect(await vectors()).toEqual(inJournal);
  });

  it("give the vectors of a whole row group as a view, with no copy per row", async () => {
    const memories = await makeMemories(Array.from({ length: 500 }, (_, i) => `Note ${i}.`));
    memories.forEach((memory, i) => {
      memory.embedding = sampleVector(i);
      memory.embeddingModel = "minilm";
    });
    await store.append(memories);
    await store.sqlSources();
    const runs: number[] = [];
    for await (const run of store.scanVectors()) {
      runs.push(run.ordinals.length);
      // Codes and the page that they were decoded from are one buffer.
      expect(run.codes.byteLength).toBe(500 * 384);
      expect(run.codes.buffer.byteLength).toBeGreaterThan(run.codes.byteLength);
      expect(run.codes.byteOffset).toBeGreaterThan(0);
      expect(run.fine!.byteLength).toBe(500 * 48);
    }
    expect(runs).toEqual([500]);
  });

  it("scan the rows that are asked for, and only the columns that are", async () => {
    const ids = await fill();
    await store.sqlSources();
    const all = await scan();
    expect(all).toHaveLength(39);
    for (const few of [[3, 17], all.map(({ ordinal }) => ordinal).slice(4, 30), [11, 3]]) {
      const rows = await scan({ ordinals: few });
      expect(rows).toEqual(all.filter(({ ordinal }) => few.includes(ordinal)));
    }
    const texts = await scan({ columns: ["content"] });
    expect(texts.map(({ content }) => content)).toEqual(all.map(({ content }) => content));
    expect(texts.every(({ embedding, summary }) => embedding === null && summary === "")).toBe(
      true,
    );
    expect(ids).toHaveLength(40);
  });

  it("go on through a compaction that moves the rows under them", async () => {
    const memories = await makeMemories(Array.from({ length: 3000 }, (_, i) => `Note ${i}.`));
    await store.append(memories.slice(0, 1500));
    await store.sqlSources();
    await store.append(memories.slice(1500));
    const seen = new Set<string>();
    let first = true;
    for await (const rows of store.scan()) {
      for (const { id, content } of rows) {
        seen.add(id);
        expect(content).toMatch(/^Note \d+\.$/);
      }
      if (first) await store.compact();
      first = false;
    }
    expect(seen.size).toBe(3000);
  });

  it("give whole memories oldest first, and decode each page a few times though the files lie across that order", async () => {
    const text = (i: number) =>
      `Note ${i}: ${"the tide comes in, the tide goes out. ".repeat(140)}`;
    const memories = await makeMemories(Array.from({ length: 1800 }, (_, i) => text(i)));
    memories.forEach((memory, i) => {
      if (i % 3 === 0) Object.assign(memory, { embedding: sampleVector(i), embeddingModel: "a" });
    });
    await store.append(memories.filter((_memory, i) => i % 2 === 1));
    await store.sqlSources();
    await store.append(memories.filter((_memory, i) => i % 2 === 0 && i < 1700));
    await store.sqlSources();
    await store.append(memories.filter((_memory, i) => i % 2 === 0 && i >= 1700));
    await store.close();
    const files = new CountingFiles(volume);
    // Room for the texts of one row group, and time goes back and forth between two.
    store = await ArrowStorage.open(files, { cacheBytes: 3_000_000, compactAtRows: 0 });
    expect(store.segments()).toHaveLength(2);
    files.reads = 0;
    let next = 0;
    for await (const batch of store.scanMemories()) {
      for (const memory of batch) {
        const i = next++;
        expect(memory.content).toBe(text(i));
        expect(memory.embedding).toEqual(i % 3 === 0 ? sampleVector(i) : null);
        // What goes meanwhile isn't given any more.
        if (i === 100) await store.forget([memories[1000]!.id, memories[1799]!.id]);
        if (next === 1000) next++;
      }
    }
    expect(next).toBe(1799);
    expect(files.reads).toBeLessThan(40);
  });

  it("read one memory without the vectors of its neighbours", async () => {
    await fill();
    await store.sqlSources();
    await store.close();
    const files = new CountingFiles(volume);
    store = await ArrowStorage.open(files);
    const [, , third] = [...store.catalog.entries()];
    const { embedded, ...memory } = await store.read(third!.id);
    const reads = files.reads;
    const { embedding, ...whole } = await store.get(third!.id);
    expect(memory).toEqual(whole);
    expect([embedded, embedding !== null]).toEqual([true, true]);
    // Only what `get` adds is read now: the columns of vectors.
    expect(files.reads).toBe(reads + 1);
  });
});
