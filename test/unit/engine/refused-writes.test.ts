/** What a write that the store refused leaves behind in the engine: nothing. */

import { describe, expect, it } from "vitest";
import { createEngine } from "../../../src/create-engine.ts";
import type { Engine } from "../../../src/engine.ts";
import { META } from "../../../src/model/memory.ts";
import { FaultyFileStore } from "../../../src/platform/memory/faulty-file-store.ts";
import { MemoryFileStore, MemoryVolume } from "../../../src/platform/memory/memory-file-store.ts";
import { noEmbedder } from "../../../src/platform/memory/no-embedder.ts";
import { createNodeSqlEngine } from "../../../src/platform/node/duckdb.ts";

async function open(volume: MemoryVolume, failAtCall: number | null = null) {
  volume.opened = false;
  const files = new FaultyFileStore(
    new MemoryFileStore(volume),
    failAtCall === null ? null : { atCall: failAtCall, kind: "error", code: "storage_unavailable" },
  );
  const engine: Engine = await createEngine({
    fileStore: files,
    embedder: noEmbedder,
    sql: async () => createNodeSqlEngine(),
  });
  return { engine, files };
}

/** Messages of one conversation; the second half answers single ones of the first. */
const conversation = Array.from({ length: 64 }, (_, i) => ({
  text: `Entry ${i} of the pilot's log: wind from the north-west, force ${i % 9}.`,
  timestamp: Date.UTC(2023, 2, 1) + i * 60_000,
  metadata: {
    [META.thread]: "log",
    [META.externalId]: `entry-${i}`,
    ...(i >= 48 ? { [META.replyTo]: `entry-${i - 40}` } : {}),
  },
}));

async function links(engine: Engine): Promise<{ id: string; previousId: string | null }[]> {
  const { items } = await engine.browse({ limit: 1_000, order: "oldest" });
  return items;
}

describe("a conversation of which one group could not be stored", () => {
  it("is linked to what is there, and to nothing that never was", async () => {
    const volume = new MemoryVolume();
    const { engine: first } = await open(volume);
    await first.remember(conversation.slice(0, 4));
    await first.close();

    const { engine, files } = await open(volume, 1 + (await callsOfOpening(volume)));
    const receipts = await engine.remember(conversation.slice(4));
    const failed = receipts.filter(({ status }) => status === "failed");
    expect(failed.length).toBeGreaterThan(0);
    expect(failed.length).toBeLessThan(receipts.length);
    expect(files.fired).toBe(true);

    const found = await links(engine);
    const present = new Set(found.map(({ id }) => id));
    for (const { previousId } of found)
      if (previousId !== null) expect(present).toContain(previousId);
    // The first of those stored follows the last of those that were there.
    expect(found[4]!.previousId).toBe(found[3]!.id);

    // The rest comes in later, and finds its neighbours.
    const again = await engine.remember(conversation);
    expect(again.filter(({ status }) => status === "duplicate")).toHaveLength(found.length);
    expect(again.filter(({ status }) => status === "stored")).toHaveLength(failed.length);
    const all = await links(engine);
    const ids = new Set(all.map(({ id }) => id));
    expect(all).toHaveLength(64);
    for (const { previousId } of all) if (previousId !== null) expect(ids).toContain(previousId);
    await engine.close();
  });

  it("goes on after a neighbour that was forgotten meanwhile", async () => {
    const { engine } = await open(new MemoryVolume());
    const stored = await engine.remember(conversation.slice(0, 3));
    await engine.forget({ ids: [stored[2]!.id!] }, { erase: true });
    await engine.remember(conversation.slice(3, 4));
    const found = await links(engine);
    expect(found.at(-1)!.previousId).toBe(stored[1]!.id);
    await engine.close();
  });
});

/** Calls that change files while a store like this is opened. */
async function callsOfOpening(volume: MemoryVolume): Promise<number> {
  const { engine, files } = await open(volume.clone());
  const { calls } = files;
  await engine.close();
  return calls;
}
