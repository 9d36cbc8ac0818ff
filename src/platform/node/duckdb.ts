/**
 * DuckDB-Wasm for Node: its worker bundle in a worker thread, no native module.
 *
 * The thread may open the segments that were registered, read-only, and no other file: DuckDB's
 * own file layer would open any path, and create it.
 */

import { createRequire } from "node:module";
import { Worker } from "node:worker_threads";
import { AppError } from "../../errors.ts";
import type { SqlEngine, SqlSource } from "../../ports/sql.ts";
import type { DuckDbHost } from "../duckdb/duckdb-host.ts";
import { type DuckDbEngineOptions, DuckDbSqlEngine } from "../duckdb/duckdb-sql-engine.ts";

/**
 * Runs first in the thread. Gives the bundle the worker globals that it expects, and closes `fs`
 * once the WebAssembly module is loaded: every path but the registered ones looks missing.
 */
const BOOTSTRAP = `
const { parentPort, workerData } = require("node:worker_threads");
const fs = require("node:fs");
const allowed = new Set();
let sealed = false;
const missing = (path) => Object.assign(new Error("No such file: " + path), { code: "ENOENT" });
for (const name of ["statSync", "lstatSync", "readFileSync", "readdirSync", "existsSync"]) {
  const original = fs[name];
  fs[name] = (path, ...rest) => {
    if (!sealed || allowed.has(path)) return original(path, ...rest);
    if (name === "existsSync") return false;
    throw missing(path);
  };
}
for (const name of ["mkdirSync", "rmSync", "rmdirSync", "truncateSync", "writeSync", "writeFileSync", "unlinkSync", "renameSync"]) {
  const original = fs[name];
  fs[name] = (...args) => {
    if (!sealed) return original(...args);
    throw Object.assign(new Error("Read-only"), { code: "EROFS" });
  };
}
const open = fs.openSync;
fs.openSync = (path, ...rest) => {
  if (!sealed) return open(path, ...rest);
  if (!allowed.has(path)) throw missing(path);
  return open(path, "r");
};
globalThis.postMessage = (message, transfer) => parentPort.postMessage(message, transfer);
require(workerData.workerPath);
parentPort.on("message", async (data) => {
  if (data.type === "REGISTER_FILE_URL") allowed.add(data.data[1]);
  await globalThis.onmessage({ data });
  if (data.type === "OPEN") sealed = true;
});
`;

type MessageListener = (event: { data: unknown }) => void;

/** A thread with DuckDB in it, its `fs` already closed. */
export async function startNodeDuckDb(): Promise<DuckDbHost> {
  const require = createRequire(import.meta.url);
  const duckdb = (await import("@duckdb/duckdb-wasm")) as typeof import("@duckdb/duckdb-wasm");
  const worker = new Worker(BOOTSTRAP, {
    eval: true,
    workerData: {
      workerPath: require.resolve("@duckdb/duckdb-wasm/dist/duckdb-node-eh.worker.cjs"),
    },
    // DuckDB logs what it also throws; none of it belongs on the streams of a command line.
    stdout: true,
    stderr: true,
  });
  const died = new Promise<never>((_, reject) => {
    const fail = (cause?: unknown): void =>
      reject(
        new AppError("worker_lost", "The SQL engine ended before it answered.", {
          hint: "Run the query again; narrow it when that happens twice.",
          retryable: true,
          cause,
        }),
      );
    worker.on("error", fail);
    worker.on("exit", () => fail());
  });
  died.catch(() => undefined);
  const listeners = new Set<MessageListener>();
  worker.on("message", (data: unknown) => {
    for (const listener of listeners) listener({ data });
  });
  const port = {
    addEventListener: (type: string, listener: MessageListener) => {
      if (type === "message") listeners.add(listener);
    },
    removeEventListener: (_type: string, listener: MessageListener) => listeners.delete(listener),
    postMessage: (message: unknown, transfer?: ArrayBuffer[]) =>
      worker.postMessage(message, transfer),
    terminate: () => void worker.terminate(),
  };
  const db = new duckdb.AsyncDuckDB(new duckdb.VoidLogger(), port as unknown as globalThis.Worker);
  try {
    const wasmPath = require.resolve("@duckdb/duckdb-wasm/dist/duckdb-eh.wasm");
    await Promise.race([db.instantiate(wasmPath), died]);
    await Promise.race([db.open({ path: ":memory:", query: { queryPollingInterval: 50 } }), died]);
  } catch (error) {
    await worker.terminate();
    throw error;
  }
  return {
    db,
    died,
    async register(name: string, { handle }: SqlSource): Promise<void> {
      if (handle.kind === "path")
        await db.registerFileURL(name, handle.path, duckdb.DuckDBDataProtocol.NODE_FS, false);
      else {
        // The buffer is transferred: DuckDB gets a copy of its own.
        const bytes =
          handle.kind === "bytes"
            ? handle.bytes.slice()
            : new Uint8Array(await handle.file.arrayBuffer());
        await db.registerFileBuffer(name, bytes);
      }
    },
    setBusy: (busy) => (busy ? worker.ref() : worker.unref()),
    async terminate() {
      await worker.terminate();
    },
  };
}

/** A lazily started DuckDB; an idle one doesn't keep the process alive. */
export function createNodeSqlEngine(options?: DuckDbEngineOptions): SqlEngine {
  return new DuckDbSqlEngine(startNodeDuckDb, options);
}
