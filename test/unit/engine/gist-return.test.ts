import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Engine } from "../../../src/engine.ts";
import { META } from "../../../src/model/memory.ts";
import { MemoryVolume } from "../../../src/platform/memory/memory-file-store.ts";
import { addressSentences, idsOf, openEngine } from "./engine-texts.ts";

const START = Date.UTC(2021, 4, 3, 9);

describe("members that are kept by their gist alone", () => {
  let engine: Engine;
  let ids: string[];
  let gist: string;
  const texts = Array.from({ length: 12 }, (_, i) => addressSentences(3 + i * 3, 3).join(" "));
  beforeAll(async () => {
    engine = await openEngine(new MemoryVolume());
    ids = idsOf(
      await engine.remember(
        texts.map((text, i) => ({
          text,
          timestamp: START + i * 60_000,
          metadata: { [META.thread]: "address", [META.source]: "sotu" },
        })),
      ),
    );
    await engine.episodes.build();
    await engine.retention.setPolicy({
      enabled: true,
      rules: [{ olderThanDays: 30, moveTo: "gist" }],
    });
    expect(await engine.retention.apply()).toMatchObject({ moved: ids.length });
    await engine.compact();
    gist = (await engine.episodes.list()).items[0]!.gist;
  }, 300_000);
  afterAll(() => engine.close());

  const saidBy = (from: number, to: number) => (sentence: string) =>
    texts.slice(from, to).some((text) => text.includes(sentence.trim()));
  const sentencesOf = (text: string) => text.match(/[^.!?]{20,}[.!?]+/g) ?? [];

  it("go with it, and come back with it in one write, less what others said", async () => {
    expect(sentencesOf(gist).some(saidBy(0, 6))).toBe(true);
    expect(sentencesOf(gist).some(saidBy(6, 12))).toBe(true);
    await engine.forget({ ids });
    expect((await engine.episodes.list()).totalCount).toBe(0);

    const before = (await engine.status()).store.generation;
    expect(await engine.restore(ids.slice(0, 6))).toEqual(ids.slice(0, 6));
    expect((await engine.status()).store.generation).toBe(before + 1);
    const [episode] = (await engine.episodes.list()).items;
    expect(episode).toMatchObject({ memberCount: 6, stale: true });
    expect(episode!.gist).not.toBe("");
    for (const sentence of sentencesOf(episode!.gist)) expect(sentence).toSatisfy(saidBy(0, 6));
    expect((await engine.read(ids[0]!)).text).toContain(episode!.gist);
  }, 60_000);
});
