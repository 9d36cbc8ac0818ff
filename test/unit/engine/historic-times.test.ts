import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { timeline } from "../../../src/application/ui/lib/timeline.ts";
import { createEngine } from "../../../src/create-engine.ts";
import type { Engine, ImportFile } from "../../../src/engine.ts";
import { MemoryFileStore, MemoryVolume } from "../../../src/platform/memory/memory-file-store.ts";
import { noEmbedder } from "../../../src/platform/memory/no-embedder.ts";
import { createNodeSqlEngine } from "../../../src/platform/node/duckdb.ts";

const RECORDS = [
  ["1863-11-19T12:00:00Z", "A new nation was spoken of on the field of Gettysburg."],
  ["1790-01-08T00:00:00Z", "The accession of North Carolina was named an opportunity."],
  ["0476-09-04T00:00:00Z", "Odoacer sent the imperial regalia to Constantinople."],
  ["2001-07-20T00:00:00Z", "The harbour was dredged and the ferry sailed again."],
  ["1969-07-20T20:17:00Z", "The lander touched down on the plain and its crew reported it."],
] as const;
const TIMES = RECORDS.map(([time]) => Date.parse(time)).sort((a, b) => a - b);

describe("memories of times before 1970", () => {
  let volume: MemoryVolume;
  let engine: Engine;
  const open = (): Promise<Engine> =>
    createEngine({
      fileStore: new MemoryFileStore(volume),
      embedder: noEmbedder,
      sql: async () => createNodeSqlEngine(),
    });
  const timesOf = async (order: "oldest" | "newest"): Promise<number[]> =>
    (await engine.browse({ order })).items.map((item) => item.timestamp);

  beforeEach(async () => {
    volume = new MemoryVolume();
    engine = await open();
    const lines = RECORDS.map(([timestamp, text]) => JSON.stringify({ timestamp, text }));
    const file: ImportFile = { path: "history.jsonl", blob: new Blob([lines.join("\n")]) };
    const report = await engine.importStore({ kind: "files", files: [file] });
    expect(report.storedCount).toBe(RECORDS.length);
  });
  afterEach(() => engine.close());

  it("keep their time and order, from the journal and from a segment", async () => {
    expect(await timesOf("oldest")).toEqual(TIMES);
    await engine.close();
    engine = await open();
    expect(await timesOf("newest")).toEqual([...TIMES].reverse());
    await engine.sql("select 1"); // folds the journal into a segment
    await engine.close();
    engine = await open();
    expect(await timesOf("oldest")).toEqual(TIMES);
  });

  it("are counted by their months, on an axis without a gap", async () => {
    const { months } = await engine.facets();
    expect(months.map((month) => month.value)).toEqual([
      "0476-09",
      "1790-01",
      "1863-11",
      "1969-07",
      "2001-07",
    ]);
    const { unit, points } = timeline(months);
    expect(unit).toBe("decade");
    expect([points[0]?.label, points.at(-1)?.label]).toEqual(["470s", "2000s"]);
    expect(points.reduce((sum, point) => sum + point.count, 0)).toBe(RECORDS.length);
  });

  it("are found by a year in the query and by a filter", async () => {
    const { hits } = await engine.recall({ query: "what was named in 1790" });
    expect(hits[0]?.memory.timestamp).toBe(Date.UTC(1790, 0, 8));
    expect(hits[0]?.score.fields).toBeGreaterThan(0);
    const old = await engine.browse({ filter: { before: Date.UTC(1800, 0, 1) }, order: "oldest" });
    expect(old.items.map((item) => item.timestamp)).toEqual(TIMES.slice(0, 2));
  });

  it("have their time in SQL", async () => {
    const { rows } = await engine.sql(
      "select strftime(time, '%Y-%m-%d') as day, year(time) as y from memories order by time",
    );
    expect(rows.map((row) => row["day"])).toEqual([
      "0476-09-04",
      "1790-01-08",
      "1863-11-19",
      "1969-07-20",
      "2001-07-20",
    ]);
    expect(rows.map((row) => Number(row["y"]))).toEqual([476, 1790, 1863, 1969, 2001]);
  });

  it("come back from every export with their time; a time can be set before 1970", async () => {
    for (const format of ["parquet", "jsonl"] as const) {
      const files: ImportFile[] = [];
      for await (const { path, bytes } of engine.exportStore(format))
        files.push({ path, blob: new Blob([bytes as Uint8Array<ArrayBuffer>]) });
      const other = await createEngine({
        fileStore: new MemoryFileStore(new MemoryVolume()),
        embedder: noEmbedder,
        sql: async () => createNodeSqlEngine(),
      });
      await other.importStore({ kind: "files", files });
      const { items } = await other.browse({ order: "oldest" });
      expect(
        items.map((item) => item.timestamp),
        format,
      ).toEqual(TIMES);
      await other.close();
    }
    const { items } = await engine.browse();
    const moved = Date.UTC(1620, 10, 11);
    await engine.update(items[0]!.id, { timestamp: moved });
    await engine.close();
    engine = await open();
    expect((await engine.read(items[0]!.id)).memory.timestamp).toBe(moved);
  });
});
