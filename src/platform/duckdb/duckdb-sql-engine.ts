/**
 * `SqlEngine` over DuckDB-Wasm in a worker; the Node and browser adapters give it the worker.
 *
 * Lazy: the worker starts with the first query and ends after some idle minutes. Bounded: rows,
 * result bytes, DuckDB's memory and time have limits; a query that doesn't answer to a cancel takes
 * its worker with it, and the next query starts a new one. Read-only: see `sql-guard.ts`.
 */

import { AppError, isAbortError, throwIfAborted } from "../../errors.ts";
import type { SqlAttachOptions, SqlEngine, SqlSource, SqlTable } from "../../ports/sql.ts";
import type { DuckDbHost } from "./duckdb-host.ts";
import {
  EXCLUDED_TABLE,
  FADED_TABLE,
  memoriesViewSql,
  quoteLiteral,
  STORE_SCHEMA,
} from "./memories-view.ts";
import { QueryDeadline } from "./query-deadline.ts";
import { readRows, runStatement } from "./result-reader.ts";
import { forbiddenFunctions, planSql, SENTINEL, statementFor } from "./sql-guard.ts";

export interface DuckDbEngineOptions {
  /** Ends the worker after this time without a query. Default 3 minutes. */
  idleMs?: number;
  /** Longest run of one query. Default 60 s. */
  timeoutMs?: number;
  /** DuckDB's own limit, in MB. Default 768. */
  memoryLimitMb?: number;
}

const DEFAULT_MAX_ROWS = 10_000;
/** How long a cancelled query may take to stop before its worker is ended. */
const CANCEL_GRACE_MS = 1_500;

interface Session {
  host: DuckDbHost;
  /** Runs the queries. */
  main: number;
  /** Doesn't see the view, so DuckDB lists there every table name that a query mentions. */
  guard: number;
  forbidden: Set<string>;
  files: string[];
  /** The attachment that the view shows. */
  attached: number;
  columns: string[];
}

export class DuckDbSqlEngine implements SqlEngine {
  readonly #start: () => Promise<DuckDbHost>;
  readonly #options: Required<DuckDbEngineOptions>;
  #sources: readonly SqlSource[] = [];
  #excludedIds: readonly string[] = [];
  #faded: NonNullable<SqlAttachOptions["faded"]> = [];
  #attachment = 0;
  #session: Session | null = null;
  #queue: Promise<unknown> = Promise.resolve();
  #idleTimer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  constructor(start: () => Promise<DuckDbHost>, options: DuckDbEngineOptions = {}) {
    this.#start = start;
    this.#options = { idleMs: 180_000, timeoutMs: 60_000, memoryLimitMb: 768, ...options };
  }

  /** Nothing is read yet: the next query shows these sources, and reports what is wrong with them. */
  attach(sources: readonly SqlSource[], options: SqlAttachOptions = {}): Promise<void> {
    return this.#enqueue(() => {
      this.#sources = [...sources];
      this.#excludedIds = [...(options.excludedIds ?? [])];
      this.#faded = [...(options.faded ?? [])];
      this.#attachment++;
      return Promise.resolve();
    });
  }

  query(sql: string, options: { maxRows?: number; signal?: AbortSignal } = {}): Promise<SqlTable> {
    const maxRows = options.maxRows ?? DEFAULT_MAX_ROWS;
    if (!Number.isInteger(maxRows) || maxRows < 1)
      return Promise.reject(
        new AppError("invalid_input", `maxRows is ${maxRows}.`, {
          hint: "Give a whole number of at least 1.",
        }),
      );
    return this.#enqueue(() => {
      throwIfAborted(options.signal);
      return this.#guarded(() => this.#run(sql, maxRows, options.signal));
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#end();
  }

  #checkOpen(): void {
    if (this.#closed)
      throw new AppError("closed", "The SQL engine was closed.", { hint: "Open the store again." });
  }

  /** One call after the other: a connection runs one query at a time. */
  #enqueue<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(() => {
      this.#checkOpen();
      return work();
    });
    this.#queue = result.catch(() => undefined);
    return result;
  }

  async #guarded<T>(work: () => Promise<T>): Promise<T> {
    clearTimeout(this.#idleTimer);
    try {
      return await work();
    } finally {
      this.#session?.host.setBusy?.(false);
      if (this.#session && !this.#closed) {
        this.#idleTimer = setTimeout(
          () => void this.#enqueue(() => this.#end()).catch(() => undefined),
          this.#options.idleMs,
        );
        (this.#idleTimer as { unref?: () => void }).unref?.();
      }
    }
  }

  async #end(): Promise<void> {
    clearTimeout(this.#idleTimer);
    const session = this.#session;
    this.#session = null;
    await session?.host.terminate();
  }

  /** The running session; started when there is none. */
  async #open(): Promise<Session> {
    if (this.#session) {
      this.#session.host.setBusy?.(true);
      return this.#session;
    }
    let host: DuckDbHost;
    try {
      host = await this.#start();
    } catch (cause) {
      throw new AppError("internal", "The SQL engine could not be started.", {
        hint: "Search and reading work without it. Reload and try again; in a browser it needs about 1 GB of free memory.",
        retryable: true,
        cause,
      });
    }
    host.died.catch(() => {
      if (this.#session?.host === host) this.#session = null;
    });
    try {
      const session = await this.#prepare(host);
      if (this.#closed) this.#checkOpen();
      return (this.#session = session);
    } catch (error) {
      await host.terminate();
      throw error;
    }
  }

  async #prepare(host: DuckDbHost): Promise<Session> {
    host.setBusy?.(true);
    const { db } = host;
    const main = await db.connectInternal();
    const guard = await db.connectInternal();
    await db.runQuery(main, `CREATE SCHEMA ${STORE_SCHEMA}`);
    await db.runQuery(main, `SET schema = '${STORE_SCHEMA}'`);
    await db.runQuery(main, `CREATE TABLE ${EXCLUDED_TABLE} (memory_id VARCHAR)`);
    await db.runQuery(main, `CREATE TABLE ${FADED_TABLE} (memory_id VARCHAR, keep VARCHAR)`);
    await db.runQuery(main, `SET memory_limit = '${this.#options.memoryLimitMb}MB'`);
    await db.runQuery(main, "SET enable_object_cache = true");
    const functions = readRows(
      await db.runQuery(
        main,
        "SELECT DISTINCT function_name AS name FROM duckdb_functions() WHERE function_type NOT IN ('scalar', 'aggregate', 'macro')",
      ),
    );
    await db.runQuery(main, "SET lock_configuration = true");
    return {
      host,
      main,
      guard,
      forbidden: forbiddenFunctions(functions.map((row) => String(row["name"]))),
      files: [],
      attached: -1,
      columns: [],
    };
  }

  /** Makes the session show the newest attachment. */
  async #refresh(): Promise<Session> {
    const session = await this.#open();
    const attachment = this.#attachment;
    if (session.attached === attachment) return session;
    const { db } = session.host;
    const sources = this.#sources;
    // Names are ours: DuckDB caches metadata by name, and a source's name may hold anything.
    const names = sources.map((_, index) => `segment-${attachment}-${index}.parquet`);
    try {
      for (const [index, source] of sources.entries())
        await session.host.register(names[index]!, source);
      await this.#fill(
        session,
        EXCLUDED_TABLE,
        this.#excludedIds.map((id) => [id]),
      );
      await this.#fill(
        session,
        FADED_TABLE,
        this.#faded.map(({ id, keep }) => [id, keep]),
      );
      const hidden = { excluded: this.#excludedIds.length > 0, faded: this.#faded.length > 0 };
      await db.runQuery(session.main, memoriesViewSql(names, hidden));
      const columns = readRows(await db.runQuery(session.main, "DESCRIBE memories"));
      session.columns = columns.map((row) => String(row["column_name"]));
    } catch (error) {
      throw queryError(error, session.columns);
    }
    const old = session.files;
    session.files = names;
    session.attached = attachment;
    for (const name of old) await db.dropFile(name).catch(() => undefined);
    return session;
  }

  async #fill(session: Session, table: string, rows: readonly string[][]): Promise<void> {
    const { db } = session.host;
    await db.runQuery(session.main, `DELETE FROM ${table}`);
    for (let i = 0; i < rows.length; i += 1_000) {
      const values = rows.slice(i, i + 1_000).map((row) => `(${row.map(quoteLiteral).join(", ")})`);
      await db.runQuery(session.main, `INSERT INTO ${table} VALUES ${values.join(", ")}`);
    }
  }

  async #run(sql: string, maxRows: number, signal: AbortSignal | undefined): Promise<SqlTable> {
    const started = performance.now();
    const session = await this.#refresh();
    const { db, died } = session.host;
    const deadline = new QueryDeadline(this.#options.timeoutMs, signal);
    let running = false;
    const work = async (): Promise<SqlTable> => {
      const plan = planSql(sql, await db.tokenize(sql + SENTINEL), session.forbidden);
      if (plan.body) await this.#checkTables(session, plan.body);
      const statement = statementFor(plan, maxRows + 1);
      deadline.check();
      running = true;
      const result = await runStatement(db, session.main, statement, maxRows, deadline);
      return { ...result, elapsedMs: performance.now() - started };
    };
    try {
      return await Promise.race([work(), died, deadline.overdue()]);
    } catch (error) {
      if (deadline.passed) await this.#stop(session, running);
      if (error instanceof AppError || isAbortError(error)) throw error;
      throw queryError(await this.#clearError(session, sql, error), session.columns);
    } finally {
      deadline.clear();
    }
  }

  /** Every table that DuckDB's binder finds must be the view. */
  async #checkTables(session: Session, body: string): Promise<void> {
    // The binder can't extract names from these (and would log that it failed); see `sql-guard.ts`.
    if (/\bunnest\b/i.test(body)) return;
    let names: string[];
    try {
      names = await session.host.db.getTableNames(session.guard, body);
    } catch {
      // The tokens were checked before; what is really wrong with the query its run will say.
      return;
    }
    const other = names.find((name) => name.toLowerCase() !== "memories");
    if (other !== undefined)
      throw new AppError("query_failed", `There is no table “${other}”.`, {
        hint: "Queries read the view memories and nothing else: SELECT … FROM memories.",
      });
  }

  /** Cancels the running query; ends the worker when it doesn't answer. */
  async #stop(session: Session, running: boolean): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const grace = new Promise<false>((resolve) => {
      timer = setTimeout(() => resolve(false), CANCEL_GRACE_MS);
    });
    const { db } = session.host;
    // Before the start there is nothing to cancel; any answer shows that the worker is free.
    const answer = running ? db.cancelPendingQuery(session.main) : db.tokenize("");
    const answered = answer.then(
      () => true,
      () => true,
    );
    const stopped = await Promise.race([answered, grace]);
    clearTimeout(timer);
    if (!stopped && this.#session === session) await this.#end();
  }

  /** The error of the query as it was written, without the statement around it (line numbers differ). */
  async #clearError(session: Session, sql: string, error: unknown): Promise<unknown> {
    if (this.#session !== session) return error;
    try {
      const statement = await session.host.db.createPrepared(session.main, sql);
      await session.host.db.closePrepared(session.main, statement);
      return error;
    } catch (clear) {
      return clear;
    }
  }
}

/** DuckDB's words as an `AppError`, with a hint where one is known. */
function queryError(error: unknown, columns: readonly string[]): AppError {
  const message = (error instanceof Error ? error.message : String(error)).trim();
  let hint = "Check the query; the view is called memories.";
  if (/Referenced column|does not have a column|column .* not found/i.test(message))
    hint = `The columns of memories are: ${columns.join(", ")}.`;
  else if (/Out of Memory/i.test(message))
    hint = "Narrow the query with WHERE, or select fewer columns (content is the large one).";
  else if (/Expected a single statement/i.test(message))
    hint = "Write one statement. PIVOT needs its values written out: ON column IN ('a', 'b').";
  return new AppError("query_failed", message, { hint, cause: error });
}
