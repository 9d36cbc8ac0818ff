import { beforeAll, describe, expect, it } from "vitest";
import { MemoryFileStore, MemoryVolume } from "../../../src/platform/memory/memory-file-store.ts";
import { ArrowStorage, type ArrowStorageOptions } from "../../../src/storage/arrow-storage.ts";
import { catalogCopyPath, segmentOfCopy } from "../../../src/storage/catalog-copy.ts";
import type { CatalogEntry, NewMemory } from "../../../src/storage/memory-store.ts";
import { mailBodies, makeMemories, makeMemory, sampleVector } from "./sample-memories.ts";

const OPTIONS: ArrowStorageOptions = {
  level: 3,
  backgroundLevel: 1,
  compactAtRows: 0,
  compactAtBytes: 0,
  catalogCopyFromRows: 1,
};
const open = (volume: MemoryVolume, options: ArrowStorageOptions = {}) =>
  ArrowStorage.open(new MemoryFileStore(volume), { ...OPTIONS, ...options });
const copiesOf = (volume: MemoryVolume): string[] =>
  [...volume.files.keys()].filter((path) => segmentOfCopy(path) !== null);

function withoutCopies(volume: MemoryVolume): MemoryVolume {
  const clone = volume.clone();
  for (const path of copiesOf(clone)) clone.files.delete(path);
  return clone;
}

/** Everything in the catalog, also what was forgotten; from the segments unless copies are there. */
async function catalogOf(volume: MemoryVolume): Promise<CatalogEntry[]> {
  const store = await open(volume.clone(), { catalogCopyFromRows: Infinity });
  const found = [...store.catalog.all()].map((entry) => ({ ...entry }));
  await store.close();
  return found;
}

let volume: MemoryVolume;
let ids: string[];
beforeAll(async () => {
  volume = new MemoryVolume();
  const store = await open(volume);
  const memories = await makeMemories(mailBodies(100));
  const odd: Partial<NewMemory>[] = [
    // "__proto__" as a key of its own, as JSON has it.
    { metadata: JSON.parse('{"__proto__": "a value", "title": "Grüße, 東京 🗼"}') as never },
    { metadata: {}, validFrom: -5, validTo: 8.64e15, userId: "Zoë" },
    { embedding: sampleVector(3), embeddingModel: "m", previousId: memories[7]!.id },
    { supersedes: memories[4]!.id, supersededBy: "of another store", activation: 0.125 },
    {
      quality: {
        similarity: 0.5,
        coverage: 0.25,
        entityRecall: 0,
        numberRecall: 1,
        faithfulness: 1,
      },
    },
  ];
  const special = await Promise.all(
    odd.map((change, i) => makeMemory(`Odd one, number ${i}.`, 300 + i, change)),
  );
  await store.append(memories.slice(0, 80));
  await store.append(special);
  await store.compact();
  await store.append(memories.slice(80));
  await store.patch(memories[3]!.id, { metadata: { title: "Renamed after it was folded" } });
  await store.forget([memories[9]!.id]);
  ids = [...memories, ...special].map(({ id }) => id);
  await store.close();
});

describe("the copy of a segment's light columns", () => {
  it("opens the same catalog as the segments do", async () => {
    expect(copiesOf(volume)).toHaveLength(1);
    const store = await open(volume.clone());
    expect(store.recovered).toEqual([]);
    expect(store.catalog.size).toBe(ids.length - 1);
    expect(Object.keys(store.catalog.byId(ids[100]!)!.metadata)).toContain("__proto__");
    expect(store.catalog.byId(ids[100]!)!.metadata["title"]).toBe("Grüße, 東京 🗼");
    await store.close();
    expect(await catalogOf(volume)).toEqual(await catalogOf(withoutCopies(volume)));
  });

  it("is passed over when any byte of it is damaged, and made again", async () => {
    const [path] = copiesOf(volume);
    const expected = await catalogOf(withoutCopies(volume));
    const { length } = volume.files.get(path!)!;
    for (let at = 0; at < length; at += Math.ceil(length / 24)) {
      const damaged = volume.clone();
      damaged.files.get(path!)![at]! ^= 0x5a;
      expect(await catalogOf(damaged)).toEqual(expected);
      const store = await open(damaged);
      expect(store.recovered).toEqual([]);
      await store.close();
      expect(damaged.files.get(path!)).toHaveLength(length);
      damaged.files.delete([...damaged.files.keys()].find((name) => name.startsWith("segments/"))!);
    }
  });

  it("is made when a store without one is closed, and goes with its segment", async () => {
    const older = withoutCopies(volume);
    const store = await open(older);
    await store.close();
    const [path] = copiesOf(older);
    expect(path).toBeDefined();
    const again = await open(older);
    await again.compact();
    expect(older.files.has(path!)).toBe(false);
    expect(copiesOf(older)).toHaveLength(1);
    await again.close();
    expect(await catalogOf(older)).toEqual(await catalogOf(withoutCopies(older)));
  });

  it("of another segment is not taken for this one's", async () => {
    const other = new MemoryVolume();
    const store = await open(other);
    await store.append(await makeMemories(mailBodies(85), 1000));
    await store.compact();
    await store.close();
    const expected = await catalogOf(withoutCopies(other));
    other.files.set(copiesOf(other)[0]!, volume.files.get(copiesOf(volume)[0]!)!.slice());
    expect(await catalogOf(other)).toEqual(expected);
  });

  it("of a segment that is not there any more is removed", async () => {
    const left = volume.clone();
    left.files.set(catalogCopyPath(9_999), volume.files.get(copiesOf(volume)[0]!)!.slice());
    const store = await open(left);
    await store.close();
    expect(copiesOf(left)).toEqual(copiesOf(volume));
  });

  it("isn't made of few rows", async () => {
    const small = new MemoryVolume();
    const store = await open(small, { catalogCopyFromRows: 4096 });
    await store.append(await makeMemories(mailBodies(20)));
    await store.compact();
    await store.close();
    expect(copiesOf(small)).toEqual([]);
  });
});
