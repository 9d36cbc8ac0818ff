import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import { META } from "../../../src/model/memory.ts";
import { MemoryFileStore, MemoryVolume } from "../../../src/platform/memory/memory-file-store.ts";
import { ArrowStorage } from "../../../src/storage/arrow-storage.ts";
import { encodeEnvelope } from "../../../src/storage/envelope.ts";
import type { IndexRow, NewMemory, StoreChange } from "../../../src/storage/memory-store.ts";
import { mailBodies, makeMemories, makeMemory, sampleVector } from "./sample-memories.ts";

let volume: MemoryVolume;
let store: ArrowStorage;

/** Cheap compression: what is tested doesn't depend on the level. */
const open = (options = {}) =>
  ArrowStorage.open(new MemoryFileStore(volume), { level: 4, backgroundLevel: 3, ...options });
const reopen = async (options = {}) => {
  await store.close();
  store = await open(options);
};

beforeEach(async () => {
  volume = new MemoryVolume();
  store = await open();
  return async () => {
    await store.close();
  };
});

/** Everything that a memory was given with, as it should come back. */
function expected(memory: NewMemory) {
  return { ...memory, storedBytes: expect.any(Number) as number };
}

async function scanAll(): Promise<IndexRow[]> {
  const rows: IndexRow[] = [];
  for await (const batch of store.scan()) rows.push(...batch);
  return rows.sort((a, b) => a.ordinal - b.ordinal);
}

const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => "none",
    (error: { code?: string }) => error.code,
  );

describe("arrow storage", () => {
  it("gives back what was appended: at once, after reopening, after compaction, after both", async () => {
    const [a, b] = await makeMemories(["The tide table for May.", "Ünïcödé 🙂 \u0000 \ufeffmark"]);
    const full = await makeMemory("\ufeffA letter\r\nwith a mark", 3, {
      envelope: encodeEnvelope("\ufeffA letter\r\nwith a mark", Uint8Array.of(1, 2, 255)),
      embedding: sampleVector(1),
      embeddingModel: "minilm-1",
      episodeId: "e1",
      supersedes: "s1",
      supersededBy: "s2",
      validFrom: -5,
      validTo: 8e15,
      entities: [],
      metadata: JSON.parse('{"__proto__": "kept", "": "empty", "constructor": "x"}') as Record<
        string,
        string
      >,
      quality: {
        similarity: 0.1 + 0.2,
        coverage: null,
        entityRecall: 0,
        numberRecall: 1,
        faithfulness: 1,
      },
    });
    const faded = await makeMemory("gone", 4, {
      content: null,
      keep: "summary",
      summary: "What stays.",
    });
    const all = [a!, b!, full, faded];
    await store.append(all);
    for (const step of ["written", "reopened", "compacted", "reopened again"]) {
      if (step.startsWith("reopened")) await reopen();
      if (step === "compacted") await store.compact();
      for (const memory of all) {
        const got = await store.get(memory.id);
        expect(got, step).toEqual(expected(memory));
        expect(Object.keys(got.metadata)).toEqual(Object.keys(memory.metadata));
        expect(got.storedBytes).toBeGreaterThan(0);
      }
      expect(store.catalog.size).toBe(4);
      expect(store.recovered).toEqual([]);
      expect(await store.getContents([3, 0, 2])).toEqual([null, a!.content, full.content]);
      expect(await store.getSummaries([1, 2])).toEqual([
        { summary: b!.summary, entities: b!.entities },
        { summary: full.summary, entities: [] },
      ]);
    }
  });

  it("keeps any text, metadata and entities exactly", async () => {
    const text = fc.string({ unit: "binary", maxLength: 60 });
    const memory = fc.record({
      text,
      summary: text,
      metadata: fc.dictionary(text, text, { maxKeys: 4 }),
      entities: fc.array(
        fc.record({ text, confidence: fc.float({ noNaN: true, min: 0, max: 1 }) }),
        { maxLength: 3 },
      ),
      embedded: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(memory, { minLength: 1, maxLength: 12 }),
        fc.boolean(),
        async (drafts, compacts) => {
          volume = new MemoryVolume();
          await store.close();
          store = await open();
          const memories = await Promise.all(
            drafts.map((draft, i) =>
              makeMemory(draft.text, i, {
                summary: draft.summary,
                metadata: draft.metadata,
                entities: draft.entities.map((entity) => ({ ...entity, type: "other" as const })),
                ...(draft.embedded ? { embedding: sampleVector(i), embeddingModel: "m" } : {}),
              }),
            ),
          );
          await store.append(memories);
          if (compacts) await store.compact();
          await reopen();
          for (const memory of memories)
            expect(await store.get(memory.id)).toEqual(expected(memory));
        },
      ),
      { numRuns: 30 },
    );
  });

  it("refuses what it can't keep and says why", async () => {
    const memory = await makeMemory("x");
    await store.append([memory]);
    expect(await codeOf(store.append([memory]))).toBe("invalid_input");
    expect(await codeOf(store.append([await makeMemory("y", 0, { contentSha256: "0" })]))).toBe(
      "invalid_input",
    );
    expect(await codeOf(store.append([await makeMemory("z", 0, { timestamp: 1.5 })]))).toBe(
      "invalid_input",
    );
    const huge = "a".repeat(16 * 1024 * 1024 + 1);
    expect(await codeOf(store.append([await makeMemory(huge)]))).toBe("too_large");
    expect(await codeOf(store.get("nobody"))).toBe("not_found");
    expect(await codeOf(store.patch("nobody", {}))).toBe("not_found");
    expect(await codeOf(store.getContents([99]))).toBe("not_found");
    expect(store.catalog.size).toBe(1);
  });

  it("takes a text of 16 MB", async () => {
    const text = "0123456789abcdef".repeat(1024 * 1024);
    const memory = await makeMemory(text);
    await store.append([memory]);
    await store.compact();
    expect((await store.get(memory.id)).content).toBe(text);
  });

  it("applies patches: merged metadata, time, keep only downwards, validity", async () => {
    const memory = await makeMemory("Rent is 900 a month.");
    await store.append([memory]);
    for (const compacts of [false, true]) {
      if (compacts) await store.compact();
      await store.patch(memory.id, {
        metadata: { [META.title]: "Rent", [META.kind]: null, ["__proto__"]: "p" },
        timestamp: 5,
        activation: 0.25,
        supersededBy: "other",
        validTo: 77,
      });
      await reopen();
      const got = await store.get(memory.id);
      expect(got).toMatchObject({
        timestamp: 5,
        activation: 0.25,
        supersededBy: "other",
        validTo: 77,
      });
      expect(Object.entries(got.metadata).sort()).toEqual([
        ["__proto__", "p"],
        [META.source, "notes/0.txt"],
        [META.title, "Rent"],
      ]);
    }
    await store.patch(memory.id, { keep: "summary" });
    expect((await store.get(memory.id)).content).toBeNull();
    expect(await codeOf(store.patch(memory.id, { keep: "exact" }))).toBe("invalid_input");
    expect(await codeOf(store.patch(memory.id, { activation: 2 }))).toBe("invalid_input");
    await store.compact();
    await reopen();
    expect(await store.get(memory.id)).toMatchObject({ content: null, keep: "summary" });
  });

  it("sets vectors later, in the journal and over segments", async () => {
    const memories = await makeMemories(["one", "two", "three"]);
    await store.append(memories);
    await store.compact();
    const changes: StoreChange[] = [];
    store.subscribe((change) => changes.push(change));
    const quality = {
      similarity: 0.9,
      coverage: 0.8,
      entityRecall: 1,
      numberRecall: 1,
      faithfulness: 1,
    };
    await store.setEmbeddings(
      [{ id: memories[1]!.id, embedding: sampleVector(2), quality }],
      "minilm",
    );
    expect(changes).toEqual([{ type: "embedded", ordinals: [1], vectors: [sampleVector(2)] }]);
    for (const step of ["set", "reopened", "compacted"]) {
      if (step === "reopened") await reopen();
      if (step === "compacted") await store.compact();
      expect(await store.get(memories[1]!.id)).toMatchObject({
        embedding: sampleVector(2),
        embeddingModel: "minilm",
        quality,
      });
      expect(store.catalog.byOrdinal(1)!.embedded).toBe(true);
      expect(store.catalog.byOrdinal(0)!.embedded).toBe(false);
    }
    expect(await codeOf(store.setEmbeddings([{ id: "x", embedding: sampleVector(1) }], "m"))).toBe(
      "not_found",
    );
  });

  it("links neighbours that are stored already, also over reopening and compaction", async () => {
    const first = await makeMemory("Shall we meet?");
    await store.append([first]);
    await store.compact();
    const second = await makeMemory("Yes, at six.", 1, { previousId: first.id });
    const third = await makeMemory("See you.", 2, { previousId: second.id });
    const changes: StoreChange[] = [];
    store.subscribe((change) => changes.push(change));
    await store.append([second, third]);
    expect(changes.map((change) => change.type)).toEqual(["added", "updated"]);
    const check = async () => {
      expect((await store.get(first.id)).nextId).toBe(second.id);
      expect((await store.get(second.id)).nextId).toBe(third.id);
    };
    await check();
    await reopen();
    await check();
    await store.compact();
    await reopen();
    await check();
  });

  it("finds a memory by its external id while it is live", async () => {
    const a = await makeMemory("Same words", 0, {
      metadata: { [META.source]: "a", [META.externalId]: "<1@x>" },
    });
    const b = await makeMemory("Same words", 1, { metadata: { [META.source]: "b" } });
    const c = await makeMemory("Same words", 2, { metadata: {} });
    await store.append([a, b, c]);
    const check = () => {
      expect(store.catalog.byExternalId("<1@x>")?.id).toBe(a.id);
    };
    check();
    await reopen();
    check();
    await store.forget([a.id]);
    expect(store.catalog.byExternalId("<1@x>")).toBeUndefined();
    await store.restore([a.id]);
    check();
  });

  it("forgets, restores until compaction, and not after", async () => {
    const memories = await makeMemories(["keep me", "forget me", "forget me too"]);
    await store.append(memories);
    const [, gone, gone2] = memories as [NewMemory, NewMemory, NewMemory];
    expect(await store.forget([gone.id, "nobody", gone2.id, gone.id])).toEqual([gone.id, gone2.id]);
    expect(await store.forget([gone.id])).toEqual([]);
    expect(store.forgottenCount()).toBe(2);
    expect(await codeOf(store.get(gone.id))).toBe("not_found");
    await reopen();
    expect(store.forgottenCount()).toBe(2);
    const changes: StoreChange[] = [];
    store.subscribe((change) => changes.push(change));
    expect(await store.restore([gone.id, "nobody"])).toEqual([gone.id]);
    expect(changes).toMatchObject([
      { type: "added", entries: [{ id: gone.id }], rows: [{ content: "forget me" }] },
    ]);
    expect((await store.get(gone.id)).content).toBe("forget me");
    await store.compact();
    expect(store.forgottenCount()).toBe(0);
    expect(await store.restore([gone2.id])).toEqual([]);
    await reopen();
    expect([...store.catalog.entries()].map((entry) => entry.id)).toEqual([
      memories[0]!.id,
      gone.id,
    ]);
  });

  it("keeps ordinals over compaction and reopening, and never gives one out again", async () => {
    const memories = await makeMemories(["a", "b", "c", "d"]);
    memories.reverse();
    await store.append(memories);
    await store.forget([memories[3]!.id]);
    await store.compact();
    await reopen();
    const [late] = await store.append([await makeMemory("late", 9)]);
    expect(late!.ordinal).toBe(4);
    for (const [i, memory] of memories.slice(0, 3).entries())
      expect(store.catalog.byId(memory.id)!.ordinal).toBe(i);
    expect(store.catalog.byOrdinal(3)).toBeUndefined();
    expect(store.catalog.ordinalLimit).toBe(5);
  });

  it("scans every live memory once, oldest first for export, over journal and segments", async () => {
    await reopen({ codeTextsFromBytes: 0 });
    const bodies = mailBodies(700);
    const memories = await makeMemories(bodies);
    await store.append(memories.slice(0, 300));
    await store.compact();
    await store.append(memories.slice(300, 600));
    await store.compact();
    await store.append(memories.slice(600));
    await store.forget([memories[5]!.id, memories[650]!.id]);
    const rows = await scanAll();
    expect(rows.length).toBe(698);
    for (const row of rows) expect(row.content).toBe(bodies[row.ordinal]);
    const light: IndexRow[] = [];
    for await (const batch of store.scan({ columns: ["summary"] })) light.push(...batch);
    expect(light.length).toBe(698);
    expect(
      light.every(
        (row) => row.content === null && row.summary === bodies[row.ordinal]!.slice(0, 80),
      ),
    ).toBe(true);
    let last = -Infinity;
    let count = 0;
    for await (const batch of store.scanMemories())
      for (const memory of batch) {
        expect(memory.timestamp).toBeGreaterThanOrEqual(last);
        last = memory.timestamp;
        count++;
      }
    expect(count).toBe(698);
  });

  it("accounts stored bytes honestly: the shares add up to the text's pages", async () => {
    await reopen({ codeTextsFromBytes: 0 });
    const bodies = mailBodies(1500);
    await store.append(await makeMemories(bodies));
    await store.compact();
    const original = [...store.catalog.entries()].reduce(
      (sum, entry) => sum + entry.originalBytes,
      0,
    );
    const stored = [...store.catalog.entries()].reduce((sum, entry) => sum + entry.storedBytes, 0);
    const { segmentBytes } = await store.sizes();
    expect(stored).toBeLessThan(segmentBytes);
    expect(stored).toBeGreaterThan(segmentBytes * 0.75);
    expect(original / stored).toBeGreaterThan(2.5);
  });

  it("compacts by itself once the writers are quiet", async () => {
    await reopen({ compactAtRows: 20 });
    const compacted = new Promise<void>((resolve) =>
      store.subscribe((change) => change.type === "compacted" && resolve()),
    );
    await store.append(await makeMemories(mailBodies(30)));
    expect((await store.sizes()).segmentCount).toBe(0);
    await compacted;
    expect((await store.sizes()).segmentCount).toBe(1);
  });

  it("compacts by itself beside writers, and loses nothing", async () => {
    await reopen({ compactAtRows: 20 });
    const bodies = mailBodies(900);
    const memories = await makeMemories(bodies);
    for (let i = 0; i < memories.length; i += 30) {
      await store.append(memories.slice(i, i + 30));
      if (i === 300) await store.patch(memories[10]!.id, { metadata: { [META.title]: "changed" } });
      if (i === 600) await store.forget([memories[20]!.id]);
    }
    await reopen();
    expect((await store.sizes()).segmentCount).toBeGreaterThan(0);
    expect(store.catalog.size).toBe(899);
    expect(store.forgottenCount()).toBe(1);
    expect((await store.get(memories[10]!.id)).metadata[META.title]).toBe("changed");
    for (const [i, body] of bodies.entries())
      if (i !== 20) expect((await store.get(memories[i]!.id)).content).toBe(body);
    expect(await store.restore([memories[20]!.id])).toEqual([memories[20]!.id]);
    expect((await store.get(memories[20]!.id)).content).toBe(bodies[20]);
  });

  it("lets writers go first beside them, until somebody waits for the compaction", async () => {
    await reopen({ compactAtRows: 20 });
    const bodies = mailBodies(700);
    const memories = await makeMemories(bodies);
    await store.append(memories.slice(0, 650));
    for (let i = 650; i < 690; i++) {
      await store.append(memories.slice(i, i + 1));
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    expect(store.segments()).toHaveLength(0);
    await store.append(memories.slice(690));
    // Waits for the one that runs, which waits for no writer then: they could hold it up for half a minute.
    let isFolded = false;
    const folding = store.sqlSources().then(() => (isFolded = true));
    for (let i = 0; i < 400 && !isFolded; i++) {
      await store.append(await makeMemories([`A late note ${i}.`]));
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    expect(isFolded).toBe(true);
    await folding;
    expect(store.segments()).not.toHaveLength(0);
    for (const [i, body] of bodies.entries())
      expect((await store.get(memories[i]!.id)).content).toBe(body);
  });

  it("folds the journal in the end though writers never pause", async () => {
    await reopen({ compactAtRows: 10 });
    const memories = await makeMemories(Array.from({ length: 1500 }, (_, i) => `Note ${i}.`));
    // From 320 rows on beside the writers, who wait at 640.
    for (let i = 0; i < memories.length; i += 20) await store.append(memories.slice(i, i + 20));
    expect(store.segments()).not.toHaveLength(0);
    expect(store.catalog.size).toBe(1500);
  });

  it("reads on while a compaction replaces the files", async () => {
    await reopen({ codeTextsFromBytes: 0 });
    const bodies = mailBodies(400);
    const memories = await makeMemories(bodies);
    await store.append(memories);
    await store.compact();
    await store.forget([memories[0]!.id]);
    await reopen({ cacheBytes: 1, codeTextsFromBytes: 0 });
    const compacting = store.compact();
    for (let round = 0; round < 3; round++)
      for (let i = 1; i < 400; i += 37)
        expect((await store.get(memories[i]!.id)).content).toBe(bodies[i]);
    await compacting;
  });

  it("cancels a compaction without a trace", async () => {
    await reopen({ codeTextsFromBytes: 0 });
    const memories = await makeMemories(mailBodies(300));
    await store.append(memories);
    const controller = new AbortController();
    controller.abort();
    await expect(store.compact({ signal: controller.signal })).rejects.toThrow(/cancel/);
    expect((await store.sizes()).segmentCount).toBe(0);
    await reopen({ codeTextsFromBytes: 0 });
    expect(store.catalog.size).toBe(300);
    await store.compact();
    expect((await store.sizes()).segmentCount).toBe(1);
  });

  it("keeps derived data only for the generation it was made from", async () => {
    await store.append(await makeMemories(["a"]));
    await store.writeDerived("fts", Uint8Array.of(1, 2, 3));
    expect(await store.readDerived("fts")).toEqual(Uint8Array.of(1, 2, 3));
    expect(await store.readDerived("none")).toBeNull();
    await reopen();
    expect(await store.readDerived("fts")).toEqual(Uint8Array.of(1, 2, 3));
    const { generation } = store;
    await store.append(await makeMemories(["b"]));
    expect(store.generation).toBeGreaterThan(generation);
    expect(await store.readDerived("fts")).toBeNull();
    await store.writeDerived("empty", new Uint8Array());
    expect(await store.readDerived("empty")).toEqual(new Uint8Array());
  });

  it("folds the journal for SQL and gives one handle per segment", async () => {
    expect((await store.sqlSources()).sources).toEqual([]);
    await store.append(await makeMemories(["a", "b"]));
    const { sources } = await store.sqlSources();
    expect(sources).toMatchObject([{ handle: { kind: "bytes" } }]);
    const { generation } = store;
    expect((await store.sqlSources()).sources).toEqual(sources);
    expect(store.generation).toBe(generation);
  });

  it("answers closed after close", async () => {
    await store.close();
    expect(await codeOf(store.append([await makeMemory("x")]))).toBe("closed");
    expect(await codeOf(store.get("x"))).toBe("closed");
    store = await open();
  });
});
