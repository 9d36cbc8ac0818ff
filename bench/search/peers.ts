/**
 * What the same questions cost elsewhere: SQLite's FTS5 alone (ranked OR of the words, in memory), and
 * FTS5 joined with a plain float32 scan as a hand-made hybrid. In the same process, one caller.
 */

import sqlite from "@sqlite.org/sqlite-wasm";
import { isFunctionWord, queryWords } from "../../src/search/text-analysis.ts";
import { topPlaces } from "../../src/search/top-places.ts";
import type { BigStore } from "./big-store.ts";
import { scanPlain, type ExactAnswers } from "./exact.ts";
import type { QueryVectors } from "./index.ts";
import type { BenchQuery } from "./queries.ts";
import type { Row, Speed } from "./rows.ts";
import { percentile } from "./statistics.ts";

/** Peers are slow at this size. */
const MAX_QUERIES = 120;
const CANDIDATES = 200;

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
  return rows;
}

function timed(queries: readonly BenchQuery[], ask: (query: BenchQuery) => void): Speed {
  for (const query of queries.slice(0, 10)) ask(query);
  const samples = queries.map((query) => {
    const from = performance.now();
    ask(query);
    return performance.now() - from;
  });
  const total = samples.reduce((sum, value) => sum + value, 0);
  return {
    queriesPerSecond: (samples.length * 1000) / total,
    p50Ms: percentile(samples, 0.5),
    p99Ms: percentile(samples, 0.99),
  };
}
