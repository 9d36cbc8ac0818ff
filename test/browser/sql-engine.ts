/**
 * The contract of `SqlEngine`, as plain cases: vitest runs them over the Node adapter, a browser
 * page over its own. The Parquet files are real, in the columns of a segment.
 */

import { parquetWriteBuffer } from "hyparquet-writer";
import { AppError, isAbortError } from "../../src/errors.ts";
import type { SqlEngine, SqlSource } from "../../src/ports/sql.ts";

export interface SqlContractSubject {
  engine: SqlEngine;
  /** The bytes as a source of the kind that this platform reads in place. */
  source(name: string, bytes: Uint8Array): Promise<SqlSource>;
  dispose?(): Promise<void>;
}

export interface SqlContractCase {
  name: string;
  run(subject: SqlContractSubject): Promise<void>;
}

interface Row {
  id: string;
  text: string | null;
  timestamp: number;
  metadata: Record<string, string>;
  originalBytes?: number;
  storedBytes?: number;
  episodeId?: string;
}

const SCHEMA = [
  { name: "root", num_children: 9 },
  {
    name: "memory_id",
    type: "BYTE_ARRAY" as const,
    converted_type: "UTF8" as const,
    repetition_type: "REQUIRED" as const,
  },
  {
    name: "content",
    type: "BYTE_ARRAY" as const,
    converted_type: "UTF8" as const,
    repetition_type: "OPTIONAL" as const,
  },
  {
    name: "entities",
    converted_type: "LIST" as const,
    repetition_type: "REQUIRED" as const,
    num_children: 1,
  },
  { name: "list", repetition_type: "REPEATED" as const, num_children: 1 },
  { name: "element", repetition_type: "REQUIRED" as const, num_children: 2 },
  {
    name: "text",
    type: "BYTE_ARRAY" as const,
    converted_type: "UTF8" as const,
    repetition_type: "REQUIRED" as const,
  },
  { name: "confidence", type: "FLOAT" as const, repetition_type: "REQUIRED" as const },
  { name: "timestamp", type: "INT64" as const, repetition_type: "REQUIRED" as const },
  {
    name: "metadata",
    converted_type: "MAP" as const,
    repetition_type: "REQUIRED" as const,
    num_children: 1,
  },
  { name: "key_value", repetition_type: "REPEATED" as const, num_children: 2 },
  {
    name: "key",
    type: "BYTE_ARRAY" as const,
    converted_type: "UTF8" as const,
    repetition_type: "REQUIRED" as const,
  },
  {
    name: "value",
    type: "BYTE_ARRAY" as const,
    converted_type: "UTF8" as const,
    repetition_type: "OPTIONAL" as const,
  },
  { name: "embedding", type: "BYTE_ARRAY" as const, repetition_type: "OPTIONAL" as const },
  {
    name: "episode_id",
    type: "BYTE_ARRAY" as const,
    converted_type: "UTF8" as const,
    repetition_type: "OPTIONAL" as const,
  },
  { name: "original_bytes", type: "INT64" as const, repetition_type: "REQUIRED" as const },
  { name: "stored_bytes", type: "INT64" as const, repetition_type: "REQUIRED" as const },
];

function segment(rows: readonly Row[]): Uint8Array {
  const columns: Record<string, unknown[]> = {
    memory_id: rows.map((row) => row.id),
    content: rows.map((row) => row.text),
    entities: rows.map((row) =>
      [...(row.text ?? "").matchAll(/\b[A-Z]\w+/g)].map(([text]) => ({ text, confidence: 0.5 })),
    ),
    timestamp: rows.map((row) => BigInt(row.timestamp)),
    metadata: rows.map((row) =>
      Object.entries(row.metadata).map(([key, value]) => ({ key, value })),
    ),
    embedding: rows.map(() => new Uint8Array([1, 2, 255])),
    episode_id: rows.map((row) => row.episodeId ?? null),
    original_bytes: rows.map((row) => BigInt(row.originalBytes ?? 100)),
    stored_bytes: rows.map((row) => BigInt(row.storedBytes ?? 25)),
  };
  const columnData = Object.entries(columns).map(([name, data]) => ({ name, data }));
  return new Uint8Array(parquetWriteBuffer({ columnData, schema: SCHEMA }));
}

const MAY = Date.UTC(2024, 4, 3, 9, 30);
const ROWS: Row[] = [
  {
    id: "a",
    text: "Ann asked for the Lisbon figures.",
    timestamp: MAY,
    metadata: { source: "mail", speaker: "Ann", kind: "mail", title: "Figures" },
  },
  {
    id: "b",
    text: "They came to 1,204 euros.",
    timestamp: MAY + 1_000,
    metadata: { source: "mail" },
  },
  { id: "c", text: null, timestamp: Date.UTC(2024, 5, 1), metadata: { source: "notes" } },
];

function equal(actual: unknown, expected: unknown, what = "value"): void {
  const [a, b] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (a !== b) throw new Error(`${what}: ${a} instead of ${b}`);
}

async function failure(promise: Promise<unknown>): Promise<Error> {
  try {
    const value = await promise;
    throw new Error(`it was accepted: ${JSON.stringify(value)?.slice(0, 200)}`);
  } catch (error) {
    return error as Error;
  }
}

async function refused(engine: SqlEngine, sql: string): Promise<void> {
  const error = await failure(engine.query(sql));
  if (!(error instanceof AppError) || !["query_failed", "read_only"].includes(error.code))
    throw new Error(`${sql}: ${error.message}`);
  // It must not even have been tried.
  if (/IO Error|httpfs|No files found|EROFS|ENOENT/.test(error.message))
    throw new Error(`${sql}: ${error.message}`);
  if (!error.hint) throw new Error(`${sql}: no hint with “${error.message}”`);
}

async function attached(subject: SqlContractSubject): Promise<SqlEngine> {
  await subject.engine.attach([
    await subject.source("segments/1.parquet", segment(ROWS.slice(0, 2))),
    await subject.source("segments/2.parquet", segment(ROWS.slice(2))),
  ]);
  return subject.engine;
}

/** Ways to name a file where the binder's table names don't help (it gives up on `unnest`). */
const FILE_TRICKS = [
  "'/etc/passwd.csv'",
  "E'/etc/passwd.\\x63sv'",
  "$$/etc/passwd.csv$$",
  "('/etc/passwd.csv')",
  '"/etc/passwd.csv"',
  'memory.main."/etc/passwd.csv"',
  "'/etc/passwd.CSV.gz'",
  "'/etc/passwd'\n'.csv'",
  "'segment-1-0.parquet'",
  "'https://example.org/x.parquet?y'",
].flatMap((file) => [
  `SELECT unnest(entities) FROM memories, ${file}`,
  `SELECT unnest(entities) FROM memories m, ${file} f`,
  `SELECT unnest(entities) FROM memories JOIN ${file} ON true`,
  `SELECT unnest(entities) FROM (memories JOIN ${file} ON true)`,
  `SELECT unnest([1]) FROM (SELECT 1), ${file}`,
  `SELECT unnest([1]), (SELECT 1 FROM ${file} LIMIT 1)`,
  `SELECT unnest([1]) WHERE EXISTS (FROM ${file})`,
  `SELECT unnest([1]) FROM range(3), ${file}`,
  `SELECT unnest([1]) UNION ALL FROM ${file}`,
  `WITH x AS (FROM ${file}) SELECT unnest([1]) FROM x`,
  `SELECT unnest([1]) FROM (PIVOT ${file} ON a IN (1) USING count(*))`,
  `SELECT unnest([1]) FROM (TABLE ${file})`,
]);

/** Each must be refused, and leave the view as it was. */
export const HOSTILE_SQL = [
  "",
  "   -- only a comment",
  ";",
  "SELECT 1; SELECT 2",
  "SELECT 1; DROP VIEW memories",
  "DROP VIEW memories",
  "CREATE TABLE t AS SELECT 1",
  "CREATE OR REPLACE VIEW memories AS SELECT 1",
  "INSERT INTO memories VALUES (1)",
  "UPDATE memories SET content = 'x'",
  "DELETE FROM memories",
  "COPY memories TO 'out.parquet'",
  "COPY (SELECT 1) TO '/tmp/out.csv'",
  "EXPORT DATABASE '/tmp/x'",
  "IMPORT DATABASE '/tmp/x'",
  "ATTACH '/tmp/x.db' AS x",
  "DETACH memory",
  "INSTALL httpfs",
  "LOAD httpfs",
  "PRAGMA database_list",
  "PRAGMA enable_profiling",
  "SET memory_limit = '8GB'",
  "RESET memory_limit",
  "CALL pragma_version()",
  "CHECKPOINT",
  "VACUUM",
  "BEGIN TRANSACTION",
  "PREPARE p AS SELECT 1",
  "EXECUTE p",
  "USE main",
  "EXPLAIN DROP VIEW memories",
  "EXPLAIN ANALYZE CREATE TABLE t AS SELECT 1",
  "EXPLAIN COPY memories TO 'x.csv'",
  "DESCRIBE '/etc/passwd'",
  "DESCRIBE DROP VIEW memories",
  "SUMMARIZE 'segment-1-0.parquet'",
  "SHOW '/etc/passwd.csv'",
  "SELECT * FROM read_parquet('segment-1-0.parquet')",
  "SELECT * FROM parquet_scan('segment-1-0.parquet')",
  "SELECT * FROM parquet_metadata('segment-1-0.parquet')",
  "SELECT * FROM read_csv('/etc/passwd', columns = {'l': 'VARCHAR'})",
  "SELECT * FROM read_csv_auto('/etc/passwd')",
  "SELECT * FROM READ_CSV_AUTO ( '/etc/passwd' )",
  "SELECT * FROM \"read_csv_auto\"('/etc/passwd')",
  "SELECT * FROM main.read_csv_auto('/etc/passwd')",
  "SELECT * FROM system.main.\"Glob\"('/etc/*')",
  "SELECT * FROM glob/* */('/etc/*')",
  "SELECT * FROM glob -- x\n('/etc/*')",
  "SELECT * FROM\u00a0glob\u00a0('/etc/*')",
  "SELECT * FROM glob\u3000('/etc/*')",
  "SELECT * FROM U&\"\\0067lob\"('/etc/*')",
  "SELECT (SELECT count(*) FROM glob('/etc/*'))",
  "SELECT * FROM '/etc/passwd.csv'",
  "SELECT * FROM '/etc/passwd'",
  "FROM '/etc/passwd.csv'",
  "TABLE '/etc/passwd.csv'",
  "SELECT * FROM 'https://example.org/x.parquet'",
  'SELECT * FROM "segment-1-0.parquet"',
  "SELECT * FROM 'segment-1-0.parquet'",
  "SELECT * FROM memories, '/etc/passwd.csv'",
  "SELECT * FROM memories JOIN '/etc/passwd.csv' ON true",
  "SELECT * FROM memories WHERE memory_id IN (SELECT column0 FROM '/etc/passwd.csv')",
  "WITH x AS (SELECT * FROM '/etc/passwd.csv') SELECT * FROM x",
  "WITH RECURSIVE x AS (SELECT 1 UNION ALL SELECT * FROM '/etc/p.csv') SELECT * FROM x",
  "WITH x AS (INSERT INTO memories VALUES (1) RETURNING *) SELECT * FROM x",
  "SELECT * FROM store.excluded_memory_ids",
  "SELECT * FROM excluded_memory_ids",
  ...FILE_TRICKS,
  "SELECT 1) UNION ALL (SELECT 2",
  "SELECT 1) AS a; DROP VIEW memories; SELECT * FROM (SELECT 1",
  "SELECT 1) LIMIT 5 --",
  "SELECT 1 /* open",
  "SELECT 'open",
  'SELECT "open',
  "SELECT $$open",
  "SELECT (1",
  "SELECT 1\0; DROP VIEW memories",
  "SELEC 1",
  "SELECT * FROM duckdb_settings()",
  "SELECT * FROM pragma_table_info('memories')",
  "SELECT * FROM memory.store.excluded_memory_ids",
  "SELECT * FROM arrow_scan(1, 2, 3)",
  "SELECT ?",
  "SELECT $1",
];

export const SQL_CONTRACT: readonly SqlContractCase[] = [
  {
    name: "has an empty view of the right shape before any segment is attached",
    async run({ engine }) {
      const table = await engine.query("SELECT * FROM memories");
      equal(table.rows, []);
      const names = table.columns.map((column) => column.name);
      for (const name of ["memory_id", "time", "source", "kind", "speaker", "title", "quality"])
        if (!names.includes(name)) throw new Error(`no column ${name}`);
      equal(table.columns.find((column) => column.name === "time")?.type, "TIMESTAMP");
      equal(
        table.columns.find((column) => column.name === "metadata")?.type,
        "MAP(VARCHAR, VARCHAR)",
      );
      await engine.attach([]);
      equal((await engine.query("SELECT count(*) AS n FROM memories")).rows, [{ n: 0 }]);
    },
  },
  {
    name: "reads all attached segments as one view",
    async run(subject) {
      const engine = await attached(subject);
      const table = await engine.query(
        "SELECT memory_id, content, original_bytes FROM memories ORDER BY memory_id DESC",
      );
      equal(table.rows, [
        { memory_id: "c", content: null, original_bytes: 100 },
        { memory_id: "b", content: "They came to 1,204 euros.", original_bytes: 100 },
        { memory_id: "a", content: "Ann asked for the Lisbon figures.", original_bytes: 100 },
      ]);
      equal(table.rowCount, 3);
      equal(table.truncated, false);
      equal(
        table.columns.map((column) => column.type),
        ["VARCHAR", "VARCHAR", "BIGINT"],
      );
    },
  },
  {
    name: "lifts time, source, kind, speaker and title out of timestamp and metadata",
    async run(subject) {
      const engine = await attached(subject);
      const { rows } = await engine.query(
        "SELECT time, source, kind, speaker, title FROM memories ORDER BY time LIMIT 2",
      );
      equal(rows, [
        {
          time: "2024-05-03T09:30:00.000Z",
          source: "mail",
          kind: "mail",
          speaker: "Ann",
          title: "Figures",
        },
        {
          time: "2024-05-03T09:30:01.000Z",
          source: "mail",
          kind: null,
          speaker: null,
          title: null,
        },
      ]);
    },
  },
  {
    name: "gives plain JSON for every type",
    async run(subject) {
      const engine = await attached(subject);
      const { rows } = await engine.query(`
        SELECT entities, metadata, embedding, 9007199254740993 AS big, 7::HUGEINT AS huge,
          1.25::DECIMAL(5,2) AS dec, DATE '2024-02-29' AS d, TIME '12:00:01.5' AS t,
          INTERVAL '2 months 3 days 1500 milliseconds' AS i, 'NaN'::DOUBLE AS nan, NULL AS nothing,
          true AS yes, {'x': [1, NULL]} AS s, {'in': 'a'::ENUM('a', 'b')} AS nested, 'b'::ENUM('a', 'b') AS e, -3::TINYINT AS tiny,
          -1.05::DECIMAL(5,2) AS neg, 0.05::DECIMAL(5,2) AS small, time - time AS zero
        FROM memories WHERE memory_id = 'a'`);
      equal(rows, [
        {
          entities: [
            { text: "Ann", confidence: 0.5 },
            { text: "Lisbon", confidence: 0.5 },
          ],
          metadata: { source: "mail", speaker: "Ann", kind: "mail", title: "Figures" },
          embedding: "AQL/",
          big: "9007199254740993",
          huge: 7,
          dec: 1.25,
          d: "2024-02-29",
          t: "12:00:01.5",
          i: "P2M3DT1.5S",
          nan: "NaN",
          nothing: null,
          yes: true,
          s: { x: [1, null] },
          nested: { in: "a" },
          e: "b",
          tiny: -3,
          neg: -1.05,
          small: 0.05,
          zero: "PT0S",
        },
      ]);
      JSON.parse(JSON.stringify(rows));
    },
  },
  {
    name: "keeps both of two columns with one name",
    async run({ engine }) {
      const { columns, rows } = await engine.query("SELECT 1 AS a, 2 AS a");
      equal(Object.keys(rows[0]!).length, 2);
      equal(columns.length, 2);
    },
  },
  {
    name: "runs every kind of statement that reads",
    async run(subject) {
      const engine = await attached(subject);
      for (const sql of [
        "select count(*) from memories;",
        "  SELECT 1 -- with a comment",
        "SELECT ';' AS semicolon, '--' AS dashes, ')' AS paren",
        "WITH m AS (SELECT * FROM memories) SELECT count(*) FROM m ; ;",
        "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 5) SELECT * FROM c",
        "VALUES (1, 'a'), (2, 'b')",
        "FROM memories",
        "TABLE memories",
        "(SELECT 1) UNION ALL (SELECT 2)",
        "SELECT * FROM range(3), unnest([1, 2]) u",
        "SELECT e.text, count(*) FROM (SELECT unnest(entities) AS e FROM memories) GROUP BY ALL",
        "SELECT e.text FROM (SELECT unnest(entities) AS e FROM memories) WHERE e.text <> 'a.csv'",
        "SELECT u.text FROM memories, unnest(entities) AS t(u)",
        "SELECT list_transform(entities, e -> e.text) FROM memories",
        "SELECT replace('a.csv', '.csv', ''), concat('x', 'b.parquet'), coalesce(source, 'c.json') IN ('a.json', 'b.json') FROM memories",
        "SELECT count(*) FILTER (WHERE source LIKE '%.csv') FROM memories",
        "SELECT CASE WHEN source = 'a.csv' THEN 'b.csv' ELSE 'c.csv' END FROM memories",
        "SELECT extract(year FROM time), source IS DISTINCT FROM 'mail', trim('x' FROM 'xax') FROM memories",
        "SELECT * FROM store.memories",
        "SELECT *, row_number() OVER (PARTITION BY source ORDER BY time) AS n FROM memories QUALIFY n = 1",
        "SELECT map_keys(metadata), metadata['source'][1] FROM memories",
        'SELECT * FROM "memories" AS m JOIN Memories n USING (memory_id)',
        "DESCRIBE memories",
        "DESC memories",
        "DESCRIBE SELECT 1 AS a",
        "SHOW TABLES",
        "SHOW memories",
        "SUMMARIZE SELECT memory_id, timestamp FROM memories",
        "EXPLAIN SELECT * FROM memories",
        "EXPLAIN ANALYZE SELECT count(*) FROM memories",
        "SELECT 'é😀 \u00a0' AS text /* ünï */, 1",
        "SELECT strftime(date_trunc('month', time), '%Y-%m') AS month, count(*) FROM memories GROUP BY ALL",
      ]) {
        const table = await engine.query(sql);
        if (table.rowCount === 0) throw new Error(`no rows from ${sql}`);
      }
    },
  },
  {
    name: "keeps the order of ORDER BY through the row limit",
    async run({ engine }) {
      const { rows } = await engine.query("SELECT range AS n FROM range(100000) ORDER BY n DESC", {
        maxRows: 3,
      });
      equal(rows, [{ n: 99999 }, { n: 99998 }, { n: 99997 }]);
    },
  },
  {
    name: "cuts at the row limit and says so",
    async run({ engine }) {
      const cut = await engine.query("SELECT * FROM range(50000)", { maxRows: 10 });
      equal([cut.rowCount, cut.rows.length, cut.truncated], [10, 10, true]);
      const exact = await engine.query("SELECT * FROM range(10)", { maxRows: 10 });
      equal([exact.rowCount, exact.truncated], [10, false]);
      const normal = await engine.query("SELECT * FROM range(20000)");
      equal([normal.rowCount, normal.truncated], [10_000, true]);
      const error = await failure(engine.query("SELECT 1", { maxRows: 0 }));
      equal((error as AppError).code, "invalid_input");
    },
  },
  {
    name: "stops a result of many bytes before it fills the memory",
    async run({ engine }) {
      const table = await engine.query("SELECT repeat('x', 1000000) AS text FROM range(100)");
      equal(table.truncated, true);
      equal((await engine.query("SELECT 1 AS one")).rows, [{ one: 1 }]);
    },
  },
  {
    name: "refuses writes, other files and every way around it",
    async run(subject) {
      const engine = await attached(subject);
      for (const sql of HOSTILE_SQL) await refused(engine, sql);
      equal((await engine.query("SELECT count(*) AS n FROM memories")).rows, [{ n: 3 }]);
      equal((await engine.query("SHOW TABLES")).rows, [{ name: "memories" }]);
    },
  },
  {
    name: "names the columns when one is unknown, and shows DuckDB's own words",
    async run(subject) {
      const engine = await attached(subject);
      const error = (await failure(engine.query("SELECT\n  contents\nFROM memories"))) as AppError;
      equal(error.code, "query_failed");
      if (!/contents/.test(error.message) || !/LINE 2/.test(error.message))
        throw new Error(error.message);
      for (const name of ["memory_id", "content", "speaker"])
        if (!error.hint?.includes(name)) throw new Error(`no ${name} in ${error.hint}`);
    },
  },
  {
    name: "shows a new attachment, and only it",
    async run(subject) {
      const engine = await attached(subject);
      await engine.query("SELECT count(*) FROM memories");
      await engine.attach([await subject.source("segments/3.parquet", segment(ROWS.slice(1)))]);
      equal((await engine.query("SELECT memory_id FROM memories ORDER BY 1")).rows, [
        { memory_id: "b" },
        { memory_id: "c" },
      ]);
      await engine.attach([]);
      equal((await engine.query("SELECT count(*) AS n FROM memories")).rows, [{ n: 0 }]);
    },
  },
  {
    name: "hides excluded memories",
    async run(subject) {
      const source = await subject.source("segments/1.parquet", segment(ROWS));
      await subject.engine.attach([source], { excludedIds: ["a", "o'brien"] });
      const query = "SELECT memory_id AS id FROM memories ORDER BY 1";
      equal((await subject.engine.query(query)).rows, [{ id: "b" }, { id: "c" }]);
      await subject.engine.attach([source]);
      equal((await subject.engine.query(query)).rowCount, 3);
    },
  },
  {
    name: "reports a damaged segment and works again after a good one",
    async run(subject) {
      const bytes = segment(ROWS);
      bytes.fill(7, bytes.length - 60);
      await subject.engine.attach([await subject.source("segments/1.parquet", bytes)]);
      const error = await failure(subject.engine.query("SELECT * FROM memories"));
      if (!(error instanceof AppError)) throw error;
      const engine = await attached(subject);
      equal((await engine.query("SELECT count(*) AS n FROM memories")).rows, [{ n: 3 }]);
    },
  },
  {
    name: "cancels a running query and runs the next one",
    async run({ engine }) {
      await engine.query("SELECT 1");
      const controller = new AbortController();
      setTimeout(() => controller.abort(), 200);
      const started = performance.now();
      const slow =
        "SELECT count(*) FROM range(10000000) a, range(1000) b WHERE a.range % 7 = b.range % 3";
      const error = await failure(engine.query(slow, { signal: controller.signal }));
      if (!isAbortError(error)) throw error;
      if (performance.now() - started > 5_000) throw new Error("the cancel took longer than 5 s");
      equal((await engine.query("SELECT 42 AS n")).rows, [{ n: 42 }]);
      const aborted = await failure(engine.query("SELECT 1", { signal: controller.signal }));
      if (!isAbortError(aborted)) throw aborted;
    },
  },
  {
    name: "answers queries asked at once, each with its own result",
    async run({ engine }) {
      const tables = await Promise.all(
        [1, 2, 3, 4].map((n) => engine.query(`SELECT ${n} AS n FROM range(3000)`)),
      );
      equal(
        tables.map((table) => [table.rowCount, table.rows[0]]),
        [
          [3000, { n: 1 }],
          [3000, { n: 2 }],
          [3000, { n: 3 }],
          [3000, { n: 4 }],
        ],
      );
    },
  },
  {
    name: "refuses queries after close, which may be called twice",
    async run({ engine }) {
      await engine.query("SELECT 1");
      await engine.close();
      await engine.close();
      equal(((await failure(engine.query("SELECT 1"))) as AppError).code, "closed");
    },
  },
];

/** Runs every case with a fresh engine. */
export async function runSqlContract(
  open: () => Promise<SqlContractSubject>,
): Promise<{ passed: string[]; failed: { name: string; error: string }[] }> {
  const passed: string[] = [];
  const failed: { name: string; error: string }[] = [];
  for (const { name, run } of SQL_CONTRACT) {
    const subject = await open();
    try {
      await run(subject);
      passed.push(name);
    } catch (error) {
      failed.push({ name, error: error instanceof Error ? error.message : String(error) });
    } finally {
      await subject.engine.close();
      await subject.dispose?.();
    }
  }
  return { passed, failed };
}
