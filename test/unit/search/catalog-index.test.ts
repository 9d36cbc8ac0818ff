import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { META } from "../../../src/model/memory.ts";
import { CatalogIndex } from "../../../src/search/catalog-index.ts";
import { EntityTable } from "../../../src/search/entity-table.ts";
import { Filters } from "../../../src/search/filters.ts";
import type { CatalogEntry } from "../../../src/storage/memory-store.ts";
import { InMemoryStore } from "./in-memory-store.ts";

const SOURCES = ["mail", "chat", "notes"];
const SPEAKERS = ["Ann", "Bob", "Çelik"];

function entryWith(
  base: CatalogEntry,
  ordinal: number,
  fields: { time: number; source: number; speaker: number },
): CatalogEntry {
  const metadata: Record<string, string> = { [META.source]: SOURCES[fields.source]! };
  if (fields.speaker < SPEAKERS.length) metadata[META.speaker] = SPEAKERS[fields.speaker]!;
  return { ...base, ordinal, id: String(ordinal), timestamp: fields.time, metadata };
}

async function anyEntry(): Promise<CatalogEntry> {
  const [entry] = await new InMemoryStore().add({ text: "x" });
  return entry!;
}

const fields = fc.record({
  time: fc.integer({ min: 0, max: 30 }),
  source: fc.integer({ min: 0, max: 2 }),
  speaker: fc.integer({ min: 0, max: 3 }),
});
const step = fc.oneof(
  fc.record({ put: fc.integer({ min: 0, max: 40 }), fields }),
  fc.record({ remove: fc.integer({ min: 0, max: 40 }) }),
);

describe("CatalogIndex", () => {
  it("answers as a walk over the entries would, whatever was put and removed (property)", async () => {
    const base = await anyEntry();
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 120 }),
        fc.integer({ min: 0, max: 30 }),
        fc.integer({ min: 0, max: 30 }),
        fc.integer({ min: 1, max: 50 }),
        (steps, after, before, limit) => {
          // Half of the steps are there when it is built, half come one by one.
          const entries = new Map<number, CatalogEntry>();
          let index = new CatalogIndex();
          steps.forEach((one, i) => {
            if ("put" in one) {
              const entry = entryWith(base, one.put, one.fields);
              entries.set(one.put, entry);
              index.put(entry);
            } else {
              entries.delete(one.remove);
              index.remove(one.remove);
            }
            if (i === steps.length >> 1) index = new CatalogIndex(entries.values());
          });
          const all = [...entries.values()];
          const ordinals = (some: CatalogEntry[]): number[] =>
            some.map((entry) => entry.ordinal).sort((a, b) => a - b);
          expect([...index.live]).toEqual(ordinals(all));
          expect([...index.inRange(after, before)]).toEqual(
            ordinals(all.filter(({ timestamp }) => timestamp >= after && timestamp < before)),
          );
          for (const source of SOURCES)
            expect([...(index.sets("source").get(source) ?? [])]).toEqual(
              ordinals(all.filter(({ metadata }) => metadata[META.source] === source)),
            );
          for (let ordinal = 0; ordinal <= 40; ordinal++)
            expect(index.speakers.valueOf(index.speakers.of(ordinal))).toBe(
              entries.get(ordinal)?.metadata[META.speaker],
            );
          for (const speaker of SPEAKERS)
            expect(index.speakers.numberOf(speaker) !== 0).toBe(
              all.some(({ metadata }) => metadata[META.speaker] === speaker),
            );
          const newest = [...all].sort(
            (a, b) => b.timestamp - a.timestamp || b.ordinal - a.ordinal,
          );
          expect(index.newest(limit, null)).toEqual(
            newest.slice(0, limit).map((entry) => entry.ordinal),
          );
          const allow = index.inRange(after, Infinity);
          expect(index.newest(limit, allow)).toEqual(
            newest
              .filter((entry) => allow.has(entry.ordinal))
              .slice(0, limit)
              .map((entry) => entry.ordinal),
          );
        },
      ),
    );
  });

  it("sorts in what was added after it was built, however much", async () => {
    const base = await anyEntry();
    const index = new CatalogIndex();
    for (let i = 0; i < 5000; i++)
      index.put(entryWith(base, i, { time: (i * 7919) % 5000, source: 0, speaker: 0 }));
    expect(index.inRange(100, 200).size).toBe(100);
    expect(index.sets("source").get(SOURCES[0]!)!.size).toBe(5000);
    index.remove(77);
    expect(index.sets("source").get(SOURCES[0]!)!.has(77)).toBe(false);
    expect(index.sets("source").get(SOURCES[0]!)!.has(4999)).toBe(true);
    expect(index.newest(3, null).map((ordinal) => index.timeOf(ordinal))).toEqual([
      4999, 4998, 4997,
    ]);
  });
});

describe("Filters", () => {
  async function filled(): Promise<{
    filters: Filters;
    index: CatalogIndex;
    store: InMemoryStore;
  }> {
    const store = new InMemoryStore();
    const entries = await store.add(
      { text: "a", timestamp: 1, metadata: { [META.source]: "mail", lang: "en" }, userId: "ann" },
      { text: "b", timestamp: 2, metadata: { [META.source]: "chat", lang: "en" } },
      { text: "c", timestamp: 3, metadata: { [META.source]: "chat", lang: "tr" } },
      { text: "d", timestamp: 4, metadata: {}, keep: "summary" },
    );
    const entities = new EntityTable();
    entities.add(entries[1]!.ordinal, [{ text: "Ankara", type: "place", confidence: 1 }]);
    const index = new CatalogIndex(store.catalog.entries());
    return { filters: new Filters(store.catalog, index, entities), index, store };
  }

  it.each([
    [{ after: 2 }, [1, 2, 3]],
    [{ after: 2, before: 3 }, [1]],
    [{ sources: ["mail", "chat"], after: 2 }, [1, 2]],
    [{ sources: ["nothing"] }, []],
    [{ userId: "ann" }, [0]],
    [{ keep: ["summary" as const] }, [3]],
    [{ entities: ["ANKARA"] }, [1]],
    [{ metadata: { lang: "en" }, sources: ["chat"] }, [1]],
  ])("lets pass what meets every condition: %j", async (filter, expected) => {
    const { filters } = await filled();
    expect([...filters.compile(filter)!]).toEqual(expected);
  });

  it("is null when it is open, and refuses a bound that is no time", async () => {
    const { filters } = await filled();
    expect(filters.compile({})).toBeNull();
    expect(filters.compile(undefined)).toBeNull();
    expect(() => filters.compile({ after: NaN })).toThrow('"after" is not a time');
  });

  it("keeps what it compiled until it is told of a change", async () => {
    const { filters, index, store } = await filled();
    const before = filters.compile({ after: 2 });
    expect(filters.compile({ after: 2 })).toBe(before);
    expect(filters.stats()).toEqual({ entries: 1, hits: 1, misses: 1 });
    const [entry] = await store.add({ text: "e", timestamp: 9 });
    index.put(entry!);
    filters.clear();
    expect(filters.compile({ after: 2 })!.has(entry!.ordinal)).toBe(true);
  });
});
