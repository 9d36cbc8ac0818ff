import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Engine } from "../../../src/engine.ts";
import { META } from "../../../src/model/memory.ts";
import { MemoryVolume } from "../../../src/platform/memory/memory-file-store.ts";
import { addressSentences, idsOf, openEngine } from "./engine-texts.ts";

const OLD = Date.UTC(2019, 6, 1);

function longText(): string {
  const sentences = addressSentences(3, 36);
  return Array.from({ length: 12 }, (_, i) => sentences.slice(i * 3, i * 3 + 3).join(" ")).join(
    "\n\n",
  );
}

describe("a long text", () => {
  let engine: Engine;
  let id: string;
  const volume = new MemoryVolume();
  beforeAll(async () => {
    engine = await openEngine(volume);
    [id] = idsOf(
      await engine.remember([
        { text: longText(), timestamp: OLD, metadata: { [META.source]: "address" } },
      ]),
    ) as [string];
  }, 300_000);
  afterAll(() => engine.close());

  it("gets a summary that is better when more effort is allowed, and keeps it when less is", async () => {
    const before = (await engine.read(id)).memory;
    const [high] = await engine.resummarize({ ids: [id] }, { mode: "high" });
    expect(high).toMatchObject({ status: "stored", id, keep: "exact" });
    const { memory, text } = await engine.read(id);
    expect(text).toBe(longText());
    expect(memory.summary).not.toBe(before.summary);
    expect(memory.mode).toBe("high");
    expect(memory.quality.similarity).toBeGreaterThan(before.quality.similarity!);
    const [fast] = await engine.resummarize({ ids: [id] }, { mode: "fast" });
    expect(fast).toMatchObject({
      quality: memory.quality,
      modelReason: "The summary that was there is at least as good",
    });
    expect((await engine.read(id)).memory).toEqual(memory);
  }, 300_000);

  it("moves to a checked summary, and comes back whole by an undo after reopening", async () => {
    await engine.retention.setPolicy({
      enabled: true,
      rules: [{ olderThanDays: 365, moveTo: "summary" }],
    });
    const report = await engine.retention.apply();
    expect(report).toMatchObject({ moved: 1, undoable: true, held: [] });
    expect(report.afterBytes).toBeLessThan(report.beforeBytes);
    const read = await engine.read(id);
    expect(read).toMatchObject({ keep: "summary", reconstructed: true });
    expect(read.quality.similarity).toBeGreaterThan(0.85);
    expect(read.quality.faithfulness).toBe(1);
    await engine.close();
    engine = await openEngine(volume);
    expect((await engine.retention.preview()).totalCount).toBe(0);
    expect(await engine.retention.undo()).toBe(1);
    expect((await engine.read(id)).text).toBe(longText());
  }, 300_000);

  it("is gone for good after a compaction, and what is stored is about what was said", async () => {
    const { beforeBytes, afterBytes } = await engine.retention.apply();
    await engine.compact();
    expect(await engine.retention.undo()).toBe(0);
    const read = await engine.read(id);
    expect(read.keep).toBe("summary");
    expect(read.memory.storedBytes).toBeLessThan(beforeBytes);
    expect(Math.abs(read.memory.storedBytes - afterBytes)).toBeLessThan(afterBytes * 0.5);
  }, 300_000);
});
