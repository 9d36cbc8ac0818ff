import { beforeAll, describe, expect, it } from "vitest";
import { MemoryFileStore, MemoryVolume } from "../../../src/platform/memory/memory-file-store.ts";
import { SearchService } from "../../../src/search/search-service.ts";
import { ArrowStorage, type ArrowStorageOptions } from "../../../src/storage/arrow-storage.ts";
import type { NewMemory } from "../../../src/storage/memory-store.ts";
import { mailBodies, makeMemories, makeMemory } from "../storage/sample-memories.ts";

const OPTIONS: ArrowStorageOptions = { level: 3, codeTextsFromBytes: 32 * 1024 };
const TEXT =
  "Marta keeps the spare key of the boat house in the blue tin behind the paint. " +
  "The engine needs new plugs before summer, and the mooring is paid until October.";
const SHORT = "Piotr lends his ladder to the boat club on Sundays.";

let volume: MemoryVolume;
let marta: NewMemory;
beforeAll(async () => {
  volume = new MemoryVolume();
  const store = await ArrowStorage.open(new MemoryFileStore(volume), OPTIONS);
  marta = await makeMemory(TEXT, 500, { summary: "Where the boat house key is." });
  const own = await makeMemory(SHORT, 501, { summary: SHORT, model: "verbatim" });
  const mails = mailBodies(80).filter((body) => body.length < 4000);
  await store.append([...(await makeMemories(mails)), marta, own]);
  await store.compact();
  // With indexes to start from: to build them is to read the texts.
  const search = await SearchService.open(store, { snapshots: "always" });
  await search.saveSnapshots();
  await search.close();
  await store.close();
});

describe("a recall right after opening, when coded texts can't be read at once", () => {
  it("shows excerpts of the summaries, and of the texts as soon as those are there", async () => {
    const store = await ArrowStorage.open(new MemoryFileStore(volume.clone()), OPTIONS);
    const { ordinal } = store.catalog.byId(marta.id)!;
    const search = await SearchService.open(store, { snapshots: "always" });
    expect(search.caughtUpRows).toBe(0);
    const ask = async (query: string, text: string) => {
      const { hits } = await search.recall({ query });
      return hits.find(({ memory }) => memory.summary.startsWith(text))!;
    };
    const first = await ask("boat house key", "Where the boat");
    expect(first.snippet).toBe("Where the boat house key is.");
    expect(first.fromSummary).toBe(true);
    expect(await store.getContentsAtHand([ordinal])).toEqual([undefined]);
    // Its summary is the text itself.
    const whole = await ask("ladder boat club", "Piotr");
    expect(whole.snippet).toBe(SHORT);
    expect(whole.fromSummary).toBeUndefined();

    expect(await store.getContents([ordinal])).toEqual([TEXT]);
    expect(await store.getContentsAtHand([ordinal])).toEqual([TEXT]);
    const second = await ask("boat house key", "Where the boat");
    expect(second.snippet).toContain("spare key of the boat house");
    expect(second.fromSummary).toBeUndefined();
    await search.close();
    await store.close();
  });

  it("takes what is in the journal, or has faded, as it is", async () => {
    const store = await ArrowStorage.open(new MemoryFileStore(volume.clone()), OPTIONS);
    const later = await makeMemory("Written after the texts were coded.", 502);
    const [entry] = await store.append([later]);
    await store.patch(marta.id, { keep: "summary" });
    const faded = store.catalog.byId(marta.id)!;
    expect(await store.getContentsAtHand([entry!.ordinal, faded.ordinal])).toEqual([
      later.content,
      null,
    ]);
    await store.close();
  });
});
