import { parquetMetadata } from "hyparquet";
import { describe, expect, it } from "vitest";
import { createEngine } from "../../../src/create-engine.ts";
import type { Engine } from "../../../src/engine.ts";
import { MemoryFileStore, MemoryVolume } from "../../../src/platform/memory/memory-file-store.ts";
import { noEmbedder } from "../../../src/platform/memory/no-embedder.ts";
import { createNodeSqlEngine } from "../../../src/platform/node/duckdb.ts";

function open(volume: MemoryVolume): Promise<Engine> {
  volume.opened = false;
  return createEngine({
    fileStore: new MemoryFileStore(volume),
    embedder: noEmbedder,
    sql: async () => createNodeSqlEngine(),
  });
}

/** Every column but one can be read: its middle lies in blocks that hold nothing which opening reads. */
async function storeWithDamage(column: string): Promise<{ volume: MemoryVolume; path: string }> {
  const volume = new MemoryVolume();
  const engine = await open(volume);
  const vector = new Float32Array(384).fill(0.1);
  let state = 1;
  const word = (): string => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state.toString(36);
  };
  await engine.remember(
    Array.from({ length: 2500 }, (_, i) => ({
      text: `Crate ${i}: ${Array.from({ length: 30 }, word).join(" ")}`,
      timestamp: Date.UTC(2022, 0, 1) + i * 60_000,
      embedding: { vector, model: "given" },
    })),
  );
  await engine.compact();
  await engine.close();
  const path = [...volume.files.keys()].find((name) => name.startsWith("segments/"))!;
  const bytes = volume.files.get(path)!;
  const { row_groups: groups } = parquetMetadata(bytes.slice().buffer);
  const chunk = groups[0]!.columns.find(
    ({ meta_data: data }) => data!.path_in_schema[0] === column,
  )!;
  const { data_page_offset: from, total_compressed_size: size } = chunk.meta_data!;
  bytes[Number(from) + (Number(size) >> 1)]! ^= 1;
  return { volume, path };
}

describe("a store of which one column can't be read in the middle", () => {
  it("opens, answers, takes in more, exports the rest, and is named until it is given up", async () => {
    const { volume, path } = await storeWithDamage("summary");
    const engine = await open(volume);
    expect((await engine.status()).store.memoryCount).toBe(2500);
    await engine.remember([{ text: "The crane lifted its first keel." }]);
    const { hits } = await engine.recall({ query: "crane keel" });
    expect(hits.map(({ memory }) => memory.summary)).toEqual(["The crane lifted its first keel."]);
    const files: string[] = [];
    for await (const file of engine.exportStore("jsonl")) files.push(file.path);
    expect(files.length).toBeGreaterThan(0);
    expect((await engine.status()).store.damagedFiles).toEqual([path]);
    await engine.compact();
    expect((await engine.repair()).files).toEqual([path]);
    expect(volume.files.has(path)).toBe(true);
    const report = await engine.repair({ discard: true });
    expect(report).toMatchObject({ files: [path], discarded: true });
    expect((await engine.status()).store.memoryCount).toBe(1);
    await engine.close();
  });
});
