/** What the engine needs of a running DuckDB worker; the Node and browser adapters provide it. */

import type { SqlSource } from "../../ports/sql.ts";
import type { LexedSql } from "./sql-guard.ts";

/** The part of `AsyncDuckDB` that is used here. */
export interface DuckDb {
  tokenize(text: string): Promise<LexedSql>;
  runQuery(connection: number, sql: string): Promise<Uint8Array>;
  startPendingQuery(connection: number, sql: string): Promise<Uint8Array | null>;
  pollPendingQuery(connection: number): Promise<Uint8Array | null>;
  cancelPendingQuery(connection: number): Promise<boolean>;
  fetchQueryResults(connection: number): Promise<Uint8Array>;
  getTableNames(connection: number, sql: string): Promise<string[]>;
  createPrepared(connection: number, sql: string): Promise<number>;
  closePrepared(connection: number, statement: number): Promise<void>;
  connectInternal(): Promise<number>;
  dropFile(name: string): Promise<unknown>;
}

/** A running DuckDB worker. */
export interface DuckDbHost {
  readonly db: DuckDb;
  /** Rejects when the worker dies; never resolves. */
  readonly died: Promise<never>;
  /** Makes the bytes of a source readable under `name`. */
  register(name: string, source: SqlSource): Promise<void>;
  /** Whether the process must stay alive for it. */
  setBusy?(busy: boolean): void;
  terminate(): Promise<void>;
}
