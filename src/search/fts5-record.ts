/**
 * The index of record: SQLite's FTS5 over the same memories, in memory, fed in the background while
 * nobody works, from the texts in the store. `SemanticIndex` answers queries from its own index and is
 * verified against this one. Docs: decisions/0004 for the table, decisions/0018 for its part.
 */

import type { Database, PreparedStatement } from "@sqlite.org/sqlite-wasm";
import { AppError } from "../errors.ts";
import { nextTurn } from "../next-turn.ts";
import type { TextDocument } from "./lexical/recent-documents.ts";
import { OrdinalSet } from "./ordinal-set.ts";
import { loadSqlite } from "./sqlite.ts";
import { prepareForIndex } from "./text-analysis.ts";

/** The texts of those of the memories that are still there. */
export type DocumentSource = (ordinals: readonly number[]) => Promise<TextDocument[]>;

export interface Fts5RecordOptions {
  /** UTF-16 units of text that it takes at most; about two thirds as many bytes are used. */
  budgetUnits?: number;
  /** Units that all memories have, about: what won't fit isn't begun. */
  wholeUnits?: () => number;
  /** How long nothing must have happened before it goes on. */
  idleMs?: number;
}

export interface Fts5RecordStatus {
  /** Memories in the record. */
  memories: number;
  /** Memories that it has not, or not as they are now. */
  waiting: number;
  /** The budget is used up, or not enough for all: what waits stays out. */
  isFull: boolean;
}

/** BM25 weights of the columns: summary, entities, topics, content. */
const COLUMN_WEIGHTS = "1.0, 0.5, 1.0, 1.0";
const DEFAULT_BUDGET_UNITS = 256 * 1024 * 1024;
const DEFAULT_IDLE_MS = 2000;
/** Memories read at once, and how long their indexing keeps the thread before others have a turn. */
const BATCH = 64;
const SLICE_MS = 4;
const PAUSE_MS = 8;

export class Fts5Record {
  readonly #read: DocumentSource;
  readonly #budgetUnits: number;
  readonly #wholeUnits: () => number;
  readonly #idleMs: number;
  #db: Database | null = null;
  #insert: PreparedStatement | null = null;
  #search: PreparedStatement | null = null;
  readonly #indexed = new OrdinalSet(0);
  readonly #waiting = new OrdinalSet(0);
  /** What is read now and isn't taken in yet, without what was removed since. */
  #batch = new Set<number>();
  #units = 0;
  #removed = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #lastWorkMs = 0;
  #feeding: Promise<void> | null = null;
  #closed = false;

  constructor(read: DocumentSource, options: Fts5RecordOptions = {}) {
    this.#read = read;
    this.#budgetUnits = options.budgetUnits ?? DEFAULT_BUDGET_UNITS;
    this.#wholeUnits = options.wholeUnits ?? (() => 0);
    this.#idleMs = options.idleMs ?? DEFAULT_IDLE_MS;
  }

  get status(): Fts5RecordStatus {
    return {
      memories: this.#indexed.size,
      waiting: this.#waiting.size,
      isFull: Math.max(this.#units, this.#wholeUnits()) >= this.#budgetUnits,
    };
  }

  /** Bytes of the whole index. */
  get sizeBytes(): number {
    if (this.#db === null) return 0;
    const pages = this.#db.selectValue("PRAGMA page_count") as number;
    return pages * (this.#db.selectValue("PRAGMA page_size") as number);
  }

  /** These were added or changed. */
  changed(ordinals: Iterable<number>): void {
    for (const ordinal of ordinals) this.#waiting.add(ordinal);
    this.touch();
  }

  removed(ordinals: Iterable<number>): void {
    for (const ordinal of ordinals) {
      this.#waiting.delete(ordinal);
      this.#batch.delete(ordinal);
      this.#drop(ordinal);
    }
  }

  /** Somebody works: the record waits until it is quiet again. */
  touch(): void {
    this.#lastWorkMs = performance.now();
    if (this.#timer === undefined && this.#waiting.size > 0 && !this.#closed)
      this.#wait(this.#idleMs);
  }

  /** Takes in everything that waits, now. */
  async drain(): Promise<void> {
    while (this.#waiting.size > 0 && !this.#closed && !this.status.isFull) await this.#feed();
  }

  /** The best `limit` of an FTS5 expression with the BM25 score of each, best first. */
  search(expression: string, limit: number): { ordinal: number; score: number }[] {
    const hits: { ordinal: number; score: number }[] = [];
    if (this.#search === null) return hits;
    try {
      this.#search.bind([expression, limit]);
      while (this.#search.step())
        hits.push({ ordinal: this.#search.getInt(0)! - 1, score: -this.#search.getFloat(1)! });
    } finally {
      this.#search.reset(true);
    }
    return hits;
  }

  /** Every term with the number of memories that have it. */
  *terms(): Generator<[term: string, documents: number]> {
    if (this.#db === null) return;
    const statement = this.#db.prepare("SELECT term, doc FROM text_terms");
    try {
      while (statement.step()) yield [statement.getString(0)!, statement.getInt(1)!];
    } finally {
      statement.finalize();
    }
  }

  /** Drops what removed memories left in the postings. */
  purge(): void {
    if (this.#removed === 0) return;
    this.#removed = 0;
    this.#db?.exec("INSERT INTO text_index(text_index) VALUES ('optimize'); VACUUM;");
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#insert?.finalize();
    this.#search?.finalize();
    this.#db?.close();
    this.#db = this.#insert = this.#search = null;
  }

  #wait(delayMs: number): void {
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#closed || this.#waiting.size === 0 || this.status.isFull) return;
      const quietMs = performance.now() - this.#lastWorkMs;
      if (quietMs < this.#idleMs) return this.#wait(this.#idleMs - quietMs);
      void this.#feed().then(
        () => this.#wait(PAUSE_MS),
        // Tried again when something changes; `waiting` says that it is behind.
        () => undefined,
      );
    }, delayMs);
    // A command that is done must not wait for it.
    (this.#timer as { unref?: () => void }).unref?.();
  }

  /** Takes in one batch; several callers share it. */
  #feed(): Promise<void> {
    this.#feeding ??= this.#takeBatch().finally(() => {
      this.#feeding = null;
    });
    return this.#feeding;
  }

  async #takeBatch(): Promise<void> {
    await this.#open();
    const batch = (this.#batch = new Set<number>());
    for (const ordinal of this.#waiting) if (batch.add(ordinal).size === BATCH) break;
    for (const ordinal of batch) this.#waiting.delete(ordinal);
    let documents: TextDocument[];
    try {
      documents = await this.#read([...batch]);
    } catch (error) {
      for (const ordinal of batch) this.#waiting.add(ordinal);
      throw error;
    }
    for (let at = 0; at < documents.length && !this.#closed;) {
      const until = performance.now() + SLICE_MS;
      this.#db!.transaction(() => {
        // What changed again while it was read waits for the next batch; what was removed isn't in this one.
        for (; at < documents.length && performance.now() < until; at++) {
          const { ordinal } = documents[at]!;
          if (batch.has(ordinal) && !this.#waiting.has(ordinal)) this.#put(documents[at]!);
        }
      });
      if (at < documents.length) await nextTurn();
    }
  }

  #put(document: TextDocument): void {
    const { ordinal, summary, entities, topics, content } = document;
    this.#drop(ordinal);
    this.#insert!.bind([
      ordinal + 1,
      prepareForIndex(summary),
      prepareForIndex(entities),
      prepareForIndex(topics),
      prepareForIndex(content),
    ]);
    this.#insert!.step();
    this.#insert!.reset(true);
    this.#indexed.add(ordinal);
    this.#units += summary.length + content.length;
  }

  #drop(ordinal: number): void {
    if (!this.#indexed.has(ordinal)) return;
    this.#indexed.delete(ordinal);
    this.#removed++;
    this.#db!.exec({ sql: "DELETE FROM text_index WHERE rowid = ?", bind: [ordinal + 1] });
  }

  async #open(): Promise<void> {
    if (this.#db !== null) return;
    const sqlite = await loadSqlite();
    if (this.#closed) throw new AppError("closed", "The search was closed.");
    const db = new sqlite.oo1.DB(":memory:");
    db.exec(`
      PRAGMA journal_mode = OFF; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -16000;
      CREATE VIRTUAL TABLE text_index USING fts5(
        summary, entities, topics, content, content = '', contentless_delete = 1,
        tokenize = "porter unicode61 remove_diacritics 2 categories 'L* N* Co Mn Mc'");
      INSERT INTO text_index(text_index, rank) VALUES ('rank', 'bm25(${COLUMN_WEIGHTS})');
      CREATE VIRTUAL TABLE text_terms USING fts5vocab('text_index', 'row');
    `);
    this.#insert = db.prepare(
      "INSERT INTO text_index(rowid, summary, entities, topics, content) VALUES (?,?,?,?,?)",
    );
    this.#search = db.prepare(
      "SELECT rowid, rank FROM text_index WHERE text_index MATCH ? ORDER BY rank LIMIT ?",
    );
    this.#db = db;
  }
}
