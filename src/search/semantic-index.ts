/**
 * The full-text index: SQLite FTS5 in memory, BM25, one row per memory. Contentless: the text itself
 * stays in the segments, the table holds postings and the memory ids. Docs: decisions/0004.
 *
 * Flow: text → `prepareForIndex` → FTS5 (`porter unicode61`); query → `planQuery` → AND, then OR.
 */

import type { Database, PreparedStatement, Sqlite3Static } from "@sqlite.org/sqlite-wasm";
import { AppError } from "../errors.ts";
import type { OrdinalSet } from "./ordinal-set.ts";
import {
  ftsPhrase,
  ftsTerm,
  planQuery,
  stemsWithin,
  type QueryPlan,
  type QueryTerm,
} from "./query-plan.ts";
import { loadSqlite } from "./sqlite.ts";
import { foldWord, prepareForIndex } from "./text-analysis.ts";

/** One memory as the index sees it. */
export interface TextDocument {
  ordinal: number;
  id: string;
  /** Empty when it is the content itself: nothing is counted twice. */
  summary: string;
  entities: string;
  /** Title, source and names of the people: what the text is about and doesn't say itself. */
  topics: string;
  content: string;
}

export interface LexicalHit {
  ordinal: number;
  /** BM25 divided by that of the best hit: 0–1. */
  score: number;
}

export interface LexicalResult {
  hits: LexicalHit[];
  plan: QueryPlan;
  /** Terms that took part, after very common words were dropped. */
  usedTerms: QueryTerm[];
  /** Documents that hold every quoted phrase; null without phrases, or when no document has them. */
  phraseOrdinals: number[] | null;
}

/** BM25 weights of the columns: memory_id, summary, entities, topics, content. */
const COLUMN_WEIGHTS = "0.0, 1.0, 0.5, 1.0, 1.0";
/** A word in more than this share of the memories says little; dropped when others are left. */
const COMMON_SHARE = 0.3;
const COMMON_MIN_DOCUMENTS = 200;
/** The rarest words of a long query decide; the rest costs time. */
const MAX_TERMS = 24;
const MAX_PHRASE_ROWS = 100_000;

export class SemanticIndex {
  readonly #sqlite: Sqlite3Static;
  #db: Database;
  #insert: PreparedStatement;
  #select: PreparedStatement;
  #frequency: PreparedStatement;
  #docByOrdinal = new Map<number, number>();
  #ordinalByDoc: number[] = [];
  #textBytes = 0;
  #deadCount = 0;
  #frequencies = new Map<string, number>();

  private constructor(sqlite: Sqlite3Static, db: Database) {
    this.#sqlite = sqlite;
    this.#db = db;
    this.#insert = db.prepare(
      "INSERT INTO text_index(rowid, memory_id, summary, entities, topics, content) VALUES (?,?,?,?,?,?)",
    );
    this.#select = db.prepare(
      "SELECT rowid, rank FROM text_index WHERE text_index MATCH ? ORDER BY rank",
    );
    this.#frequency = db.prepare("SELECT doc FROM text_terms WHERE term = ?");
  }

  static async create(): Promise<SemanticIndex> {
    const sqlite = await loadSqlite();
    const db = new sqlite.oo1.DB(":memory:");
    // 1 KB of prefix index would cost a third more memory; prefixes are ranges over the terms already.
    db.exec(`
      PRAGMA journal_mode = OFF; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -16000;
      CREATE VIRTUAL TABLE text_index USING fts5(
        memory_id UNINDEXED, summary, entities, topics, content,
        content = '', contentless_delete = 1, contentless_unindexed = 1,
        tokenize = "porter unicode61 remove_diacritics 2 categories 'L* N* Co Mn Mc'");
      INSERT INTO text_index(text_index, rank) VALUES ('rank', 'bm25(${COLUMN_WEIGHTS})');
      CREATE VIRTUAL TABLE text_terms USING fts5vocab('text_index', 'row');
    `);
    return new SemanticIndex(sqlite, db);
  }

  /** Restores a snapshot; memories that `ordinalOf` doesn't know are dropped. `corrupt_data` when it isn't one. */
  static async restore(
    snapshot: Uint8Array,
    ordinalOf: (id: string) => number | undefined,
  ): Promise<SemanticIndex> {
    const sqlite = await loadSqlite();
    const db = new sqlite.oo1.DB(":memory:");
    try {
      const { capi, wasm } = sqlite;
      const pointer = wasm.allocFromTypedArray(snapshot);
      const flags = capi.SQLITE_DESERIALIZE_FREEONCLOSE | capi.SQLITE_DESERIALIZE_RESIZEABLE;
      db.checkRc(
        capi.sqlite3_deserialize(
          db.pointer!,
          "main",
          pointer,
          snapshot.length,
          snapshot.length,
          flags,
        ),
      );
      const index = new SemanticIndex(sqlite, db);
      const gone: number[] = [];
      db.exec({
        sql: "SELECT rowid, memory_id FROM text_index",
        rowMode: "array",
        callback: (row) => {
          const doc = row[0] as number;
          const ordinal = ordinalOf(row[1] as string);
          if (ordinal === undefined) gone.push(doc);
          else index.#map(doc, ordinal);
        },
      });
      index.#deleteDocs(gone);
      return index;
    } catch (error) {
      db.close();
      throw new AppError("corrupt_data", "The text index snapshot can't be read.", {
        hint: "It is rebuilt from the memories.",
        cause: error,
      });
    }
  }

  get size(): number {
    return this.#docByOrdinal.size;
  }

  /** UTF-16 units of text indexed since opening; what a rebuild would cost. */
  get textUnits(): number {
    return this.#textBytes;
  }

  has(ordinal: number): boolean {
    return this.#docByOrdinal.has(ordinal);
  }

  /** Adds or replaces. One transaction: all or none. */
  add(documents: readonly TextDocument[]): void {
    if (documents.length === 0) return;
    this.#frequencies.clear();
    this.#db.transaction(() => {
      this.#deleteDocs(this.#docsOf(documents.map((document) => document.ordinal)));
      for (const document of documents) {
        const doc = this.#ordinalByDoc.length || 1;
        this.#insert.bind([
          doc,
          document.id,
          prepareForIndex(document.summary),
          prepareForIndex(document.entities),
          prepareForIndex(document.topics),
          prepareForIndex(document.content),
        ]);
        this.#insert.step();
        this.#insert.reset(true);
        this.#map(doc, document.ordinal);
        this.#textBytes += document.summary.length + document.content.length;
      }
    });
  }

  remove(ordinals: readonly number[]): void {
    const docs = this.#docsOf(ordinals);
    if (docs.length === 0) return;
    this.#frequencies.clear();
    this.#db.transaction(() => this.#deleteDocs(docs));
    for (const ordinal of ordinals) this.#docByOrdinal.delete(ordinal);
  }

  /**
   * Best matches by BM25. AND of all words first; OR when that finds fewer than `enough`. With
   * `allow`, rows are read on until `limit` of them pass.
   */
  search(
    query: string | QueryPlan,
    options: { limit: number; enough?: number; allow?: OrdinalSet | undefined; prefix?: boolean },
  ): LexicalResult {
    const plan =
      typeof query === "string" ? planQuery(query, { prefix: options.prefix ?? false }) : query;
    const usedTerms = this.#chooseTerms(plan.terms);
    const phrases = plan.phrases.map(ftsPhrase).join(" AND ");
    const phraseRows = phrases === "" ? [] : this.#rows(phrases, MAX_PHRASE_ROWS, options.allow);
    if (phraseRows.length === 0 && plan.phrases.length > 0)
      return { ...this.#searchTerms(plan, usedTerms, "", options), phraseOrdinals: null };
    return {
      ...this.#searchTerms(plan, usedTerms, phrases, options),
      phraseOrdinals: phrases === "" ? null : phraseRows.map((row) => row.ordinal),
    };
  }

  /** How many memories hold the term. */
  documentFrequency(stem: string): number {
    let count = this.#frequencies.get(stem);
    if (count === undefined) {
      this.#frequency.bind([stem]);
      count = this.#frequency.step() ? (this.#frequency.getInt(0) ?? 0) : 0;
      this.#frequency.reset(true);
      this.#frequencies.set(stem, count);
    }
    return count;
  }

  /** Whether one memory holds the term, in any column. */
  matches(ordinal: number, term: QueryTerm): boolean {
    const doc = this.#docByOrdinal.get(ordinal);
    if (doc === undefined) return false;
    return (
      this.#db.selectValue("SELECT 1 FROM text_index WHERE text_index MATCH ? AND rowid = ?", [
        ftsTerm(term),
        doc,
      ]) === 1
    );
  }

  /** Merges everything and drops what deleted memories left in the postings. */
  purge(): void {
    if (this.#deadCount === 0) return;
    this.#db.exec("INSERT INTO text_index(text_index) VALUES ('optimize'); VACUUM;");
    this.#deadCount = 0;
  }

  /** The whole index as bytes, without residue of removed memories. */
  snapshot(): Uint8Array {
    this.#db.exec("INSERT INTO text_index(text_index) VALUES ('optimize'); VACUUM;");
    this.#deadCount = 0;
    return this.#sqlite.capi.sqlite3_js_db_export(this.#db);
  }

  close(): void {
    for (const statement of [this.#insert, this.#select, this.#frequency]) statement.finalize();
    this.#db.close();
    this.#docByOrdinal.clear();
  }

  #searchTerms(
    plan: QueryPlan,
    terms: QueryTerm[],
    phrases: string,
    options: { limit: number; enough?: number; allow?: OrdinalSet | undefined },
  ): Omit<LexicalResult, "phraseOrdinals"> {
    const loose = phrases === "" ? [...terms, ...this.#phraseTerms(plan)] : terms;
    if (phrases === "" && loose.length === 0) return { hits: [], plan, usedTerms: [] };
    const expressions = loose.map((term) => this.#expression(term));
    const enough = Math.min(options.enough ?? 50, options.limit);
    const all = [...(phrases === "" ? [] : [phrases]), ...expressions].join(" AND ");
    // Phrases stay required when the words around them are not: those then only add to the rank.
    const any = expressions.join(" OR ");
    const wide =
      phrases === "" ? any : `(${phrases}) AND (${[phrases, ...expressions].join(" OR ")})`;
    const rarest = Math.min(
      ...loose.map((term) => (term.prefix ? Infinity : this.documentFrequency(term.stem))),
    );
    let rows: { ordinal: number; rank: number }[] = [];
    if (all === wide || rarest >= enough) rows = this.#rows(all, options.limit, options.allow);
    if (all !== wide && rows.length < enough) rows = this.#rows(wide, options.limit, options.allow);
    const best = rows[0]?.rank ?? 0;
    return {
      hits: rows.map((row) => ({ ordinal: row.ordinal, score: best === 0 ? 0 : row.rank / best })),
      plan,
      usedTerms: loose,
    };
  }

  #phraseTerms(plan: QueryPlan): QueryTerm[] {
    return this.#chooseTerms(plan.phrases.flat().map((word) => ({ ...word, prefix: false })));
  }

  #chooseTerms(terms: readonly QueryTerm[]): QueryTerm[] {
    const limit = Math.max(COMMON_MIN_DOCUMENTS, COMMON_SHARE * this.size);
    const frequency = new Map(
      terms.map((term) => [term, term.prefix ? 0 : this.documentFrequency(term.stem)]),
    );
    const rare = terms.filter((term) => frequency.get(term)! <= limit);
    const some = rare.some((term) => term.prefix || frequency.get(term)! > 0) ? rare : [...terms];
    if (some.length <= MAX_TERMS) return some;
    const present = some.filter((term) => term.prefix || frequency.get(term)! > 0);
    return present.sort((a, b) => frequency.get(a)! - frequency.get(b)!).slice(0, MAX_TERMS);
  }

  #expression(term: QueryTerm): string {
    const base = ftsTerm(term);
    if (!term.prefix || this.#hasPrefix(foldWord(term.token))) return base;
    const stem = stemsWithin(term.token).find((shorter) => this.documentFrequency(shorter) > 0);
    return stem === undefined ? base : `(${base} OR "${stem}")`;
  }

  #hasPrefix(prefix: string): boolean {
    const sql = "SELECT 1 FROM text_terms WHERE term >= ? AND term < ? LIMIT 1";
    return this.#db.selectValue(sql, [prefix, `${prefix}\u{10ffff}`]) === 1;
  }

  #rows(
    expression: string,
    limit: number,
    allow: OrdinalSet | undefined,
  ): { ordinal: number; rank: number }[] {
    const rows: { ordinal: number; rank: number }[] = [];
    const select = this.#select;
    try {
      select.bind([expression]);
      while (rows.length < limit && select.step()) {
        const ordinal = this.#ordinalByDoc[select.getInt(0)!]!;
        if (allow === undefined || allow.has(ordinal))
          rows.push({ ordinal, rank: select.getFloat(1)! });
      }
    } finally {
      select.reset(true);
    }
    return rows;
  }

  #map(doc: number, ordinal: number): void {
    while (this.#ordinalByDoc.length < doc) this.#ordinalByDoc.push(-1);
    this.#ordinalByDoc[doc] = ordinal;
    this.#docByOrdinal.set(ordinal, doc);
  }

  #docsOf(ordinals: readonly number[]): number[] {
    return ordinals.flatMap((ordinal) => this.#docByOrdinal.get(ordinal) ?? []);
  }

  #deleteDocs(docs: readonly number[]): void {
    for (const doc of docs) {
      this.#db.exec({ sql: "DELETE FROM text_index WHERE rowid = ?", bind: [doc] });
      this.#ordinalByDoc[doc] = -1;
    }
    this.#deadCount += docs.length;
  }
}
