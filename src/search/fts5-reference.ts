/**
 * SQLite's FTS5 over texts, in memory: the index of record that the word index (`lexical/`) is held
 * against, by tests, by the benchmark and by `SemanticIndex.verify`. Not on the way of any query.
 * Docs: decisions/0004 for the table, decisions/0018 for its part.
 */

import type { Database, PreparedStatement } from "@sqlite.org/sqlite-wasm";
import type { TextDocument } from "./lexical/recent-documents.ts";
import { loadSqlite } from "./sqlite.ts";
import { prepareForIndex } from "./text-analysis.ts";

/** BM25 weights of the columns: summary, entities, topics, content. */
const COLUMN_WEIGHTS = "1.0, 0.5, 1.0, 1.0";

export class Fts5Reference {
  readonly #db: Database;
  readonly #insert: PreparedStatement;
  readonly #search: PreparedStatement;

  private constructor(db: Database) {
    this.#db = db;
    this.#insert = db.prepare(
      "INSERT INTO text_index(rowid, summary, entities, topics, content) VALUES (?,?,?,?,?)",
    );
    this.#search = db.prepare(
      "SELECT rowid, rank FROM text_index WHERE text_index MATCH ? ORDER BY rank LIMIT ?",
    );
  }

  static async create(): Promise<Fts5Reference> {
    const sqlite = await loadSqlite();
    const db = new sqlite.oo1.DB(":memory:");
    db.exec(`
      PRAGMA journal_mode = OFF; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -16000;
      CREATE VIRTUAL TABLE text_index USING fts5(
        summary, entities, topics, content, content = '', contentless_delete = 1,
        tokenize = "porter unicode61 remove_diacritics 2 categories 'L* N* Co Mn Mc'");
      INSERT INTO text_index(text_index, rank) VALUES ('rank', 'bm25(${COLUMN_WEIGHTS})');
      CREATE VIRTUAL TABLE text_terms USING fts5vocab('text_index', 'row');
    `);
    return new Fts5Reference(db);
  }

  /** Adds memories that it doesn't have yet. */
  add(documents: readonly TextDocument[]): void {
    this.#db.transaction(() => {
      for (const { ordinal, summary, entities, topics, content } of documents) {
        this.#insert.bind([
          ordinal + 1,
          prepareForIndex(summary),
          prepareForIndex(entities),
          prepareForIndex(topics),
          prepareForIndex(content),
        ]);
        this.#insert.step();
        this.#insert.reset(true);
      }
    });
  }

  /** The best `limit` of an FTS5 expression with the BM25 score of each, best first. */
  search(expression: string, limit: number): { ordinal: number; score: number }[] {
    const hits: { ordinal: number; score: number }[] = [];
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
    const statement = this.#db.prepare("SELECT term, doc FROM text_terms");
    try {
      while (statement.step()) yield [statement.getString(0)!, statement.getInt(1)!];
    } finally {
      statement.finalize();
    }
  }

  /** Bytes of the whole index. */
  get sizeBytes(): number {
    const pages = this.#db.selectValue("PRAGMA page_count") as number;
    return pages * (this.#db.selectValue("PRAGMA page_size") as number);
  }

  close(): void {
    this.#insert.finalize();
    this.#search.finalize();
    this.#db.close();
  }
}
