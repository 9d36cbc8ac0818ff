import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createEngine } from "../../../src/create-engine.ts";
import type { Engine } from "../../../src/engine.ts";
import type { MemoryInput } from "../../../src/model/memory.ts";
import { MemoryFileStore } from "../../../src/platform/memory/memory-file-store.ts";

/** A model that must not be asked for. */
const noModel = {
  load: () => Promise.reject(new Error("The model was loaded.")),
  state: () => Promise.reject(new Error("The model was asked for.")),
};

const vectorOf = (seed: number, length = 3) =>
  Float32Array.from({ length: 384 }, (_, i) => length * Math.sin(seed + i * i));

let engine: Engine;
beforeEach(async () => {
  engine = await createEngine({
    fileStore: new MemoryFileStore(),
    embedder: noModel,
    sql: () => Promise.reject(new Error("SQL isn't used here.")),
  });
});
afterEach(() => engine.close());

const note = (i: number, change: Partial<MemoryInput> = {}): MemoryInput => ({
  text: `The ferry number ${i} leaves at ${i % 24} o'clock.`,
  embedding: { model: "minilm", vector: vectorOf(i) },
  ...change,
});

describe("inputs that bring their vector", () => {
  it("are stored as they are, in order, without a model, and found by it", async () => {
    const items = Array.from({ length: 3000 }, (_, i) => note(i));
    const receipts = await engine.remember(items);
    expect(receipts.map(({ index }) => index)).toEqual(items.map((_, i) => i));
    expect(receipts.every(({ status }) => status === "stored")).toBe(true);
    const { text, quality, memory } = await engine.read(receipts[2500]!.id!);
    expect(text).toBe(items[2500]!.text);
    expect(memory).toMatchObject({ model: "verbatim", embedded: true, embeddingModel: "minilm" });
    expect(quality.faithfulness).toBe(1);
    const found = await engine.getEmbeddingsBuffer({ ids: [receipts[7]!.id!] });
    if (found.format !== "float32") throw new Error("another format");
    const given = vectorOf(7);
    const norm = Math.hypot(...given);
    const error = Math.max(
      ...given.map((value, i) => Math.abs(value / norm - found.embeddings[i]!)),
    );
    expect(error).toBeLessThan(0.001);
    const { hits } = await engine.recall({ query: "ferry 2999" });
    expect(hits[0]!.memory.id).toBe(receipts[2999]!.id);
  });

  it("take plain numbers and given names, and are known again", async () => {
    const item = note(1, {
      timestamp: 5,
      embedding: { model: "minilm", vector: [...vectorOf(1)] },
      entities: [{ text: "Ann Berg", type: "person", confidence: 0.9 }],
    });
    const [first] = await engine.remember([item]);
    expect((await engine.read(first!.id!)).memory.entities).toEqual([
      { text: "Ann Berg", type: "person", confidence: expect.closeTo(0.9) as number },
    ]);
    expect((await engine.remember([item]))[0]).toMatchObject({
      status: "duplicate",
      id: first!.id,
    });
  });

  it("of longer texts are summarised, still without a model", async () => {
    const text = "The harbour opens in May. The ferry goes twice a day. ".repeat(60);
    const [receipt] = await engine.remember([note(1, { text })]);
    expect(receipt).toMatchObject({ status: "stored", keep: "exact", model: "extractive" });
    const { memory } = await engine.read(receipt!.id!);
    expect(memory.embedded).toBe(true);
    expect(memory.summary.length).toBeLessThan(text.length / 4);
  });

  it("fail one by one where the vector can't be used, and say why", async () => {
    const wrong = (vector: Float32Array | number[]) =>
      note(1, { embedding: { model: "m", vector } });
    const receipts = await engine.remember([
      wrong([1, 2, 3]),
      wrong(new Float32Array(384)),
      wrong(vectorOf(1).fill(NaN, 3, 4)),
      wrong(vectorOf(1).fill(Infinity, 3, 4)),
      note(1, { embedding: { model: "", vector: vectorOf(1) } }),
      note(1, { embedding: { model: "m", vector: "abc" as unknown as number[] } }),
      wrong(["x", ...vectorOf(1).slice(1)] as number[]),
      note(2),
    ]);
    expect(receipts.map(({ status }) => status)).toEqual([
      ...Array<string>(7).fill("failed"),
      "stored",
    ]);
    for (const { error } of receipts.slice(0, 7))
      expect(error).toMatchObject({ code: "invalid_input" });
    expect(receipts[0]!.error!.message).toContain("3 values instead of 384");
  });
});
