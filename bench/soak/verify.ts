/**
 * Looks at a copy of a store as its owner would after a crash, and holds it against the model:
 * every memory is as acknowledged, exactly once; what was deleted is in no result of any kind; and
 * the indexes that were restored answer like ones built from nothing.
 */

import { cpSync, rmSync } from "node:fs";
import { createEngine } from "../../src/create-engine.ts";
import type { Engine } from "../../src/engine.ts";
import { isEpisode, META } from "../../src/model/memory.ts";
import type { RecallQuery } from "../../src/model/query.ts";
import { createNodeSqlEngine } from "../../src/platform/node/duckdb.ts";
import { FsFileStore } from "../../src/platform/node/fs-file-store.ts";
import { SearchService } from "../../src/search/search-service.ts";
import { ArrowStorage } from "../../src/storage/arrow-storage.ts";
import { checkHits, type SoakStore } from "./actions.ts";
import { assert, type Slot } from "./model.ts";
import { vectorOf } from "./texts.ts";
import { noEmbedder } from "../../src/platform/memory/no-embedder.ts";

const DELETED_SAMPLE = 40;
const LIVE_SAMPLE = 20;

export interface Verified {
  memories: number;
  deleted: number;
  comparisons: number;
}

/** `everything` also asks in SQL and exports, which takes longest. Throws a `Violation`. */
export async function verifyStore(store: SoakStore, everything: boolean): Promise<Verified> {
  const copy = `${store.cli.store}-copy`;
  rmSync(copy, { recursive: true, force: true });
  // The store itself stays as the kill left it: the next command has to cope with it.
  cpSync(store.cli.store, copy, { recursive: true });
  try {
    await observeStore(store, copy);
    const comparisons = await compareIndexes(store, copy);
    await askEngine(store, copy, everything);
    return {
      memories: store.model.surely("live").length,
      deleted: store.model.surely("gone").length + store.model.surely("forgotten").length,
      comparisons,
    };
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

async function observeStore({ model }: SoakStore, directory: string): Promise<void> {
  const storage = await ArrowStorage.open(await FsFileStore.open(directory));
  try {
    const harm = storage.recovered.filter((line) => /damaged|are lost|is lost|missing/.test(line));
    assert(harm.length === 0, () => `DAMAGED: ${harm.join(" ")}`);
    const details = new Map(storage.fading().map(({ entry, detail }) => [entry.id, detail]));
    const ids = model.slots.flatMap(({ id }) => (id === null ? [] : [id]));
    const forgotten = new Map(
      (await storage.forgotten(ids)).map(({ entry }) => [entry.id, entry] as const),
    );
    const bySource = new Map<string, ReturnType<typeof storage.catalog.byId>>();
    for (const entry of storage.catalog.entries()) {
      const source = entry.metadata[META.source] ?? "";
      assert(!bySource.has(source), () => `TWICE: ${source} is stored twice`);
      assert(model.bySource.has(source), () => `UNKNOWN: nobody stored ${source}`);
      bySource.set(source, entry);
    }
    model.observe((slot) => {
      const live = bySource.get(slot.source);
      const entry = live ?? (slot.id === null ? undefined : forgotten.get(slot.id));
      const keep = entry?.keep ?? "exact";
      return {
        presence: live ? "live" : entry ? "forgotten" : "none",
        id: entry?.id ?? null,
        title: entry?.metadata[META.title] ?? null,
        keep,
        detail: details.get(entry?.id ?? "") ?? keep,
      };
    });
  } finally {
    await storage.close();
  }
}

/** What is found by words, vectors and names. */
function questions({
  model,
  random,
  passages,
}: SoakStore): { query: RecallQuery; vector: Slot | null }[] {
  const live = model.surely("live");
  const some = random.sample(live, 12);
  const phrases = some.map((slot) =>
    passages.text(slot.serial, "").split(" ").slice(2, 8).join(" "),
  );
  const withVector = random.sample(
    live.filter(({ hasVector }) => hasVector),
    8,
  );
  return [
    ...some.map(({ word }) => ({ query: { query: word, topK: 10 }, vector: null })),
    ...phrases.map((query) => ({ query: { query, topK: 20 }, vector: null })),
    ...["united states", "public debt of the treasury", "congress", "indian tribes and peace"].map(
      (query) => ({ query: { query, topK: 50 }, vector: null }),
    ),
    ...withVector.map((slot) => ({ query: { query: "filed", topK: 10 }, vector: slot })),
    ...[1, 4].map((n) => ({
      query: { query: "filed", topK: 50, filter: { entities: [`Ledger ${n}`] } },
      vector: null,
    })),
  ];
}

interface Answer {
  /** Total score by memory. */
  scores: Map<string, number>;
  /** Of those that share the last place, which one is in is chance. */
  least: number;
}

async function answers(
  search: SearchService,
  asked: ReturnType<typeof questions>,
): Promise<Answer[]> {
  const found: Answer[] = [];
  for (const { query, vector } of asked) {
    // Here one text stands for several vectors; results are kept by the text.
    search.clearCache();
    const embedQuery = vector ? { embedQuery: async () => vectorOf(vector.serial) } : {};
    const { hits } = await search.recall(query, embedQuery);
    const isFull = hits.length === query.topK;
    found.push({
      scores: new Map(hits.map(({ memory, score }) => [memory.id, score.total])),
      least: isFull ? hits.at(-1)!.score.total : -Infinity,
    });
  }
  return found;
}

/** The indexes as they come from the snapshots against ones built from the memories. */
async function compareIndexes(store: SoakStore, directory: string): Promise<number> {
  const asked = questions(store);
  const lists: Answer[][] = [];
  const facets: string[] = [];
  for (const snapshots of ["auto", "always", "always", "never"] as const) {
    const storage = await ArrowStorage.open(await FsFileStore.open(directory));
    // Ages by the same clock: scores depend on it.
    const clock = { now: () => Date.UTC(2026, 0, 1), elapsed: () => 0 };
    const search = await SearchService.open(storage, { snapshots, clock });
    await search.vectorsLoaded();
    const fresh = await answers(search, asked);
    // Asked of the index itself: in a recall, conversations may outrank a vector that stands alone.
    for (const { vector } of asked)
      if (vector !== null) {
        const [nearest] = search.vectorIndex.search(vectorOf(vector.serial), { limit: 1 });
        assert(
          nearest !== undefined && storage.catalog.byOrdinal(nearest.ordinal)?.id === vector.id,
          () => `NOT FOUND: ${vector.source} by its vector`,
        );
      }
    const { entities } = await search.facets();
    lists.push(fresh);
    facets.push(JSON.stringify(entities));
    if (snapshots !== "never") await search.saveSnapshots();
    await search.close();
    await storage.close();
  }
  const expected = lists.at(-1)!;
  for (const [i, found] of lists.entries()) {
    assert(facets[i] === facets.at(-1), () => `INDEX: opening ${i} has other facets: ${facets[i]}`);
    for (const [n, answer] of found.entries())
      assert(
        !differs(answer, expected[n]!) && !differs(expected[n]!, answer),
        () =>
          `INDEX: opening ${i} answers ${JSON.stringify(asked[n]!.query)} with ${written(answer)}, a fresh index with ${written(expected[n]!)}`,
      );
  }
  return asked.length;
}

/** Sums of floats in another order differ by less. */
const TOLERANCE = 2e-5;

/** Whether one has what the other surely should have, and hasn't, or with another score. */
function differs(one: Answer, other: Answer): boolean {
  for (const [id, score] of one.scores) {
    if (score <= one.least + 2 * TOLERANCE) continue;
    const same = other.scores.get(id);
    if (same === undefined || Math.abs(same - score) > TOLERANCE) return true;
  }
  return false;
}

function written({ scores }: Answer): string {
  return [...scores].map(([id, total]) => `${total.toFixed(6)}:${id}`).join(" ");
}

async function askEngine(store: SoakStore, directory: string, everything: boolean): Promise<void> {
  const { model, random } = store;
  const engine = await createEngine({
    fileStore: await FsFileStore.open(directory),
    embedder: noEmbedder,
    sql: () => Promise.resolve(createNodeSqlEngine()),
  });
  try {
    const live = model.surely("live");
    const deleted = [...model.surely("gone"), ...model.surely("forgotten")];
    const listed = await browseAll(engine);
    for (const { id, source } of live)
      assert(listed.get(id!) === source, () => `NOT LISTED: ${source}`);
    assert(listed.size === live.length, () => `LISTED: ${listed.size} of ${live.length}`);
    for (const slot of live) {
      const { text, keep } = await engine.read(slot.id!);
      const isExact = keep !== "exact" || text === slot.text;
      assert(isExact, () => `CHANGED: the text of ${slot.source} is ${text}`);
    }
    for (const slot of random.sample(live, LIVE_SAMPLE))
      checkHits(await engine.recall({ query: slot.word }), slot, true);
    for (const slot of [
      ...deleted.slice(-DELETED_SAMPLE / 2),
      ...random.sample(deleted, DELETED_SAMPLE / 2),
    ]) {
      if (slot.id === null) continue;
      checkHits(await engine.recall({ query: slot.word, contextTokens: 500 }), slot, false);
      const read = await engine.read(slot.id).catch((error: { code?: string }) => error.code);
      assert(read === "not_found", () => `FOUND: ${slot.source} can be read, though deleted`);
    }
    const { items: episodes } = await engine.episodes.list({ limit: 100 });
    for (const { id } of episodes) {
      const { gist, members } = await engine.episodes.read(id);
      const told = deleted.find(({ word }) => gist.includes(word));
      assert(told === undefined, () => `FOUND: the gist ${id} tells of ${told?.source}`);
      for (const member of members)
        assert(listed.has(member.id), () => `FOUND: ${member.id} in an episode, though deleted`);
    }
    if (everything) await askOthers(engine, listed, model.bySource);
  } finally {
    await engine.close();
  }
}

async function browseAll(engine: Engine): Promise<Map<string, string>> {
  const listed = new Map<string, string>();
  for (let offset = 0; ; offset += 1_000) {
    const { items } = await engine.browse({ offset, limit: 1_000, order: "recorded" });
    for (const { id, metadata } of items) listed.set(id, metadata[META.source] ?? "");
    if (items.length < 1_000) return listed;
  }
}

async function askOthers(
  engine: Engine,
  listed: ReadonlyMap<string, string>,
  bySource: ReadonlyMap<string, Slot>,
): Promise<void> {
  const same = (ids: Iterable<string>, where: string): void => {
    const found = [...ids].sort();
    const expected = [...listed.keys()].sort();
    const missing = expected.filter((id) => !found.includes(id));
    const more = found.filter((id) => !listed.has(id));
    assert(found.join() === expected.join(), () => `${where}: without ${missing}, with ${more}`);
  };
  const { rows } = await engine.sql(
    "SELECT memory_id, content FROM memories WHERE episode_id IS DISTINCT FROM memory_id",
    { maxRows: 100_000 },
  );
  same(
    rows.map((row) => String(row["memory_id"])),
    "SQL",
  );
  const exported: string[] = [];
  for await (const { bytes } of engine.exportStore("jsonl"))
    for (const line of new TextDecoder().decode(bytes).split("\n")) {
      if (line === "") continue;
      const record = JSON.parse(line) as Record<string, unknown>;
      const id = String(record["memory_id"]);
      if (isEpisode({ id, episodeId: (record["episode_id"] ?? null) as string | null })) continue;
      exported.push(id);
      const slot = bySource.get(listed.get(id) ?? "");
      const content = record["content"];
      const isSame = content == null || content === slot?.text;
      assert(isSame, () => `CHANGED: the export holds ${String(content)} for ${slot?.source}`);
    }
  same(exported, "EXPORT");
  for (const { memory_id: id, content } of rows) {
    const slot = bySource.get(listed.get(String(id)) ?? "");
    assert(content === null || content === slot?.text, () => `CHANGED: SQL on ${slot?.source}`);
  }
}
