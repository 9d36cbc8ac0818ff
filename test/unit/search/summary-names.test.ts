import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createMemoryId } from "../../../src/model/id.ts";
import { MemoryFileStore, MemoryVolume } from "../../../src/platform/memory/memory-file-store.ts";
import { EntityExtractor } from "../../../src/processing/compression/entities.ts";
import { encodeText, sha256Hex } from "../../../src/processing/compression/residual.ts";
import { SearchService } from "../../../src/search/search-service.ts";
import { ArrowStorage } from "../../../src/storage/arrow-storage.ts";
import type { NewMemory } from "../../../src/storage/memory-store.ts";
import { newMemory, type SimpleMemory } from "./in-memory-store.ts";

const extractor = new EntityExtractor();
let looked: string[] = [];
const findNames = (text: string) => {
  looked.push(text);
  return extractor.extract(text);
};

const SUMMARY =
  "Margaret Oldfield flew to Lisbon on 4 May 2023 to sign the lease with Hartmann Ltd.";
let volume: MemoryVolume;
let store: ArrowStorage;
let service: SearchService;
let id: string;

function memory(given: SimpleMemory): NewMemory {
  const bytes = encodeText(given.text);
  return { ...newMemory(given), contentSha256: sha256Hex(bytes), originalBytes: bytes.length };
}

async function open(): Promise<void> {
  store = await ArrowStorage.open(new MemoryFileStore(volume));
  service = await SearchService.open(store, { findNames });
  await service.namesKnown();
}

beforeEach(async () => {
  volume = new MemoryVolume();
  looked = [];
  store = await ArrowStorage.open(new MemoryFileStore(volume));
  id = createMemoryId();
  await store.append([
    memory({
      id,
      text: SUMMARY.repeat(9),
      summary: SUMMARY,
      keep: "summary",
      entities: [{ text: "Porto", type: "place", confidence: 0.9 }],
    }),
    memory({ text: "Lisbon was cold." }),
  ]);
  await store.close();
  await open();
});
afterEach(async () => {
  await service.close();
  await store.close();
});

const named = (text: string) => [...service.entities.ordinalsOf(text)].length;

describe("names that a summary says", () => {
  it("are filtered by, counted and linked like those that are kept beside it", async () => {
    const facets = await service.facets();
    const people = facets.entities.map(({ value }) => value);
    expect(people).toEqual(expect.arrayContaining(["Margaret Oldfield", "Lisbon", "Porto"]));
    const { hits } = await service.recall({
      query: "lease",
      filter: { entities: ["margaret oldfield"] },
    });
    expect(hits.map(({ memory }) => memory.id)).toEqual([id]);
  });

  it("are looked for only where the summary stands for its text", () => {
    expect(looked).toEqual([SUMMARY]);
    expect(named("Lisbon")).toBe(1);
  });

  it("are known after reopening without looking again", async () => {
    await service.saveSnapshots();
    await service.close();
    await store.close();
    looked = [];
    await open();
    expect(named("Margaret Oldfield")).toBe(1);
    expect(looked).toEqual([]);
  });

  it("are looked for again when the summary became another, and forgotten with the old one", async () => {
    await service.saveSnapshots();
    const text = {
      summary: "Bertram Kowalski stayed in Oslo.",
      entities: [],
      mode: "fast" as const,
      model: "extractive",
    };
    await store.commit({ edits: [{ id, text }] });
    await service.namesKnown();
    expect(named("Margaret Oldfield")).toBe(0);
    expect(named("Bertram Kowalski")).toBe(1);
    await service.close();
    await store.close();
    looked = [];
    await open();
    expect(named("Margaret Oldfield")).toBe(0);
    expect(named("Bertram Kowalski")).toBe(1);
  });

  it("go when the memory goes", async () => {
    await store.forget([id]);
    await service.namesKnown();
    expect(named("Margaret Oldfield")).toBe(0);
    await service.saveSnapshots();
    const bytes = await store.readDerived("summary-names", { allowStale: true });
    expect(bytes === null ? "" : new TextDecoder().decode(bytes)).not.toContain("Oldfield");
  });

  it("are kept again after something was erased, without what was erased", async () => {
    await service.saveSnapshots();
    const other = createMemoryId();
    const summary = "Agnes Thorvald met Ruben Castellano in Turin.";
    await store.append([memory({ id: other, text: summary.repeat(9), summary, keep: "summary" })]);
    await service.namesKnown();
    await store.forget([other], { erase: true });
    await service.saveSnapshots();
    const bytes = await store.readDerived("summary-names");
    const saved = new TextDecoder().decode(bytes!);
    expect(saved).toContain("Margaret Oldfield");
    expect(saved).not.toContain("Thorvald");
  });

  it("survive a damaged file of what was found", async () => {
    await service.saveSnapshots();
    await store.writeDerived("summary-names", new TextEncoder().encode('{"version":9}'));
    await service.close();
    await store.close();
    await open();
    expect(named("Margaret Oldfield")).toBe(1);
  });

  it("are looked for after the store is opened again, when it was closed before they were found", async () => {
    await service.close();
    await store.close();
    volume = new MemoryVolume();
    store = await ArrowStorage.open(new MemoryFileStore(volume));
    await store.append([memory({ text: SUMMARY.repeat(9), summary: SUMMARY, keep: "summary" })]);
    let find = (): void => undefined;
    const gate = new Promise<void>((resolve) => (find = resolve));
    service = await SearchService.open(store, {
      snapshots: "always",
      findNames: async (text) => {
        await gate;
        return findNames(text);
      },
    });
    await service.saveSnapshots();
    const closing = service.close();
    find();
    await closing;
    await store.close();
    looked = [];
    store = await ArrowStorage.open(new MemoryFileStore(volume));
    service = await SearchService.open(store, { snapshots: "always", findNames });
    await service.namesKnown();
    expect(named("Margaret Oldfield")).toBe(1);
    expect(looked).toEqual([SUMMARY]);
  });
});
