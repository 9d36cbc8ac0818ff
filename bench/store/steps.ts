/**
 * One step of the benchmark in a process of its own, so that its memory is its own: fills a store, or
 * opens one, asks it, and prints a line of JSON. Started by `index.ts`.
 */

import { setTimeout as sleep } from "node:timers/promises";
import { createEngine } from "../../src/create-engine.ts";
import { META, type MemoryInput } from "../../src/model/memory.ts";
import { createNodeSqlEngine } from "../../src/platform/node/duckdb.ts";
import { FsFileStore } from "../../src/platform/node/fs-file-store.ts";
import type { EmbedderProvider } from "../../src/ports/embedder.ts";
import { SearchService } from "../../src/search/search-service.ts";
import { loadSqlite } from "../../src/search/sqlite.ts";
import { ArrowStorage } from "../../src/storage/arrow-storage.ts";
import { readSentences } from "../search/sentences.ts";
import { percentile } from "../search/statistics.ts";
import {
  composedMemories,
  QUERIES,
  seededRandom,
  seededVector,
  sentenceMemories,
} from "./texts.ts";

/** So many are enough to tell what one costs. */
const ONE_BY_ONE = 300;
/** Rows of one journal frame. */
const GROUP = 2_048;
export interface StepReport {
  step: string;
  ms: number;
  cpuMs: number;
  /** Resident now, and the most so far in this process. */
  rssMb: number;
  peakRssMb: number;
  [more: string]: number | string;
}

/** Between two questions. */
const PACE_MS = 50;
const reports: StepReport[] = [];

async function measured<T>(
  step: string,
  work: () => Promise<T>,
  more: (result: T) => Record<string, number | string> = () => ({}),
): Promise<T> {
  const cpu = process.cpuUsage();
  const from = performance.now();
  const result = await work();
  const ms = performance.now() - from;
  const used = process.cpuUsage(cpu);
  reports.push({
    step,
    ms: Math.round(ms),
    cpuMs: Math.round((used.user + used.system) / 1000),
    rssMb: Math.round(process.memoryUsage.rss() / 1e6),
    peakRssMb: Math.round(process.resourceUsage().maxRSS / 1e3),
    ...more(result),
  });
  return result;
}

/** @param args the step, the store's folder, and up to two numbers */
export async function runStep(args: readonly string[]): Promise<void> {
  const [step, directory, first, second] = args as [string, string, string, string];
  const open = async (options = {}) =>
    ArrowStorage.open(await FsFileStore.open(directory), options);
  if (step === "remember") await remember(directory, Number(first));
  else if (step === "beside") await askBeside(directory, Number(first));
  else if (step === "sqlite") await insertIntoSqlite(Number(first));
  else if (step === "fill-journal" || step === "fill-segments") {
    const memories = await sentenceMemories(Number(first));
    const store = await open({ compactAtRows: 0, compactAtBytes: 0 });
    await measured(
      "append in groups, storage alone",
      async () => {
        for (let at = 0; at < memories.length; at += GROUP)
          await store.append(memories.slice(at, at + GROUP));
      },
      () => ({ memories: memories.length }),
    );
    if (step === "fill-segments") {
      await measured("fold the journal into segments", () => store.sqlSources());
      const search = await SearchService.open(store, { snapshots: "always" });
      await measured("save snapshots", () => search.saveSnapshots());
      await search.close();
    }
    await store.close();
  } else if (step === "fill-big") {
    // Little effort per byte: what is measured is memory, not ratio.
    const store = await open({ backgroundLevel: 1 });
    const appended = await measured(
      "fill, folding meanwhile",
      async () => {
        let bytes = 0;
        let memories = 0;
        for await (const group of composedMemories(Number(first), Number(second))) {
          await store.append(group);
          memories += group.length;
          for (const { originalBytes } of group) bytes += originalBytes;
        }
        return { memories, bytes };
      },
      ({ memories, bytes }) => ({ memories, textMb: Math.round(bytes / 1e6) }),
    );
    await measured("fold what is left", () => store.sqlSources());
    const sizes = await store.sizes();
    const before = sizes.segmentBytes;
    const [extra] = await sentenceMemories(1);
    const known = new Set(store.segments().map(({ number }) => number));
    await store.append([extra!]);
    await measured(
      "fold one more memory",
      () => store.sqlSources(),
      () => ({
        rewrittenSegments: store.segments().filter(({ number }) => !known.has(number)).length,
      }),
    );
    reports.at(-1)!.segmentMb = Math.round(before / 1e6);
    reports.at(-1)!.memories = appended.memories;
    await store.close();
  } else {
    const store = await measured(
      "open the store",
      () => open(),
      ({ catalog }) => ({ memories: catalog.size }),
    );
    const random = seededRandom(3);
    await measured("read 200 memories", async () => {
      for (let i = 0; i < 200; i++) {
        const entry = store.catalog.byOrdinal(Math.floor(random() * store.catalog.ordinalLimit));
        if (entry) await store.read(entry.id);
      }
    });
    if (step === "open") {
      const search = await measured("open the search", () => SearchService.open(store));
      await measured("its vectors", () => search.vectorsLoaded());
      await measured("first query", () => search.recall({ query: QUERIES[0]! }));
      await measured("200 queries", async () => {
        for (let i = 0; i < 200; i++)
          await search.recall({ query: `${QUERIES[i % QUERIES.length]!} ${i}` });
      });
      await measured("save snapshots", () => search.saveSnapshots());
      await search.close();
      await measured(
        "all of them, oldest first",
        async () => {
          let count = 0;
          for await (const memories of store.scanMemories()) count += memories.length;
          return count;
        },
        (memories) => ({ memories }),
      );
    }
    await store.close();
  }
  console.log(`\n@@${JSON.stringify(reports)}`);
}

const noModel: EmbedderProvider = {
  load: () => Promise.resolve(null),
  state: () => Promise.reject(new Error("The benchmark doesn't ask.")),
};

async function givenItems(count: number): Promise<MemoryInput[]> {
  const sentences = await readSentences(count);
  return sentences.map(({ text, source, title, timestamp }, i) => ({
    text,
    timestamp,
    metadata: { [META.source]: source, [META.title]: title },
    embedding: { model: "seeded", vector: seededVector(i) },
  }));
}

/** The whole engine: journal, catalog, word and vector index. */
async function remember(directory: string, count: number): Promise<void> {
  const items = await givenItems(count);
  const fileStore = await FsFileStore.open(directory);
  const engine = await createEngine({
    fileStore,
    embedder: noModel,
    sql: () => Promise.resolve(createNodeSqlEngine()),
  });
  const singles = items.slice(0, ONE_BY_ONE);
  const rest = items.slice(ONE_BY_ONE);
  await measured("remember one by one", async () => {
    for (const item of singles) await engine.remember([item]);
  });
  Object.assign(reports.at(-1)!, rateOf(singles.length));
  await measured("remember in one call", async () => {
    const receipts = await engine.remember(rest);
    const stored = receipts.filter(({ status }) => status === "stored").length;
    if (stored !== rest.length) throw new Error(`${stored} of ${rest.length} were stored.`);
    // Indexed, too: the last one is found.
    const { hits } = await engine.recall({ query: rest.at(-1)!.text.slice(0, 100) });
    if (hits.length === 0) throw new Error("What was stored last isn't found.");
  });
  Object.assign(reports.at(-1)!, rateOf(rest.length));
  await measured("close the engine", () => engine.close());
}

/** Questions at a steady pace while nothing else goes on, beside one large call, and beside compaction. */
async function askBeside(directory: string, count: number): Promise<void> {
  const items = await givenItems(count);
  const engine = await createEngine({
    fileStore: await FsFileStore.open(directory),
    embedder: noModel,
    sql: () => Promise.resolve(createNodeSqlEngine()),
  });
  const half = Math.floor(count / 2);
  await engine.remember(items.slice(0, half));
  const beside = async (step: string, work: () => Promise<unknown>): Promise<void> => {
    const latencies: number[] = [];
    await measured(step, async () => {
      let isDone = false;
      const working = work().finally(() => (isDone = true));
      const asked: Promise<unknown>[] = [];
      // From when a question was due, so that those which a busy thread keeps waiting count.
      for (let i = 0, due = performance.now(); !isDone; i++, due += PACE_MS) {
        await sleep(Math.max(0, due - performance.now()));
        const dueAt = due;
        const answered = engine
          .recall({ query: `${QUERIES[i % QUERIES.length]!} ${i}` })
          .then(() => latencies.push(performance.now() - dueAt));
        asked.push(answered);
      }
      await Promise.all(asked);
      await working;
    });
    const [p50, p99, worst] = [0.5, 0.99, 1].map((share) => percentile(latencies, share));
    Object.assign(reports.at(-1)!, {
      questions: latencies.length,
      "p50 ms": p50!.toFixed(1),
      "p99 ms": p99!.toFixed(1),
      "worst ms": worst!.toFixed(0),
    });
  };
  await beside("ask, nothing beside", () => sleep(3000));
  await beside(`ask beside one call of ${count - half}`, () => engine.remember(items.slice(half)));
  await beside("ask beside compaction", () => engine.compact());
  await engine.close();
}

function rateOf(count: number): Record<string, number> {
  const { ms, cpuMs } = reports.at(-1)!;
  return {
    memories: count,
    "memories/s": Math.round((count / ms) * 1000),
    "memories/cpu s": Math.round((count / cpuMs) * 1000),
  };
}

/** Text in an FTS5 table and vectors as blobs, in one transaction, in memory. */
async function insertIntoSqlite(count: number): Promise<void> {
  const items = await givenItems(count);
  const sqlite = await loadSqlite();
  const db = new sqlite.oo1.DB(":memory:");
  db.exec("CREATE VIRTUAL TABLE words USING fts5(text, tokenize = 'porter unicode61')");
  db.exec("CREATE TABLE vectors(id INTEGER PRIMARY KEY, vector BLOB)");
  await measured("peer: SQLite FTS5 and blobs, one transaction in memory", () => {
    const words = db.prepare("INSERT INTO words(rowid, text) VALUES (?, ?)");
    const vectors = db.prepare("INSERT INTO vectors VALUES (?, ?)");
    db.transaction(() => {
      items.forEach(({ text, embedding }, i) => {
        words.bind([i, text]).stepReset();
        vectors.bind([i, new Uint8Array((embedding!.vector as Float32Array).buffer)]).stepReset();
      });
    });
    words.finalize();
    vectors.finalize();
    return Promise.resolve();
  });
  Object.assign(reports.at(-1)!, rateOf(count));
  db.close();
}
