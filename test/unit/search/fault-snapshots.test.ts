/**
 * Index snapshots that were written half, not at all, or damaged since: whoever opens the store next
 * finds what a fresh building finds.
 */

import { describe, expect, it } from "vitest";
import { FaultyFileStore, type Fault } from "../../../src/platform/memory/faulty-file-store.ts";
import { MemoryFileStore, MemoryVolume } from "../../../src/platform/memory/memory-file-store.ts";
import { SearchService } from "../../../src/search/search-service.ts";
import { ArrowStorage } from "../../../src/storage/arrow-storage.ts";
import { mailBodies, makeMemory, sampleVector } from "../storage/sample-memories.ts";

const OPTIONS = { level: 1, backgroundLevel: 1, compactAtRows: 0, compactAtBytes: 0 };
const CLOCK = { now: () => Date.UTC(2026, 0, 1), elapsed: () => 0 };
const QUERIES = ["linux kernel", "mailing list", "please unsubscribe", "razor", "the"];

async function memories(from: number, count: number) {
  return Promise.all(
    mailBodies(from + count)
      .slice(from)
      .map((text, i) =>
        makeMemory(text, from + i, { embedding: sampleVector(from + i), embeddingModel: "m" }),
      ),
  );
}

function reopened(volume: MemoryVolume, fault: Fault | null = null): Promise<ArrowStorage> {
  volume.opened = false;
  return ArrowStorage.open(new FaultyFileStore(new MemoryFileStore(volume), fault), OPTIONS);
}

async function answers(search: SearchService): Promise<string[]> {
  const found: string[] = [];
  for (const query of QUERIES)
    for (const vector of [null, vectorOf(7)]) {
      const { hits } = await search.recall(
        { query, topK: 20 },
        vector ? { embedQuery: async () => vector } : {},
      );
      found.push(hits.map(({ memory, score }) => `${memory.id} ${score.total.toFixed(5)}`).join());
    }
  const { entities } = await search.facets();
  return [...found, JSON.stringify(entities)];
}

function vectorOf(seed: number): Float32Array {
  const { codes, scale } = sampleVector(seed);
  return Float32Array.from(codes, (code) => code * scale);
}

/** What the next two openings answer: from what is there, and from nothing. */
async function expectFresh(volume: MemoryVolume, where: string): Promise<void> {
  const found: string[][] = [];
  for (const snapshots of ["always", "never"] as const) {
    const store = await reopened(volume);
    const search = await SearchService.open(store, { snapshots, clock: CLOCK });
    found.push(await answers(search));
    await search.close();
    await store.close();
  }
  expect(found[0], where).toEqual(found[1]);
}

/** A store with snapshots of one time, and changes after them. */
async function changedStore(): Promise<MemoryVolume> {
  const volume = new MemoryVolume();
  const store = await reopened(volume);
  const search = await SearchService.open(store, { snapshots: "always", clock: CLOCK });
  const first = await memories(0, 24);
  await store.append(first);
  await store.compact();
  await search.saveSnapshots();
  await store.append(await memories(24, 6));
  await store.forget([first[3]!.id]);
  await store.patch(first[5]!.id, { metadata: { title: "Razor blades" } });
  await search.close();
  await store.close();
  return volume;
}

describe("snapshots of the indexes", () => {
  it("are as good as a fresh building, wherever their writing was cut off", async () => {
    const base = await changedStore();
    const save = async (volume: MemoryVolume, fault: Fault | null): Promise<number> => {
      const files = new FaultyFileStore(new MemoryFileStore(volume), fault);
      const store = await ArrowStorage.open(files, OPTIONS).catch(() => null);
      if (!store) return files.calls;
      const opening = SearchService.open(store, { snapshots: "always", clock: CLOCK });
      const search = await opening.catch(() => null);
      await search?.saveSnapshots().catch(() => undefined);
      await search?.close().catch(() => undefined);
      await store.close().catch(() => undefined);
      return files.calls;
    };
    const calls = await save(base.clone(), null);
    for (const kind of ["crash", "late-crash", "error", "flush"] as const)
      for (let atCall = 1; atCall <= calls; atCall++) {
        const volume = base.clone();
        await save(volume, { atCall, kind });
        await expectFresh(volume, `${kind} at call ${atCall}`);
      }
  });

  it("are built again when one is damaged, cut or missing: never a wrong answer", async () => {
    const volume = await changedStore();
    const derived = [...volume.files.keys()].filter((path) => path.startsWith("index/"));
    expect(derived.length).toBeGreaterThan(0);
    for (const path of derived) {
      const bytes = volume.files.get(path)!;
      for (const at of [0, 5, 17, bytes.length >> 2, bytes.length >> 1, bytes.length - 1]) {
        const flipped = volume.clone();
        flipped.files.get(path)![at]! ^= 4;
        await expectFresh(flipped, `${path} with a flipped bit at ${at}`);
        const cut = volume.clone();
        cut.files.set(path, bytes.slice(0, at));
        await expectFresh(cut, `${path} cut at ${at}`);
      }
      const missing = volume.clone();
      missing.files.delete(path);
      await expectFresh(missing, `without ${path}`);
    }
  });

  it("of an earlier time are brought up to date, or built again", async () => {
    await expectFresh(await changedStore(), "changed since");
  });
});
