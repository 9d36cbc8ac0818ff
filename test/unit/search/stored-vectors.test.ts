import { afterEach, describe, expect, it, vi } from "vitest";
import { quantizeVector } from "../../../src/model/vector.ts";
import { SearchService } from "../../../src/search/search-service.ts";
import type { IndexRow, VectorColumn } from "../../../src/storage/memory-store.ts";
import { InMemoryStore } from "./in-memory-store.ts";

/** A unit vector along one axis. */
const axis = (at: number): Float32Array =>
  Float32Array.from({ length: 384 }, (_, i) => +(i === at));

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** A store whose vectors are read when the gate opens, as they were before. */
class SlowVectors extends InMemoryStore {
  open: () => void = () => undefined;
  fail: Error | null = null;
  readonly #gate = new Promise<void>((resolve) => (this.open = resolve));

  /** Rows come without their vectors, as from a file. */
  override async *scan(options?: { ordinals?: Iterable<number> }): AsyncGenerator<IndexRow[]> {
    for await (const rows of super.scan(options))
      yield rows.map((row) => ({ ...row, embedding: null }));
  }

  override async *scanVectors(): AsyncGenerator<VectorColumn> {
    const columns: VectorColumn[] = [];
    for await (const column of super.scanVectors()) columns.push(column);
    await this.#gate;
    if (this.fail) throw this.fail;
    for (const column of columns) {
      // Longer than loading keeps a turn for itself.
      await sleep(10);
      yield column;
    }
  }
}

const TEXTS = ["The boat was painted green.", "A kettle boiled.", "Rain fell all night."];

async function open(): Promise<{ store: SlowVectors; service: SearchService; ids: string[] }> {
  const store = new SlowVectors();
  const entries = await store.add(
    ...TEXTS.map((text, i) => ({ text, timestamp: i, vector: axis(i) })),
  );
  const service = await SearchService.open(store);
  // Its scan has begun: it reads the vectors as they are now.
  await sleep(5);
  return { store, service, ids: entries.map(({ id }) => id) };
}

const meaning = (at: number) => ({ embedQuery: () => Promise.resolve(axis(at)) });

describe("vectors after opening", () => {
  afterEach(() => vi.restoreAllMocks());

  it("aren't waited for by a question that goes by words", async () => {
    const { store, service } = await open();
    expect(service.areVectorsLoaded).toBe(false);
    expect(service.vectorIndex.size).toBe(0);
    const byWords = await service.recall(
      { query: "boat" },
      { embedQuery: () => Promise.resolve(null) },
    );
    expect(byWords.hits[0]!.memory.summary).toBe(TEXTS[0]);
    expect(byWords.signals).not.toContain("semantic");
    expect(service.areVectorsLoaded).toBe(false);
    store.open();
    await service.vectorsLoaded();
    expect(service.areVectorsLoaded).toBe(true);
    expect(service.vectorIndex.size).toBe(3);
    await service.close();
  });

  it("are waited for by a question that goes by meaning", async () => {
    const { store, service } = await open();
    const asked = service.recall({ query: "something wet" }, meaning(2));
    setTimeout(() => store.open(), 20);
    const { hits, signals } = await asked;
    expect(signals).toContain("semantic");
    expect(hits[0]!.memory.summary).toBe(TEXTS[2]);
    await service.close();
  });

  it("give way to a question under way", async () => {
    const { store, service } = await open();
    let giveTexts: () => void = () => undefined;
    const texts = new Promise<void>((resolve) => (giveTexts = resolve));
    const summaries = store.getSummaries.bind(store);
    vi.spyOn(store, "getSummaries").mockImplementation(async (ordinals) => {
      await texts;
      return summaries(ordinals);
    });
    const asked = service.recall({ query: "boat" });
    store.open();
    await sleep(60);
    expect(service.vectorIndex.size).toBe(1);
    giveTexts();
    expect((await asked).hits).toHaveLength(1);
    await service.vectorsLoaded();
    expect(service.vectorIndex.size).toBe(3);
    await service.close();
  });

  it("come while a question waits for the model", async () => {
    const { store, service } = await open();
    let giveVector: (vector: Float32Array) => void = () => undefined;
    const model = new Promise<Float32Array>((resolve) => (giveVector = resolve));
    const asked = service.recall({ query: "something wet" }, { embedQuery: () => model });
    store.open();
    // Not `vectorsLoaded`, which hurries them on itself.
    await vi.waitFor(() => expect(service.vectorIndex.size).toBe(3));
    giveVector(axis(2));
    expect((await asked).hits[0]!.memory.summary).toBe(TEXTS[2]);
    await service.close();
  });

  it("don't bring back what was forgotten or embedded anew on the way", async () => {
    const { store, service, ids } = await open();
    await store.forget([ids[0]!]);
    await store.setEmbeddings([{ id: ids[1]!, embedding: quantizeVector(axis(300)) }]);
    store.open();
    await service.vectorsLoaded();
    const { vectorIndex } = service;
    expect(vectorIndex.size).toBe(2);
    expect(vectorIndex.has(0)).toBe(false);
    expect(vectorIndex.search(axis(300), { limit: 1 })[0]).toMatchObject({ ordinal: 1 });
    expect(vectorIndex.scores(axis(1), [1])[0]).toBeCloseTo(0, 2);
    await service.close();
  });

  it("keep those of memories whose fields changed on the way, not of those whose text went", async () => {
    const { store, service, ids } = await open();
    await store.patch(ids[0]!, { metadata: { speaker: "Rosa" } });
    await store.patch(ids[1]!, { keep: "gist" });
    store.open();
    await service.vectorsLoaded();
    expect([0, 1, 2].map((ordinal) => service.vectorIndex.has(ordinal))).toEqual([
      true,
      false,
      true,
    ]);
    await service.close();
  });

  it("leave a search by words where they can't be read, and say why", async () => {
    const told = vi.spyOn(console, "error").mockImplementation(() => undefined);
    const { store, service } = await open();
    store.fail = new Error("The disk is gone.");
    store.open();
    await expect(service.vectorsLoaded()).rejects.toThrow("The disk is gone.");
    expect(service.areVectorsLoaded).toBe(false);
    expect(told).toHaveBeenCalledOnce();
    const { hits, signals } = await service.recall({ query: "boat" }, meaning(0));
    expect(hits[0]!.memory.summary).toBe(TEXTS[0]);
    expect(signals).not.toContain("semantic");
    await service.close();
  });

  it("stop where the search is closed on the way", async () => {
    const { store, service } = await open();
    const closing = service.close();
    store.open();
    await closing;
    expect(service.vectorIndex.size).toBe(0);
  });
});
