/**
 * What the same questions cost elsewhere: SQLite's FTS5 alone (ranked OR of the words, in memory), FTS5
 * joined with a plain float32 scan as a hand-made hybrid, and Orama's hybrid search, where it is
 * installed. In the same process, one caller.
 */

import sqlite from "@sqlite.org/sqlite-wasm";
import { EMBEDDING_DIMENSIONS as DIMENSIONS } from "../../src/model/vector.ts";
import { isFunctionWord, queryWords } from "../../src/search/text-analysis.ts";
import { topPlaces } from "../../src/search/top-places.ts";
import { load } from "../vectors/peer-packages.ts";
import type { BigStore } from "./big-store.ts";
import { scanPlain, type ExactAnswers } from "./exact.ts";
import type { QueryVectors } from "./index.ts";
import type { BenchQuery } from "./queries.ts";
import type { Row, Speed } from "./rows.ts";
import { percentile } from "./statistics.ts";

/** Peers are slow at this size. */
const MAX_QUERIES = 120;
const CANDIDATES = 200;
const ORAMA_QUERIES = 40;

export async function peerRows(
  { texts }: BigStore,
  queries: readonly BenchQuery[],
  vectors: QueryVectors,
  exact: ExactAnswers,
  data: string,
): Promise<Row[]> {
  const { oo1 } = await sqlite();
  const db = new oo1.DB(":memory:");
  const from = performance.now();
  db.exec(
    `CREATE VIRTUAL TABLE t USING fts5(title, speaker, content, content='', tokenize="porter unicode61")`,
  );
  const insert = db.prepare("INSERT INTO t(rowid, title, speaker, content) VALUES (?,?,?,?)");
  db.transaction(() => {
    texts.forEach((one, i) => {
      insert.bind([i + 1, one.title, one.speaker, one.text]).step();
      insert.reset(true);
    });
  });
  insert.finalize();
  const buildMs = performance.now() - from;
  const bytes = Number(
    db.selectValue("SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"),
  );
  const select = db.prepare(
    `SELECT rowid, rank FROM t WHERE t MATCH ? ORDER BY rank LIMIT ${CANDIDATES}`,
  );
  const words = ({ query, prefix }: BenchQuery): Map<number, number> => {
    const tokens = queryWords(query).map(({ token }) => token);
    const kept = tokens.filter((token) => !isFunctionWord(token));
    const terms = (kept.length > 0 ? kept : tokens).map((token, i, all) =>
      prefix && i === all.length - 1 ? `"${token}" *` : `"${token}"`,
    );
    const found = new Map<number, number>();
    if (terms.length === 0) return found;
    select.bind([terms.join(" OR ")]);
    while (select.step()) found.set(select.getInt(0)!, -select.getFloat(1)!);
    select.reset(true);
    return found;
  };
  const scores = new Float32Array(exact.ordinals.length);
  const hybrid = (query: BenchQuery, vector: Float32Array): void => {
    const found = words(query);
    scanPlain(exact.vectors, vector, scores);
    const best = Math.max(1e-9, ...found.values());
    for (const [row, score] of found) {
      const place = row - 1;
      if (place < scores.length) scores[place] = 0.4 * scores[place]! + (0.6 * score) / best;
    }
    topPlaces(scores, exact.ordinals, scores.length, 10);
  };
  const asked = queries.slice(0, MAX_QUERIES);
  const anyVector = vectors.all[0]![1];
  const common = { data, recall10: null, buildMs };
  const rows: Row[] = [
    {
      system: "SQLite FTS5 alone, words only",
      ...common,
      ...timed(asked, (query) => void words(query)),
      bytesPerMemory: Math.round(bytes / texts.length),
    },
    {
      system: "FTS5 and a plain float32 scan",
      ...common,
      ...timed(asked, (query) => hybrid(query, vectors.of(query.query) ?? anyVector)),
      bytesPerMemory: Math.round(bytes / texts.length) + 1536,
    },
  ];
  select.finalize();
  db.close();
  try {
    rows.push({ data, recall10: null, ...(await oramaRow(texts, asked, vectors, exact)) });
  } catch (error) {
    console.error(`SKIPPED Orama: ${error instanceof Error ? error.message : String(error)}`);
  }
  return rows;
}

/** Orama's own hybrid of BM25 and cosine, over the same fields and vectors. */
async function oramaRow(
  texts: BigStore["texts"],
  queries: readonly BenchQuery[],
  vectors: QueryVectors,
  exact: ExactAnswers,
): Promise<Omit<Row, "data" | "recall10">> {
  const { create, insertMultiple, search } = load<{
    create(options: object): object;
    insertMultiple(db: object, documents: object[], batch: number): Promise<unknown>;
    search(db: object, options: object): Promise<{ hits: unknown[] }>;
  }>("orama", "@orama/orama");
  const db = create({
    schema: { title: "string", speaker: "string", content: "string", v: `vector[${DIMENSIONS}]` },
  });
  const documents = Array.from(exact.ordinals, (ordinal, i) => ({
    id: String(ordinal),
    title: texts[ordinal]!.title,
    speaker: texts[ordinal]!.speaker,
    content: texts[ordinal]!.text,
    v: Array.from(exact.vectors.subarray(i * DIMENSIONS, (i + 1) * DIMENSIONS)),
  }));
  const heldBytes = (): number => {
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    return heapUsed + arrayBuffers;
  };
  const before = heldBytes();
  const from = performance.now();
  await insertMultiple(db, documents, 1000);
  const buildMs = performance.now() - from;
  const bytes = heldBytes() - before;
  const anyVector = vectors.all[0]![1];
  const samples: number[] = [];
  for (const { query } of queries.slice(0, ORAMA_QUERIES)) {
    const value = Array.from(vectors.of(query) ?? anyVector);
    const asked = performance.now();
    await search(db, {
      mode: "hybrid",
      term: query,
      vector: { value, property: "v" },
      similarity: 0,
      limit: 10,
    });
    samples.push(performance.now() - asked);
  }
  return {
    system: "Orama, hybrid search",
    ...speedOf(samples),
    buildMs,
    bytesPerMemory: Math.round(bytes / documents.length),
  };
}

function timed(queries: readonly BenchQuery[], ask: (query: BenchQuery) => void): Speed {
  for (const query of queries.slice(0, 10)) ask(query);
  const samples = queries.map((query) => {
    const from = performance.now();
    ask(query);
    return performance.now() - from;
  });
  return speedOf(samples);
}

function speedOf(samples: readonly number[]): Speed {
  const total = samples.reduce((sum, value) => sum + value, 0);
  return {
    queriesPerSecond: (samples.length * 1000) / total,
    p50Ms: percentile(samples, 0.5),
    p99Ms: percentile(samples, 0.99),
  };
}
