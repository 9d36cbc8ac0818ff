import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Entity, EntityType } from "../../../src/model/memory.ts";
import { SearchService } from "../../../src/search/search-service.ts";
import { InMemoryStore } from "./in-memory-store.ts";

const DAY = 86_400_000;

/** A unit vector that points where the words of a text hash to: enough to test the plumbing. */
function toyVector(text: string): Float32Array {
  const vector = new Float32Array(384);
  for (const word of text.toLowerCase().match(/\p{L}+/gu) ?? []) {
    let hash = 7;
    for (const char of word) hash = (hash * 31 + char.codePointAt(0)!) % 384;
    vector[hash]! += 1;
  }
  const norm = Math.hypot(...vector) || 1;
  return vector.map((value) => value / norm);
}
const clock = { now: () => Date.UTC(2024, 5, 1), elapsed: () => performance.now() };
const embedQuery = async (text: string): Promise<Float32Array> => toyVector(text);

const TEXTS = [
  "We chose the blue paint for the kitchen walls on Tuesday.",
  "The dentist moved my appointment to the ninth of March.",
  "Grandmother's recipe for plum cake needs two hundred grams of butter.",
  "The running shoes were too small, so I returned them to the shop.",
  "Our train to Lisbon leaves at six in the morning.",
];

let store: InMemoryStore;
let service: SearchService;
beforeEach(async () => {
  store = new InMemoryStore();
  await store.add(
    ...TEXTS.map((text, i) => ({
      text,
      timestamp: Date.UTC(2024, 2, 1) + i * DAY,
      vector: toyVector(text),
      metadata: { source: i < 3 ? "notes.md" : "chat.json", kind: i < 3 ? "prose" : "chat" },
    })),
  );
  service = await SearchService.open(store);
});
afterEach(() => service.close());

const texts = async (query: string, extra = {}): Promise<string[]> =>
  (await service.recall({ query, ...extra }, { embedQuery })).hits.map((hit) => hit.memory.summary);

describe("recall", () => {
  it("ranks the memory that has the words first and explains the score by parts that add up", async () => {
    const { hits, timings, signals } = await service.recall(
      { query: "plum cake recipe" },
      { embedQuery },
    );
    expect(hits[0]!.memory.summary).toBe(TEXTS[2]);
    expect(hits[0]!.matchedTerms).toEqual(["plum", "cake", "recipe"]);
    for (const { score } of hits) {
      const { total, ...parts } = score;
      expect(Object.values(parts).reduce((a, b) => a + b)).toBeCloseTo(total, 12);
    }
    expect(signals).toContain("semantic");
    expect(timings.total).toBeGreaterThan(0);
  });

  it("finds other forms of a word and highlights them as they stand in the text", async () => {
    const { hits } = await service.recall({ query: "appointments move" });
    const { snippet, highlights } = hits[0]!;
    expect(highlights.map(([start, end]) => snippet.slice(start, end))).toEqual([
      "moved",
      "appointment",
    ]);
  });

  it("works on keywords alone without a model and says so", async () => {
    const { hits, signals, timings } = await service.recall(
      { query: "lisbon" },
      { embedQuery: async () => null },
    );
    expect(hits.map((hit) => hit.memory.summary)).toEqual([TEXTS[4]]);
    expect(signals).not.toContain("semantic");
    expect(timings.embed).toBeNull();
  });

  it("falls back to keywords when the model fails", async () => {
    const { hits, signals } = await service.recall(
      { query: "lisbon" },
      { embedQuery: () => Promise.reject(new Error("out of memory")) },
    );
    expect(hits).toHaveLength(1);
    expect(signals).not.toContain("semantic");
  });

  it("answers an empty query with the newest memories of the filter", async () => {
    expect(await texts("  ", { filter: { sources: ["notes.md"] }, topK: 2 })).toEqual([
      TEXTS[2],
      TEXTS[1],
    ]);
  });

  it("fills up to topK from the memories that pass the filter", async () => {
    const found = await texts("plum cake", { topK: 2, filter: { sources: ["chat.json"] } });
    expect(found).toHaveLength(2);
    expect(found).toEqual(expect.arrayContaining([TEXTS[3], TEXTS[4]]));
  });

  it("matches the last word as a prefix while it is typed", async () => {
    for (const typed of ["gran", "grandmoth", "retu", "returne", "runnin"]) {
      const { hits } = await service.recall({ query: typed, prefix: true });
      expect(hits, typed).toHaveLength(1);
      expect(hits[0]!.highlights, typed).toHaveLength(1);
    }
    expect((await service.recall({ query: "retu" })).hits).toHaveLength(0);
  });

  it("takes a quoted phrase as a condition", async () => {
    expect(await texts('"running shoes" lisbon')).toEqual([TEXTS[3]]);
  });

  it("widens a phrase that no memory has to its words", async () => {
    expect((await texts('"shoes running"'))[0]).toBe(TEXTS[3]);
  });

  it.each([
    '"',
    '" OR "',
    "a AND NOT b",
    "content:x",
    "NEAR(a b)",
    "*",
    "^x",
    "{a b}: c",
    "-",
    "\0",
    "'; DROP TABLE text_index; --",
    "\ud800",
  ])("takes %j as text and not as syntax", async (query) => {
    await expect(service.recall({ query }, { embedQuery })).resolves.toBeDefined();
    expect((await texts("lisbon"))[0]).toBe(TEXTS[4]);
  });

  it("refuses a topK out of range and stops when it was cancelled", async () => {
    await expect(service.recall({ query: "x", topK: 0 })).rejects.toMatchObject({
      code: "invalid_input",
    });
    await expect(
      service.recall({ query: "x" }, { signal: AbortSignal.abort() }),
    ).rejects.toMatchObject({ name: "AbortError" });
  });

  it("takes repeated queries from the cache until the store changes", async () => {
    await service.recall({ query: "lisbon" });
    await service.recall({ query: "lisbon" });
    expect(service.cacheStats()).toMatchObject({ hits: 1, misses: 1 });
    await store.add({ text: "Lisbon again" });
    expect((await service.recall({ query: "lisbon" })).hits).toHaveLength(2);
  });
});

describe("following the store", () => {
  it("finds what was added, and no longer what was forgotten", async () => {
    const [entry] = await store.add({
      text: "A heron stood in the reeds.",
      vector: toyVector("heron reeds"),
    });
    expect((await texts("heron"))[0]).toBe("A heron stood in the reeds.");
    await store.forget([entry!.id]);
    expect(await texts("heron reeds", { topK: 100 })).not.toContain("A heron stood in the reeds.");
    expect((await service.browse()).totalCount).toBe(TEXTS.length);
  });

  it("keeps nothing of erased text in the index or its snapshot", async () => {
    const [entry] = await store.add({
      text: "The codeword is zanzibarian.",
      vector: toyVector("codeword"),
    });
    await service.recall({ query: "zanzibarian" });
    await store.forget([entry!.id], { erase: true });
    const snapshot = new TextDecoder("latin1").decode(service.textIndex.snapshot());
    expect(snapshot).not.toContain("zanzibar");
    expect(snapshot).not.toContain(entry!.id);
    expect(await service.textIndex.documentFrequency("zanzibarian")).toBe(0);
    expect(service.cacheStats().entries).toBe(0);
  });

  it("indexes again when the title changes or the content fades", async () => {
    const id = store.catalog.byOrdinal(0)!.id;
    await store.patch(id, { metadata: { title: "Renovation" } });
    expect((await service.recall({ query: "renovation" })).hits).toHaveLength(1);
    const [faded] = await store.add({ text: "Long text about walnuts.", summary: "About nuts." });
    await store.patch(faded!.id, { keep: "summary" });
    expect((await service.recall({ query: "walnuts" })).hits).toHaveLength(0);
    expect((await service.recall({ query: "nuts" })).hits).toHaveLength(1);
  });

  it("takes part in meaning once its vector arrives", async () => {
    const [entry] = await store.add({ text: "Unrelated words entirely." });
    const query = "otter";
    const { quantizeVector } = await import("../../../src/model/vector.ts");
    await store.setEmbeddings([{ id: entry!.id, embedding: quantizeVector(toyVector(query)) }]);
    expect((await texts(query))[0]).toBe("Unrelated words entirely.");
  });

  it("agrees with the index of record about every word", async () => {
    expect(await service.verifyWords()).toMatchObject({ isComplete: true, differingTerms: [] });
    expect(service.textIndex.recordStatus).toMatchObject({ waiting: 0, isFull: false });
  });

  it("opens from a snapshot with the same results as a fresh build", async () => {
    await service.close();
    const first = await SearchService.open(store, { snapshots: "always", clock });
    const before = (await first.recall({ query: "the train to lisbon" })).hits;
    await first.saveSnapshots();
    expect(store.derived.has("fts")).toBe(true);
    await first.close();
    service = await SearchService.open(store, { snapshots: "always", clock });
    const after = (await service.recall({ query: "the train to lisbon" })).hits;
    expect(after.map((hit) => hit.score)).toEqual(before.map((hit) => hit.score));
    await store.add({ text: "A later train to Porto." });
    expect((await service.recall({ query: "porto" })).hits).toHaveLength(1);
  });

  it("builds the index when the snapshot is damaged", async () => {
    await service.close();
    store.derived.set("fts", new TextEncoder().encode("not a database"));
    service = await SearchService.open(store, { snapshots: "always", clock });
    expect((await service.recall({ query: "lisbon" })).hits).toHaveLength(1);
  });
});

describe("browse and facets", () => {
  it("pages through the memories that pass a filter, in the order asked", async () => {
    const page = await service.browse({
      order: "oldest",
      offset: 1,
      limit: 2,
      filter: { sources: ["notes.md"] },
    });
    expect(page.totalCount).toBe(3);
    expect(page.items.map((item) => item.summary)).toEqual([TEXTS[1], TEXTS[2]]);
    expect(page.items[0]).not.toHaveProperty("ordinal");
  });

  it("counts sources, kinds and months", async () => {
    const facets = await service.facets();
    expect(facets.sources).toEqual([
      { value: "notes.md", count: 3 },
      { value: "chat.json", count: 2 },
    ]);
    expect(facets.months).toEqual([{ value: "2024-03", count: 5 }]);
  });

  it("lists names, not every date and number that was named", async () => {
    const entity = (text: string, type: EntityType): Entity => ({ text, type, confidence: 0.9 });
    await store.add(
      {
        text: "Ann Lee flew to Lisbon tonight with two bags.",
        entities: [
          entity("Ann Lee", "person"),
          entity("Lisbon", "place"),
          entity("tonight", "date"),
          entity("two", "number"),
        ],
      },
      {
        text: "Ann Lee called tonight, see parse.ts and Plan B, ann@example.org.",
        entities: [
          entity("Ann Lee", "person"),
          entity("tonight", "date"),
          entity("parse.ts", "code"),
          entity("Plan B", "other"),
          entity("ann@example.org", "email"),
        ],
      },
    );
    expect((await service.facets()).entities).toEqual([
      { value: "Ann Lee", count: 2, type: "person" },
      { value: "Lisbon", count: 1, type: "place" },
      { value: "ann@example.org", count: 1, type: "email" },
    ]);
  });
});
