import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Engine } from "../../../src/engine.ts";
import { META } from "../../../src/model/memory.ts";
import { MemoryVolume } from "../../../src/platform/memory/memory-file-store.ts";
import { addressSentences, idsOf, openEngine } from "./engine-texts.ts";

const START = Date.UTC(2022, 2, 1);

describe("near-identical notes", () => {
  let engine: Engine;
  let ids: string[];
  const own = addressSentences(3, 18);
  const variants = [own, [...own, "Mind the tide at Mandal."], own.filter((_, i) => i !== 6)];
  beforeAll(async () => {
    engine = await openEngine(new MemoryVolume());
    ids = idsOf(
      await engine.remember(
        variants.map((sentences, i) => ({
          text: sentences.join(" "),
          timestamp: START + i * 86_400_000,
          metadata: { [META.title]: `Draft ${i + 1}` },
        })),
      ),
    );
    await engine.episodes.build();
  }, 300_000);
  afterAll(() => engine.close());

  it("point at the first of them, and tell in what they differ", async () => {
    const { items } = await engine.episodes.list();
    expect(items).toMatchObject([{ basis: "Near-identical notes", memberCount: 3, stale: false }]);
    const { twins } = await engine.episodes.read(items[0]!.id);
    expect(twins).toEqual([
      {
        id: ids[1],
        sameAs: ids[0],
        difference: { added: ["Mind the tide at Mandal."], missing: [] },
      },
      { id: ids[2], sameAs: ids[0], difference: { added: [], missing: [own[6]] } },
    ]);
    expect((await engine.read(ids[2]!)).memory.metadata["same_as"]).toBe(ids[0]);
    expect((await engine.read(ids[0]!)).memory.metadata["same_as"]).toBeUndefined();
  });

  it("point at the next one when the first is forgotten, keep their texts, and point back after", async () => {
    await engine.forget({ ids: [ids[0]!] });
    const [episode] = (await engine.episodes.list()).items;
    const { twins } = await engine.episodes.read(episode!.id);
    expect(twins).toMatchObject([{ id: ids[2], sameAs: ids[1] }]);
    expect(twins[0]!.difference!.missing).toEqual([own[6], "Mind the tide at Mandal."]);
    expect((await engine.read(ids[1]!)).text).toBe(variants[1]!.join(" "));
    // What is left was counted anew at once; meaning is compared by the next building.
    expect(episode).toMatchObject({ stale: true });
    expect(episode!.quality.similarity).toBeNull();
    expect(episode!.quality.entityRecall).toBeGreaterThan(0);
    await engine.restore([ids[0]!]);
    const again = await engine.episodes.read(episode!.id);
    expect(again.twins.map(({ sameAs }) => sameAs)).toEqual([ids[0], ids[0]]);
    await engine.episodes.build();
    expect((await engine.episodes.list()).items).toMatchObject([{ stale: false, memberCount: 3 }]);
  }, 60_000);

  it("name nobody who was erased", async () => {
    await engine.forget({ ids: [ids[0]!] }, { erase: true });
    for (const id of ids.slice(1))
      expect(JSON.stringify((await engine.read(id)).memory)).not.toContain(ids[0]);
  }, 60_000);
});
