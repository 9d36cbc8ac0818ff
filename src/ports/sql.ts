/** Read-only SQL over the segments. */

import type { FileHandle } from "./file-store.ts";

export interface SqlTable {
  columns: { name: string; type: string }[];
  /** Plain JSON values: bigint within ±2^53 as number, else as string; dates as ISO strings. */
  rows: Record<string, unknown>[];
  rowCount: number;
  /** True when the result was cut at the row limit. */
  truncated: boolean;
  elapsedMs: number;
}

/** One Parquet file that the `memories` view is made of. */
export interface SqlSource {
  name: string;
  handle: FileHandle;
}

export interface SqlEngine {
  /** Makes the view `memories` over these files; called again when the segments changed. */
  attach(sources: readonly SqlSource[]): Promise<void>;
  /** Runs one SELECT (or WITH, DESCRIBE, SUMMARIZE, EXPLAIN). `query_failed` with the engine's words otherwise. */
  query(sql: string, options?: { maxRows?: number; signal?: AbortSignal }): Promise<SqlTable>;
  close(): Promise<void>;
}
