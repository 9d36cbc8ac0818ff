/**
 * `npm run bench -- storage [--count N] [--embedded 200] [--levers] [--store DIR] [--json FILE]`:
 * bytes of a store on disk against the raw mails it was made of. All mails without vectors at keep
 * `exact` (`--store` keeps that store for the next run), then a sample with real vectors at `exact`
 * and at `summary`; `--levers` shows what other page sizes, orders and levels would give.
 */

import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { createEngine } from "../../src/create-engine.ts";
import type { ImportFile, ImportReport } from "../../src/engine.ts";
import { META, type KeepLevel } from "../../src/model/memory.ts";
import { createNodeSqlEngine } from "../../src/platform/node/duckdb.ts";
import { FsFileStore } from "../../src/platform/node/fs-file-store.ts";
import type { EmbedderProvider } from "../../src/ports/embedder.ts";
import { ArrowStorage } from "../../src/storage/arrow-storage.ts";
import { mailFiles, sumBytes } from "../ingest/mails.ts";
import { EmbeddingCache } from "../search/embeddings.ts";
import { LEVERS, measureLevers, solidRatio, type Body } from "./levers.ts";
import { measureStore, PARTS, type StoreBytes } from "./measure-store.ts";

const { values } = parseArgs({
  options: {
    count: { type: "string" },
    embedded: { type: "string", default: "200" },
    levers: { type: "boolean", default: false },
    store: { type: "string" },
    json: { type: "string" },
  },
});

interface StoreReport {
  name: string;
  memories: number;
  keeps: Record<KeepLevel, number>;
  /** Sizes of the originals that are stored (duplicates aside). */
  rawBytes: number;
  /** UTF-8 of the texts that are kept exactly. */
  bodyBytes: number;
  bytes: StoreBytes;
  import?: Pick<ImportReport, "storedCount" | "duplicateCount" | "failedCount" | "elapsedMs">;
  bodies: Body[];
}

const withoutModel: EmbedderProvider = {
  load: () => Promise.resolve(null),
  state: () => Promise.reject(new Error("This store is made without a model.")),
};

/** Imports, compacts and closes; the folder is then what an owner would find. */
async function fill(
  directory: string,
  files: ImportFile[],
  embedder: EmbedderProvider,
  keep: "exact" | "summary",
): Promise<ImportReport> {
  const engine = await createEngine({
    fileStore: await FsFileStore.open(directory),
    embedder,
    sql: () => Promise.resolve(createNodeSqlEngine()),
  });
  const report = await engine.importStore(
    { kind: "files", files },
    {
      keep,
      mode: "fast",
      onProgress: ({ done }) => process.stderr.write(`\r${done} of ${files.length} mails `),
    },
  );
  process.stderr.write("\n");
  await engine.compact();
  await engine.close();
  return report;
}

async function inspect(
  name: string,
  directory: string,
  report?: ImportReport,
): Promise<StoreReport> {
  const store = await ArrowStorage.open(await FsFileStore.open(directory));
  const keeps: StoreReport["keeps"] = { exact: 0, summary: 0, gist: 0 };
  const bodies: Body[] = [];
  const encoder = new TextEncoder();
  let rawBytes = 0;
  for await (const batch of store.scanMemories())
    for (const memory of batch) {
      keeps[memory.keep]++;
      rawBytes += memory.originalBytes;
      if (memory.content === null) continue;
      const thread = memory.metadata[META.thread] ?? memory.metadata[META.title] ?? memory.id;
      bodies.push({ bytes: encoder.encode(memory.content), timestamp: memory.timestamp, thread });
    }
  await store.close();
  return {
    name,
    memories: keeps.exact + keeps.summary + keeps.gist,
    keeps,
    rawBytes,
    bodyBytes: bodies.reduce((sum, body) => sum + body.bytes.length, 0),
    bytes: measureStore(directory),
    bodies,
    ...(report && {
      import: {
        storedCount: report.storedCount,
        duplicateCount: report.duplicateCount,
        failedCount: report.failedCount,
        elapsedMs: report.elapsedMs,
      },
    }),
  };
}

async function inTemporary<T>(work: (directory: string) => Promise<T>): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), "bench-storage-"));
  try {
    return await work(directory);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

async function wholeStore(): Promise<StoreReport> {
  const files = mailFiles(values.count === undefined ? Infinity : Number(values.count));
  console.log(`${files.length} raw mails, ${(sumBytes(files) / 1e6).toFixed(2)} MB`);
  const name = "exact, no vectors";
  const make = async (directory: string) =>
    inspect(name, directory, await fill(directory, files, withoutModel, "exact"));
  if (values.store === undefined) return inTemporary(make);
  return existsSync(join(values.store, "manifest-a"))
    ? inspect(name, values.store)
    : make(values.store);
}

/** Vectors come through the benchmarks' cache: sizes don't depend on when they were made. */
async function embeddedStores(count: number): Promise<StoreReport[]> {
  if (count === 0) return [];
  const cache = await EmbeddingCache.open();
  const provider: EmbedderProvider = {
    load: () =>
      Promise.resolve({
        info: cache.embedder.info,
        embed: async (texts) => (await cache.embed(texts)).map((vector) => vector!),
        countTokens: (text) => cache.embedder.countTokens(text),
        close: () => Promise.resolve(),
      }),
    state: () => Promise.reject(new Error("The benchmark doesn't ask.")),
  };
  const reports: StoreReport[] = [];
  for (const keep of ["exact", "summary"] as const)
    reports.push(
      await inTemporary(async (directory) =>
        inspect(
          `${keep}, vectors`,
          directory,
          await fill(directory, mailFiles(count), provider, keep),
        ),
      ),
    );
  await cache.close();
  return reports;
}

const reports = [await wholeStore(), ...(await embeddedStores(Number(values.embedded)))];

console.table(
  reports.map((report) => ({
    store: report.name,
    memories: report.memories,
    "kept exact": report.keeps.exact,
    "kept summary": report.keeps.summary,
    "raw mails MB": (report.rawBytes / 1e6).toFixed(2),
    "store MB": (report.bytes.totalBytes / 1e6).toFixed(2),
    "raw / store": (report.rawBytes / report.bytes.totalBytes).toFixed(2),
    "bodies MB": (report.bodyBytes / 1e6).toFixed(2),
    "bodies / content column": ratio(report.bodyBytes, report.bytes.parts.content),
    segments: report.bytes.segmentCount,
    "row groups": report.bytes.rowGroupCount,
  })),
);
console.log("\nBytes by part:");
console.table(
  PARTS.filter((part) => reports.some(({ bytes }) => bytes.parts[part] > 0)).map((part) => ({
    part,
    ...Object.fromEntries(
      reports.flatMap(({ name, memories, bytes }) => [
        [name, bytes.parts[part]],
        [`${name}, per memory`, (bytes.parts[part] / memories).toFixed(1)],
      ]),
    ),
  })),
);
const [whole] = reports;
const imported = whole!.import;
if (imported)
  console.log(
    `\nImport without embedding: ${(imported.storedCount / (imported.elapsedMs / 1000)).toFixed(0)} mails/s; ` +
      `${imported.duplicateCount} duplicates, ${imported.failedCount} failed.`,
  );
const inTimeOrder = [...whole!.bodies].sort((a, b) => a.timestamp - b.timestamp);
const solid19 = await solidRatio(inTimeOrder, 19);
console.log(
  `Text only: ${ratio(whole!.bodyBytes, whole!.bytes.parts.content)}x in the content column; ` +
    `all bodies as one zstd frame at level 19: ${solid19.toFixed(2)}x.`,
);
const levers = values.levers ? await measureLevers(whole!.bodies, LEVERS) : [];
if (values.levers)
  console.table(
    levers.map((row) => ({
      order: row.order,
      "page MB": row.pageBytes / 1024 / 1024,
      level: row.level,
      ratio: row.ratio.toFixed(3),
      seconds: row.seconds.toFixed(1),
    })),
  );
if (values.json)
  writeFileSync(
    values.json,
    JSON.stringify(
      { stores: reports.map(({ bodies: _, ...report }) => report), solid19, levers },
      null,
      2,
    ),
  );
// The embedding runtime's threads would keep the process.
process.exit();

function ratio(from: number, to: number): string {
  return to === 0 ? "-" : (from / to).toFixed(2);
}
