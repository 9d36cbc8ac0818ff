import { describe, expect, it } from "vitest";
import { FaultyFileStore, type Fault } from "../../../src/platform/memory/faulty-file-store.ts";
import { MemoryFileStore, MemoryVolume } from "../../../src/platform/memory/memory-file-store.ts";
import { ArrowStorage } from "../../../src/storage/arrow-storage.ts";
import type { MemoryEdit, NewMemory, StoreChange } from "../../../src/storage/memory-store.ts";
import { makeMemories, makeMemory, sampleVector } from "./sample-memories.ts";

const OPTIONS = { level: 1, backgroundLevel: 1, compactAtRows: 0, compactAtBytes: 0 };

const TEXTS = [
  "Nadia booked the ferry to Skye for the ninth of May, two bunks and the van.",
  "The van needs new tyres before the trip; Ben found a garage in Leith for 310 pounds.",
  "Ben: tyres are on. Nadia: then we leave at seven on Friday.",
];

/** Embedded memories of one trip, and the row that holds its gist. */
async function trip(): Promise<{ members: NewMemory[]; gist: NewMemory }> {
  const members = (await makeMemories(TEXTS)).map((memory, i) => ({
    ...memory,
    embedding: sampleVector(i),
    embeddingModel: "m",
  }));
  const row = await makeMemory("", 9, {
    content: null,
    keep: "gist",
    summary: "Nadia and Ben take the van on the ferry to Skye on the ninth of May.",
    embedding: sampleVector(77),
    embeddingModel: "m",
  });
  return { members, gist: { ...row, episodeId: row.id } };
}

function open(volume: MemoryVolume): Promise<ArrowStorage> {
  volume.opened = false;
  return ArrowStorage.open(new MemoryFileStore(volume), OPTIONS);
}

const joining = (members: readonly NewMemory[], gist: NewMemory): MemoryEdit[] =>
  members.map(({ id }) => ({ id, episodeId: gist.id }));

/** Whether any row of any segment, read with all its columns, holds these words. */
async function hasBytes(volume: MemoryVolume, words: string): Promise<boolean> {
  const { Segment } = await import("../../../src/storage/segment.ts");
  const { loadZstd } = await import("../../../src/storage/zstd.ts");
  const { readManifest } = await import("../../../src/storage/manifest.ts");
  const files = new MemoryFileStore(volume.clone());
  const zstd = await loadZstd();
  const { manifest } = await readManifest(files);
  for (const info of manifest!.segments) {
    const segment = await Segment.open(files, zstd, info);
    for (let group = 0; group < segment.groups.length; group++)
      if (JSON.stringify(await segment.readRows(group)).includes(words)) return true;
  }
  return false;
}

describe("a move to a lower keep level", () => {
  it("shows less at once and gives everything back when it is undone", async () => {
    const volume = new MemoryVolume();
    const store = await open(volume);
    const { members, gist } = await trip();
    await store.append(members);
    await store.commit({ add: [gist], edits: joining(members, gist) });
    const before = await store.get(members[0]!.id);
    await store.commit({
      edits: [
        { id: members[0]!.id, keep: "gist" },
        { id: members[1]!.id, keep: "summary" },
      ],
    });
    const bare = await store.get(members[0]!.id);
    expect(bare).toMatchObject({ keep: "gist", content: null, summary: "", entities: [] });
    expect(bare.embedding).toBeNull();
    const summarised = await store.get(members[1]!.id);
    expect(summarised).toMatchObject({ keep: "summary", content: null });
    expect(summarised.summary).toBe(members[1]!.summary);
    expect(store.fading().map(({ entry, detail }) => [entry.id, entry.keep, detail])).toEqual([
      [members[0]!.id, "gist", "exact"],
      [members[1]!.id, "summary", "exact"],
    ]);
    const seen: StoreChange[] = [];
    store.subscribe((change) => seen.push(change));
    expect(await store.lift([members[0]!.id])).toEqual([members[0]!.id]);
    expect(await store.get(members[0]!.id)).toEqual(before);
    // Indexes get the vector back that they dropped.
    expect(seen.map(({ type }) => type)).toEqual(["updated", "embedded"]);
    expect(await store.lift()).toEqual([members[1]!.id]);
    expect(store.fading()).toEqual([]);
    await store.close();
  });

  it("survives reopening and compactions in the background, and can still be undone", async () => {
    const volume = new MemoryVolume();
    let store = await open(volume);
    const { members, gist } = await trip();
    await store.append(members);
    await store.commit({ add: [gist], edits: joining(members, gist) });
    await store.commit({ edits: members.map(({ id }) => ({ id, keep: "gist" as const })) });
    for (let round = 0; round < 3; round++) {
      // What a query in SQL does: fold the journal into a segment.
      const { faded } = await store.sqlSources();
      expect(faded).toEqual(members.map(({ id }) => ({ id, keep: "gist" })));
      await store.close();
      store = await open(volume);
      await store.append([await makeMemory(`Something else ${round}.`, 20 + round)]);
      expect((await store.get(members[2]!.id)).summary).toBe("");
    }
    expect(await store.lift()).toHaveLength(3);
    for (const member of members) {
      const memory = await store.get(member.id);
      expect(memory).toMatchObject({ content: member.content, summary: member.summary });
      expect(memory.embedding).toEqual(member.embedding);
    }
    await store.close();
    store = await open(volume);
    expect((await store.get(members[1]!.id)).content).toBe(TEXTS[1]);
    await store.close();
  });

  it("is final after an explicit compaction, which leaves no byte of the detail", async () => {
    const volume = new MemoryVolume();
    let store = await open(volume);
    const { members, gist } = await trip();
    await store.append(members);
    await store.commit({ add: [gist], edits: joining(members, gist) });
    await store.compact();
    await store.commit({
      edits: [
        { id: members[0]!.id, keep: "gist" },
        { id: members[1]!.id, keep: "summary" },
      ],
    });
    expect(await hasBytes(volume, "two bunks")).toBe(true);
    await store.compact();
    expect(store.fading()).toEqual([]);
    expect(await store.lift()).toEqual([]);
    expect(await hasBytes(volume, "two bunks")).toBe(false);
    expect(await hasBytes(volume, "310 pounds")).toBe(false);
    expect(await hasBytes(volume, "at seven on Friday")).toBe(true);
    await store.close();
    store = await open(volume);
    expect(await store.get(members[0]!.id)).toMatchObject({
      keep: "gist",
      summary: "",
      embeddingModel: null,
    });
    expect((await store.get(members[1]!.id)).summary).toBe(members[1]!.summary);
    // A second step down, undone to where the detail now ends.
    await store.commit({ edits: [{ id: members[1]!.id, keep: "gist" }] });
    expect(await store.lift()).toEqual([members[1]!.id]);
    expect((await store.get(members[1]!.id)).keep).toBe("summary");
    await store.close();
  });

  it("can't be undone while a compaction carries it out, and can when that fails", async () => {
    const volume = new MemoryVolume();
    const store = await open(volume);
    const { members } = await trip();
    await store.append(members);
    await store.commit({ edits: [{ id: members[0]!.id, keep: "summary" }] });
    const controller = new AbortController();
    const running = store.compact({
      signal: controller.signal,
      onProgress: () => {
        void store.lift().then((lifted) => expect(lifted).toEqual([]));
        controller.abort();
      },
    });
    await expect(running).rejects.toMatchObject({ name: "AbortError" });
    expect(await store.lift()).toEqual([members[0]!.id]);
    expect((await store.get(members[0]!.id)).content).toBe(TEXTS[0]);
    await store.close();
  });

  it("is refused upwards, and refuses the whole frame with it", async () => {
    const store = await open(new MemoryVolume());
    const { members } = await trip();
    await store.append(members);
    await store.commit({ edits: [{ id: members[0]!.id, keep: "summary" }] });
    await expect(
      store.commit({
        edits: [
          { id: members[1]!.id, keep: "summary" },
          { id: members[0]!.id, keep: "exact" },
        ],
      }),
    ).rejects.toMatchObject({ code: "invalid_input" });
    expect(store.catalog.byId(members[1]!.id)!.keep).toBe("exact");
    await expect(
      store.commit({ edits: [{ id: "nobody", keep: "summary" }] }),
    ).rejects.toMatchObject({ code: "not_found" });
    await store.close();
  });
});

describe("a summary that is replaced", () => {
  it("is what is read: at once, after reopening, after compaction; the original stays", async () => {
    const volume = new MemoryVolume();
    let store = await open(volume);
    const { members } = await trip();
    await store.append(members);
    await store.compact();
    const quality = {
      similarity: 0.9,
      coverage: 0.8,
      entityRecall: 1,
      numberRecall: 1,
      faithfulness: 1,
    };
    const seen: StoreChange[] = [];
    store.subscribe((change) => seen.push(change));
    await store.commit({
      edits: [
        {
          id: members[0]!.id,
          quality,
          text: {
            summary: "Ferry to Skye booked by Nadia.",
            entities: [{ text: "Skye", type: "place", confidence: 0.5 }],
            mode: "high",
            model: "someone",
          },
        },
      ],
    });
    expect(seen).toContainEqual(expect.objectContaining({ type: "updated", textChanged: true }));
    const check = async () =>
      expect(await store.get(members[0]!.id)).toMatchObject({
        content: TEXTS[0],
        summary: "Ferry to Skye booked by Nadia.",
        entities: [{ text: "Skye", type: "place", confidence: 0.5 }],
        mode: "high",
        model: "someone",
        quality,
        embedding: members[0]!.embedding,
      });
    await check();
    await store.close();
    store = await open(volume);
    await check();
    await store.compact();
    await check();
    await store.close();
    store = await open(volume);
    await check();
    await store.close();
  });

  it("takes its vector along, or drops it with the text it stood for", async () => {
    const volume = new MemoryVolume();
    let store = await open(volume);
    const { members, gist } = await trip();
    await store.append(members);
    await store.commit({ add: [gist], edits: joining(members, gist) });
    const text = { summary: "They go to Skye.", entities: [], mode: "fast" as const, model: "x" };
    await store.commit({
      edits: [{ id: gist.id, text: { ...text, embedding: sampleVector(5), embeddingModel: "m" } }],
    });
    expect((await store.get(gist.id)).embedding).toEqual(sampleVector(5));
    await store.commit({ edits: [{ id: gist.id, text: { ...text, embedding: null } }] });
    for (let round = 0; round < 2; round++) {
      expect(await store.get(gist.id)).toMatchObject({ embedding: null, embeddingModel: null });
      await store.compact();
      await store.close();
      store = await open(volume);
    }
    await store.close();
  });
});

describe("what was forgotten", () => {
  it("can be looked at by who restores it, and comes back with its changes in one frame", async () => {
    const volume = new MemoryVolume();
    let store = await open(volume);
    const { members, gist } = await trip();
    await store.append(members);
    await store.commit({ add: [gist], edits: joining(members, gist) });
    const [a] = members as [NewMemory];
    await store.forget([a.id, gist.id]);
    expect(await store.forgotten([a.id, gist.id, members[1]!.id])).toMatchObject([
      { entry: { id: a.id }, content: TEXTS[0], summary: a.summary },
      { entry: { id: gist.id, keep: "gist" }, content: null, summary: gist.summary },
    ]);
    const seen: StoreChange[] = [];
    store.subscribe((change) => seen.push(change));
    const before = store.generation;
    const text = { summary: "Ben drives.", entities: [], mode: "fast" as const, model: "x" };
    const restored = await store.restore([a.id, gist.id, "nobody"], {
      edits: [
        { id: gist.id, text: { ...text, embedding: null } },
        { id: members[1]!.id, metadata: { seen: "yes" } },
      ],
    });
    expect(restored).toEqual([a.id, gist.id]);
    expect(store.generation).toBe(before + 1);
    const added = seen.find((change) => change.type === "added");
    // Indexes get the text as it is now, not as it was.
    expect(added?.rows.map(({ summary }) => summary)).toEqual([a.summary, "Ben drives."]);
    expect(await store.forgotten([a.id])).toEqual([]);
    await expect(
      store.restore([a.id], { edits: [{ id: "nobody", metadata: { x: "y" } }] }),
    ).resolves.toEqual([]);
    await store.close();
    store = await open(volume);
    expect(await store.get(gist.id)).toMatchObject({ summary: "Ben drives.", embedding: null });
    expect((await store.get(members[1]!.id)).metadata["seen"]).toBe("yes");
    await store.close();
  });
});

describe("a row that holds a gist", () => {
  it("is no memory, but is scanned for indexes and exports", async () => {
    const store = await open(new MemoryVolume());
    const { members, gist } = await trip();
    await store.append(members);
    await store.commit({ add: [gist], edits: joining(members, gist) });
    expect(store.catalog.size).toBe(3);
    expect([...store.catalog.entries()].map(({ id }) => id)).not.toContain(gist.id);
    expect([...store.catalog.episodes()].map(({ id }) => id)).toEqual([gist.id]);
    expect(store.catalog.membersOf(gist.id).map(({ id }) => id)).toEqual(
      members.map(({ id }) => id),
    );
    const scanned: string[] = [];
    for await (const rows of store.scan()) scanned.push(...rows.map(({ id }) => id));
    expect(scanned).toContain(gist.id);
    await store.close();
  });

  it("lets its members go when it is erased", async () => {
    const volume = new MemoryVolume();
    const store = await open(volume);
    const { members, gist } = await trip();
    await store.append(members);
    await store.commit({ add: [gist], edits: joining(members, gist) });
    await store.forget([gist.id], { erase: true });
    expect(store.catalog.membersOf(gist.id)).toEqual([]);
    expect((await store.get(members[0]!.id)).episodeId).toBeNull();
    expect(await hasBytes(volume, "ninth of May, two")).toBe(true);
    expect(await hasBytes(volume, gist.id)).toBe(false);
    await store.close();
  });

  it("is rewritten in the frame that erases a member, and keeps nothing of it", async () => {
    const volume = new MemoryVolume();
    const store = await open(volume);
    const { members, gist } = await trip();
    await store.append(members);
    await store.commit({ add: [gist], edits: joining(members, gist) });
    await store.compact();
    await store.forget([members[0]!.id], {
      erase: true,
      edits: [
        {
          id: gist.id,
          text: { summary: "Ben drives.", entities: [], mode: "fast", model: "x", embedding: null },
        },
      ],
    });
    expect(await hasBytes(volume, "ferry to Skye")).toBe(false);
    expect((await store.get(gist.id)).summary).toBe("Ben drives.");
    await store.close();
  });
});

interface Model {
  rows: Map<
    string,
    { keep: string; summary: string; content: string | null; episode: string | null }
  >;
}

describe("keep levels on files that fail", () => {
  const run = async (fault: Fault): Promise<number> => {
    const { members, gist } = await trip();
    const [a, b, c] = members as [NewMemory, NewMemory, NewMemory];
    const row = (memory: NewMemory, keep: string, episode: string | null) => ({
      keep,
      summary: keep === "gist" && memory !== gist ? "" : memory.summary,
      content: keep === "exact" ? memory.content : null,
      episode,
    });
    const steps: [string, (store: ArrowStorage) => Promise<unknown>, (model: Model) => void][] = [
      [
        "append",
        (store) => store.append(members),
        ({ rows }) => members.forEach((memory) => rows.set(memory.id, row(memory, "exact", null))),
      ],
      [
        "episode",
        (store) => store.commit({ add: [gist], edits: joining(members, gist) }),
        ({ rows }) => {
          members.forEach((memory) => rows.set(memory.id, row(memory, "exact", gist.id)));
          rows.set(gist.id, row(gist, "gist", gist.id));
        },
      ],
      [
        "move",
        (store) =>
          store.commit({
            edits: [
              { id: a.id, keep: "gist" },
              { id: b.id, keep: "summary" },
            ],
          }),
        ({ rows }) => {
          rows.set(a.id, row(a, "gist", gist.id));
          rows.set(b.id, row(b, "summary", gist.id));
        },
      ],
      ["fold", (store) => store.sqlSources(), () => undefined],
      [
        "undo",
        (store) => store.lift([a.id]),
        ({ rows }) => rows.set(a.id, row(a, "exact", gist.id)),
      ],
      [
        "forget",
        (store) => store.forget([c.id, gist.id]),
        ({ rows }) => [c.id, gist.id].forEach((id) => rows.delete(id)),
      ],
      [
        "restore",
        (store) =>
          store.restore([c.id, gist.id], {
            edits: [
              {
                id: gist.id,
                text: {
                  summary: "Anew.",
                  entities: [],
                  mode: "fast",
                  model: "x",
                  embedding: null,
                },
              },
            ],
          }),
        ({ rows }) => {
          rows.set(c.id, row(c, "exact", gist.id));
          rows.set(gist.id, { ...row(gist, "gist", gist.id), summary: "Anew." });
        },
      ],
      ["compact", (store) => store.compact(), () => undefined],
      [
        "erase",
        (store) =>
          store.forget([c.id], {
            erase: true,
            edits: [
              {
                id: gist.id,
                text: {
                  summary: "Shorter.",
                  entities: [],
                  mode: "fast",
                  model: "x",
                  embedding: null,
                },
              },
            ],
          }),
        ({ rows }) => {
          rows.delete(c.id);
          rows.get(gist.id)!.summary = "Shorter.";
        },
      ],
    ];
    const volume = new MemoryVolume();
    const files = new FaultyFileStore(new MemoryFileStore(volume), fault);
    const check = async (allowed: Model[], where: string) => {
      const copy = volume.clone();
      const store = await open(copy);
      const rows: Model["rows"] = new Map();
      for await (const batch of store.scanMemories())
        for (const memory of batch)
          rows.set(memory.id, {
            keep: memory.keep,
            summary: memory.summary,
            content: memory.content,
            episode: memory.episodeId,
          });
      const shown = (model: Model) => JSON.stringify([...model.rows].sort());
      expect(allowed.map(shown), where).toContain(shown({ rows }));
      // What is there goes on working, and what can rise, rises.
      await store.lift();
      await store.compact();
      await store.close();
    };
    let model: Model = { rows: new Map() };
    let store: ArrowStorage;
    try {
      store = await ArrowStorage.open(files, OPTIONS);
    } catch {
      await check([model], "open");
      return files.calls;
    }
    for (const [name, act, apply] of steps) {
      const next: Model = {
        rows: new Map([...model.rows].map(([id, state]) => [id, { ...state }])),
      };
      apply(next);
      const where = `${fault.kind} at call ${fault.atCall} (${name})`;
      try {
        await act(store);
      } catch {
        if (files.crashed) {
          await check([model, next], where);
          return files.calls;
        }
        await act(store).catch((error: { code?: string }) => {
          if (error.code !== "not_found") throw error;
        });
      }
      model = next;
    }
    await store.close().catch(() => undefined);
    await check([model], "end");
    return files.calls;
  };

  for (const kind of ["crash", "torn-crash", "error"] as const)
    it(`are before or after each change, never between: ${kind} at every call`, async () => {
      const calls = await run({ atCall: Infinity, kind });
      expect(calls).toBeGreaterThan(20);
      for (let atCall = 1; atCall <= calls; atCall++) await run({ atCall, kind });
    }, 120_000);
});
