import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "vite";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createNodeSqlEngine, startNodeDuckDb } from "../../src/platform/node/duckdb.ts";
import type { SqlSource } from "../../src/ports/sql.ts";
import { SQL_CONTRACT } from "../browser/sql-engine.ts";

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "sql-engine-"));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

let fileCount = 0;
const KINDS: Record<string, (name: string, bytes: Uint8Array) => Promise<SqlSource>> = {
  "files read in place": async (name, bytes) => {
    const path = join(directory, `${fileCount++}.parquet`);
    await writeFile(path, bytes, { mode: 0o400 });
    return { name, handle: { kind: "path", path } };
  },
  "bytes in memory": (name, bytes) => Promise.resolve({ name, handle: { kind: "bytes", bytes } }),
};

const open = (kind: string) => ({ engine: createNodeSqlEngine(), source: KINDS[kind]! });

describe("the Node SQL engine", () => {
  // One engine for all: a start costs more than most cases. The last case closes it.
  const shared = open("files read in place");
  afterAll(() => shared.engine.close());
  it.each(SQL_CONTRACT.map((item) => [item.name, item] as const))("%s", (_name, item) =>
    item.run(shared),
  );

  it("reads bytes in memory and leaves them to their owner", async () => {
    const subject = open("bytes in memory");
    try {
      await SQL_CONTRACT.find((item) => item.name.startsWith("reads all"))!.run(subject);
    } finally {
      await subject.engine.close();
    }
  });

  it("ends its thread when idle and starts a new one with the same view", async () => {
    const engine = createNodeSqlEngine({ idleMs: 50 });
    const { source } = open("files read in place");
    await SQL_CONTRACT.find((item) => item.name.startsWith("reads all"))!.run({ engine, source });
    await new Promise((resolve) => setTimeout(resolve, 400));
    const { rows } = await engine.query("SELECT count(*) AS n FROM memories");
    expect(rows).toEqual([{ n: 3 }]);
    await engine.close();
  });

  it("stops a query at its time limit", async () => {
    const engine = createNodeSqlEngine({ timeoutMs: 1_500 });
    const slow =
      "SELECT count(*) FROM range(10000000) a, range(1000) b WHERE a.range % 7 = b.range % 3";
    await expect(engine.query(slow)).rejects.toMatchObject({
      code: "query_failed",
      message: expect.stringContaining("1.5 s"),
    });
    expect((await engine.query("SELECT 1 AS n")).rows).toEqual([{ n: 1 }]);
    await engine.close();
  });

  it("doesn't open, create or list other files even below its guard", async () => {
    const secret = join(directory, "secret.csv");
    await writeFile(secret, "a,b\n1,2\n");
    const host = await startNodeDuckDb();
    const connection = await host.db.connectInternal();
    const created = join(directory, "created.parquet");
    for (const sql of [
      `SELECT * FROM '${secret}'`,
      `SELECT * FROM read_csv_auto('${directory}/*.csv')`,
      `SELECT * FROM '${created}'`,
    ])
      await expect(host.db.runQuery(connection, sql), sql).rejects.toThrow();
    const globbed = await host.db.runQuery(connection, `SELECT * FROM glob('${directory}/*')`);
    expect(new TextDecoder().decode(globbed)).not.toContain("secret");
    expect(existsSync(created)).toBe(false);
    await host.terminate();
  });

  it("runs under plain Node with the package external, and lets a process end that forgot to close it", async () => {
    // Inside the project, so that Node finds the packages.
    const outDir = join(process.cwd(), ".cache", `sql-engine-${process.pid}`);
    try {
      await build({
        configFile: false,
        logLevel: "silent",
        build: { ssr: "src/platform/node/duckdb.ts", outDir, emptyOutDir: true },
      });
      await writeFile(
        join(outDir, "main.mjs"),
        `import { createNodeSqlEngine } from "./duckdb.js";
         const engine = createNodeSqlEngine();
         console.log(JSON.stringify((await engine.query("SELECT 1 AS n")).rows));
         await engine.query("SELECT * FROM nowhere").catch(() => {});`,
      );
      const result = spawnSync(process.execPath, [join(outDir, "main.mjs")], {
        encoding: "utf8",
        timeout: 30_000,
      });
      expect(result.stderr).toBe("");
      expect(result.stdout.trim()).toBe('[{"n":1}]');
      expect(result.status).toBe(0);
    } finally {
      await rm(outDir, { recursive: true, force: true });
    }
  });
});
