/**
 * DuckDB-Wasm for the browser: its own worker (also nested in the engine worker), worker script and
 * WebAssembly from the app's origin, Parquet read in place from OPFS files.
 */

import wasmUrl from "@duckdb/duckdb-wasm/dist/duckdb-eh.wasm?url";
import workerUrl from "@duckdb/duckdb-wasm/dist/duckdb-browser-eh.worker.js?url";
import { AppError } from "../../errors.ts";
import type { SqlEngine, SqlSource } from "../../ports/sql.ts";
import type { DuckDbHost } from "../duckdb/duckdb-host.ts";
import { type DuckDbEngineOptions, DuckDbSqlEngine } from "../duckdb/duckdb-sql-engine.ts";

async function startHost(): Promise<DuckDbHost> {
  const duckdb = await import("@duckdb/duckdb-wasm");
  // Absolute: a nested worker would resolve a relative URL against its own script.
  const absolute = (url: string): string => new URL(url, globalThis.location.origin).href;
  const worker = new Worker(absolute(workerUrl));
  const died = new Promise<never>((_, reject) => {
    worker.addEventListener("error", (event) => {
      event.preventDefault();
      reject(
        new AppError("worker_lost", "The SQL engine ended before it answered.", {
          hint: "Run the query again; narrow it when that happens twice.",
          retryable: true,
          cause: event.message,
        }),
      );
    });
  });
  died.catch(() => undefined);
  const port = {
    addEventListener: (type: string, listener: (event: MessageEvent) => void) => {
      if (type === "message") worker.addEventListener("message", listener);
    },
    removeEventListener: (type: string, listener: (event: MessageEvent) => void) => {
      if (type === "message") worker.removeEventListener("message", listener);
    },
    postMessage: (message: unknown, transfer: Transferable[] = []) =>
      worker.postMessage(message, transfer),
    terminate: () => worker.terminate(),
  };
  const db = new duckdb.AsyncDuckDB(new duckdb.VoidLogger(), port as unknown as Worker);
  try {
    await Promise.race([db.instantiate(absolute(wasmUrl)), died]);
    await Promise.race([db.open({ path: ":memory:", query: { queryPollingInterval: 50 } }), died]);
  } catch (error) {
    worker.terminate();
    throw error;
  }
  return {
    db,
    died,
    async register(name: string, { handle }: SqlSource): Promise<void> {
      if (handle.kind === "file")
        await db.registerFileHandle(
          name,
          handle.file,
          duckdb.DuckDBDataProtocol.BROWSER_FILEREADER,
          true,
        );
      else if (handle.kind === "bytes") {
        // The buffer is transferred: DuckDB gets a copy of its own.
        await db.registerFileBuffer(name, handle.bytes.slice());
      } else throw new AppError("internal", `A browser has no file at the path “${handle.path}”.`);
    },
    terminate: () => {
      worker.terminate();
      return Promise.resolve();
    },
  };
}

/** A lazily started DuckDB that ends itself when idle. */
export function createBrowserSqlEngine(options?: DuckDbEngineOptions): SqlEngine {
  return new DuckDbSqlEngine(startHost, options);
}
