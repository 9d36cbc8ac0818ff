/** Loads SQLite (WebAssembly) once per thread, with in-memory databases only. Used by the index of record (fts5-record.ts). */

import type { Sqlite3Static } from "@sqlite.org/sqlite-wasm";
import { AppError } from "../errors.ts";

let loading: Promise<Sqlite3Static> | undefined;

/** The library; `model_failed` never, `internal` when its WebAssembly can't be loaded. */
export function loadSqlite(): Promise<Sqlite3Static> {
  loading ??= load().catch((error: unknown) => {
    loading = undefined;
    throw new AppError("internal", "The text index could not be loaded (sqlite3.wasm).", {
      hint: "Reload once with a network connection, so that the app can fetch its own files again.",
      retryable: true,
      cause: error,
    });
  });
  return loading;
}

async function load(): Promise<Sqlite3Static> {
  // Its file systems on OPFS start a worker of their own and warn where they can't: none is needed here.
  const scope = globalThis as { sqlite3ApiConfig?: unknown };
  scope.sqlite3ApiConfig = {
    warn: () => undefined,
    disable: {
      vfs: { kvvfs: true, opfs: true, "opfs-vfs": true, "opfs-sahpool": true, "opfs-wl": true },
    },
  };
  const { default: init } = await import("@sqlite.org/sqlite-wasm");
  try {
    return await init();
  } finally {
    delete scope.sqlite3ApiConfig;
  }
}
