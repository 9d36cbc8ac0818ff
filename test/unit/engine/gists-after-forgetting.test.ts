import { describe, expect, it } from "vitest";
import { encodeProvenance } from "../../../src/cognitive/episodes/provenance.ts";
import { EPISODE } from "../../../src/engine/episode-rows.ts";
import { createMemoryId } from "../../../src/model/id.ts";
import { createEngine } from "../../../src/create-engine.ts";
import { MemoryFileStore, MemoryVolume } from "../../../src/platform/memory/memory-file-store.ts";
import { noEmbedder } from "../../../src/platform/memory/no-embedder.ts";
import { createNodeSqlEngine } from "../../../src/platform/node/duckdb.ts";
import { ArrowStorage } from "../../../src/storage/arrow-storage.ts";
import { makeMemory } from "../storage/sample-memories.ts";

const EPISODES = 20;

/** Conversations of two messages, each with a gist that names the people of both. */
async function storeWithGists(): Promise<{ volume: MemoryVolume; firsts: string[] }> {
  const volume = new MemoryVolume();
  const store = await ArrowStorage.open(new MemoryFileStore(volume));
  const firsts: string[] = [];
  for (let i = 0; i < EPISODES; i++) {
    const id = createMemoryId();
    const gist = "Ada Lovelace met Charles Babbage in London. The bill of 42 pounds was paid.";
    const texts = [
      "Ada Lovelace met Charles Babbage in London.",
      "The bill of 42 pounds was paid.",
    ];
    const members = await Promise.all(
      texts.map((text, n) => makeMemory(`${text} Note ${i}.`, 2 * i + n, { episodeId: id })),
    );
    firsts.push(members[0]!.id);
    await store.append([
      ...members,
      await makeMemory(gist, 2 * i, {
        id,
        episodeId: id,
        content: null,
        summary: gist,
        keep: "summary",
        metadata: { [EPISODE.sources]: encodeProvenance(members.map((member) => [member.id])) },
      }),
    ]);
  }
  await store.close();
  volume.opened = false;
  return { volume, firsts };
}

describe("many gists that lose a member at once", () => {
  it("are measured, those beyond the first few soon after the call", async () => {
    const { volume, firsts } = await storeWithGists();
    const engine = await createEngine({
      fileStore: new MemoryFileStore(volume),
      embedder: noEmbedder,
      sql: async () => createNodeSqlEngine(),
    });
    await engine.forget({ ids: firsts });
    const unmeasured = async (): Promise<number> => {
      const { items } = await engine.episodes.list({ limit: 100 });
      expect(items).toHaveLength(EPISODES);
      return items.filter(({ quality }) => quality.numberRecall === 0).length;
    };
    await expect.poll(unmeasured, { timeout: 20_000 }).toBe(0);
    await engine.close();
  });
});
