/** Read-only SQL over the segments. */

import type { KeepLevel } from "../model/memory.ts";
import type { FileHandle } from "./file-store.ts";

export interface SqlTable {
  columns: { name: string; type: string }[];
  /** Plain JSON values: bigint within ±2^53 as number, else as string; dates as ISO strings; BLOBs as base64. */
  rows: Record<string, unknown>[];
  /** Rows returned. */
  rowCount: number;
  /** True when the result was cut at the row limit, or at 64 MB. */
  truncated: boolean;
  elapsedMs: number;
}

/** One Parquet file that the `memories` view is made of. */
export interface SqlSource {
  name: string;
  handle: FileHandle;
}

export interface SqlAttachOptions {
  /** Memories that are in the files and must not appear: forgotten, not yet compacted away. */
  excludedIds?: readonly string[];
  /** Memories of which less is to be seen than the files hold: moved down, not yet compacted. */
  faded?: readonly { id: string; keep: KeepLevel }[];
}

export interface SqlEngine {
  /** Makes the view `memories` over these files; called again when the segments changed. */
  attach(sources: readonly SqlSource[], options?: SqlAttachOptions): Promise<void>;
  /**
   * Runs one SELECT (or WITH, VALUES, DESCRIBE, SUMMARIZE, SHOW, EXPLAIN) over `memories`; at most
   * `maxRows` rows (default 10,000). `query_failed` with the engine's words, `read_only` for a
   * write, `AbortError` when the signal fires.
   */
  query(sql: string, options?: { maxRows?: number; signal?: AbortSignal }): Promise<SqlTable>;
  close(): Promise<void>;
}
