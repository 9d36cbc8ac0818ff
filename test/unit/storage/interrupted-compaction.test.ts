import { describe, expect, it } from "vitest";
import { AppError } from "../../../src/errors.ts";
import { MemoryFileStore, MemoryVolume } from "../../../src/platform/memory/memory-file-store.ts";
import { ArrowStorage } from "../../../src/storage/arrow-storage.ts";
import { journalPath } from "../../../src/storage/journal.ts";
import { readManifest } from "../../../src/storage/manifest.ts";
import { segmentPath } from "../../../src/storage/segment.ts";
import { dictionaryPath } from "../../../src/storage/store-core.ts";
import { primePaths } from "../../../src/storage/text-codec/prime-store.ts";
import { OPTIONS } from "./fault-script.ts";
import { mailBodies, makeMemories, makeMemory } from "./sample-memories.ts";

/** Files of which some can't be written or removed for a while. */
class StubbornFiles extends MemoryFileStore {
  fails: (call: "write" | "remove", path: string) => boolean = () => false;

  #check(call: "write" | "remove", path: string): void {
    if (this.fails(call, path)) throw new AppError("storage_unavailable", `No ${call} of ${path}.`);
  }

  override async write(path: string, bytes: Uint8Array): Promise<void> {
    this.#check("write", path);
    await super.write(path, bytes);
  }

  override async remove(path: string): Promise<void> {
    this.#check("remove", path);
    await super.remove(path);
  }
}

async function openStubborn() {
  const volume = new MemoryVolume();
  const files = new StubbornFiles(volume);
  return { volume, files, store: await ArrowStorage.open(files, OPTIONS) };
}

/** Files of rows and texts that the store doesn't need. */
async function leftovers(volume: MemoryVolume): Promise<string[]> {
  const { manifest } = await readManifest(new MemoryFileStore(volume.clone()));
  const { segments, journals, dictionaries, primes = [] } = manifest!;
  const current = new Set([
    ...segments.map(({ number }) => segmentPath(number)),
    ...journals.map(({ number }) => journalPath(number)),
    ...dictionaries.map(({ number }) => dictionaryPath(number)),
    ...primes.flatMap(({ number }) => primePaths(number)),
    "manifest-a",
    "manifest-b",
  ]);
  return [...volume.files.keys()].filter(
    (path) => !current.has(path) && !path.startsWith("index/"),
  );
}

/** From the `count`-th write of a manifest on every one fails. */
function fromManifest(count: number): StubbornFiles["fails"] {
  let seen = 0;
  return (call, path) => call === "write" && path.startsWith("manifest-") && ++seen >= count;
}

const UNREMOVED = { message: expect.stringContaining("couldn't be removed yet") as string };

describe("an erasure whose old files stay", () => {
  const cases: [string, () => StubbornFiles["fails"]][] = [
    ["a journal is busy", () => (call, path) => call === "remove" && path === "journal-1"],
    ["nothing can be removed", () => (call) => call === "remove"],
    // Two for the new journal, one for the result.
    ["the manifest's second copy can't be written", () => fromManifest(4)],
  ];
  for (const [name, fails] of cases)
    it(`isn't said to be done until they are gone: ${name}`, async () => {
      const { volume, files, store } = await openStubborn();
      const [kept, secret] = await makeMemories(["The kettle is blue.", "The code is 7741."]);
      await store.append([kept!, secret!]);
      files.fails = fails();
      await expect(store.forget([secret!.id], { erase: true })).rejects.toMatchObject(UNREMOVED);
      expect(await leftovers(volume)).toContain("journal-1");
      await expect(store.forget([secret!.id], { erase: true })).rejects.toThrow();
      await expect(store.forget([], { erase: true })).rejects.toThrow();
      await expect(store.compact()).rejects.toThrow();
      expect(volume.files.has("journal-1")).toBe(true);

      files.fails = () => false;
      expect(await store.forget([secret!.id], { erase: true })).toEqual([secret!.id]);
      expect(await leftovers(volume)).toEqual([]);
      expect(await store.forget([secret!.id], { erase: true })).toEqual([]);
      expect((await store.get(kept!.id)).content).toBe("The kettle is blue.");
      await store.close();
    });

  it("removes what it can", async () => {
    const { volume, files, store } = await openStubborn();
    const memories = await makeMemories(mailBodies(40));
    await store.append(memories.slice(0, 39));
    await store.compact();
    await store.append(memories.slice(39));
    const before = (await readManifest(new MemoryFileStore(volume.clone()))).manifest!;
    const busy = journalPath(before.journals[0]!.number);
    files.fails = (call, path) => call === "remove" && path === busy;
    await expect(store.forget([memories[0]!.id], { erase: true })).rejects.toMatchObject(UNREMOVED);
    expect(await leftovers(volume)).toEqual([busy]);
    files.fails = () => false;
    await store.compact();
    expect(await leftovers(volume)).toEqual([]);
    await store.close();
  });

  it("goes by files that an earlier folding left, which itself doesn't fail by them", async () => {
    const { volume, files, store } = await openStubborn();
    const [kept, secret] = await makeMemories(["kept", "secret"]);
    await store.append([kept!, secret!]);
    files.fails = (call, path) => call === "remove" && path === "journal-1";
    expect((await store.sqlSources()).sources.length).toBe(1);
    await expect(store.forget([secret!.id], { erase: true })).rejects.toMatchObject(UNREMOVED);
    files.fails = () => false;
    await store.forget([], { erase: true });
    expect(await leftovers(volume)).toEqual([]);
    await store.close();
  });

  it("goes by what a failed compaction wrote, too", async () => {
    const { volume, files, store } = await openStubborn();
    const memories = await makeMemories(mailBodies(60));
    await store.append(memories);
    const manifest = fromManifest(3);
    files.fails = (call, path) => call === "remove" || manifest(call, path);
    await expect(store.compact()).rejects.toThrow("No write of manifest");
    expect((await leftovers(volume)).some((path) => path.startsWith("segments/"))).toBe(true);
    files.fails = (call) => call === "remove";
    await expect(store.forget([memories[0]!.id], { erase: true })).rejects.toMatchObject(UNREMOVED);
    files.fails = () => false;
    await store.forget([memories[0]!.id], { erase: true });
    expect(await leftovers(volume)).toEqual([]);
    await store.close();
  });

  it("goes by what was derived from it meanwhile and can't be taken back", async () => {
    const { volume, files, store } = await openStubborn();
    const [kept, secret] = await makeMemories(["kept", "secret"]);
    await store.append([kept!, secret!]);
    async function* source() {
      yield new TextEncoder().encode("of both");
      await store.forget([secret!.id], { erase: true });
      files.fails = (call) => call === "remove";
    }
    await expect(store.writeDerived("words", source())).rejects.toThrow("No remove");
    await expect(store.forget([], { erase: true })).rejects.toMatchObject(UNREMOVED);
    files.fails = () => false;
    await store.forget([], { erase: true });
    expect(volume.files.has("index/words")).toBe(false);
    await store.close();
  });

  it("doesn't take what was derived anew", async () => {
    const { volume, files, store } = await openStubborn();
    const [kept, secret] = await makeMemories(["kept", "secret"]);
    await store.append([kept!, secret!]);
    const whole = new TextEncoder().encode("of both");
    await store.writeDerived("words", whole);
    await store.writeDerived("names", whole);
    files.fails = (call, path) => call === "remove" && path.startsWith("index/");
    await expect(store.forget([secret!.id], { erase: true })).rejects.toMatchObject(UNREMOVED);
    files.fails = () => false;
    await store.writeDerived("words", new TextEncoder().encode("of one"));
    await store.forget([], { erase: true });
    expect(volume.files.has("index/words")).toBe(true);
    expect(volume.files.has("index/names")).toBe(false);
    await store.close();
  });
});

/** A thread of three in an episode, whose middle and gist were forgotten. */
async function gap() {
  const opened = await openStubborn();
  const { store } = opened;
  const gist = await makeMemory("They talked.", 9);
  const [a, b, c] = await makeMemories(["one apple", "two pears", "three plums"]);
  Object.assign(b!, { previousId: a!.id });
  Object.assign(c!, { previousId: b!.id, supersedes: b!.id });
  for (const memory of [gist, a!, b!, c!]) memory.episodeId = gist.id;
  for (const memory of [gist, a!, b!, c!]) await store.append([memory]);
  const links = () =>
    [a!, c!].map(({ id }) => {
      const { previousId, nextId, episodeId, supersedes } = store.catalog.byId(id)!;
      return { previousId, nextId, episodeId, supersedes };
    });
  const whole = links();
  expect(whole[0]!.nextId).toBe(b!.id);
  await store.forget([b!.id, gist.id]);
  const unharmed = async () => {
    opened.files.fails = () => false;
    expect((await store.restore([b!.id, gist.id])).length).toBe(2);
    expect(links()).toEqual(whole);
    expect(store.catalog.membersOf(gist.id).map(({ id }) => id)).toEqual([a!.id, b!.id, c!.id]);
    await store.compact();
    expect(links()).toEqual(whole);
    await store.close();
    opened.volume.opened = false;
    const again = await ArrowStorage.open(new MemoryFileStore(opened.volume), OPTIONS);
    expect(again.catalog.byId(c!.id)).toMatchObject(whole[1]!);
    await again.close();
  };
  return { ...opened, a: a!, b: b!, c: c!, gist, links, unharmed };
}

describe("a compaction that doesn't come to its end", () => {
  it("leaves links and episodes as they were: it was cancelled", async () => {
    const { store, unharmed } = await gap();
    const control = new AbortController();
    const compaction = store.compact({
      signal: control.signal,
      onProgress: () => control.abort(),
    });
    await expect(compaction).rejects.toMatchObject({ name: "AbortError" });
    await unharmed();
  });

  // The new journal takes the first two.
  for (const [name, fails] of [
    ["no new journal", () => fromManifest(1)],
    ["no new manifest", () => fromManifest(3)],
    ["no new segment", () => (call, path) => call === "write" && path.startsWith("segments/")],
  ] satisfies [string, () => StubbornFiles["fails"]][])
    it(`leaves links and episodes as they were: ${name}`, async () => {
      const { store, files, unharmed } = await gap();
      files.fails = fails();
      await expect(store.compact()).rejects.toThrow();
      await unharmed();
    });

  it("keeps what was linked meanwhile", async () => {
    const { store, b, c, links } = await gap();
    const late = await makeMemory("four figs", 5, { previousId: c.id });
    const control = new AbortController();
    const compaction = store.compact({
      signal: control.signal,
      onProgress: () => control.abort(),
    });
    await Promise.all([expect(compaction).rejects.toThrow(), store.append([late])]);
    await store.restore([b.id]);
    expect(links()[1]).toMatchObject({ previousId: b.id, nextId: late.id });
    await store.close();
  });

  it("keeps names of what it found to be damaged", async () => {
    const { volume, store, a, b, c } = await gap();
    await store.sqlSources();
    const [path] = [...volume.files.keys()].filter((name) => name.startsWith("segments/"));
    volume.files.get(path!)![20]! ^= 0xff;
    await store.compact();
    expect(store.recovered.join()).toContain(path!);
    expect(store.catalog.byId(a.id)!.nextId).toBe(b.id);
    expect(store.catalog.byId(c.id)).toMatchObject({ previousId: b.id, supersedes: b.id });
    await store.close();
  });

  it("keeps what it wrote where it can't be told whether a manifest names it", async () => {
    const { volume, files, store } = await openStubborn();
    const memories = await makeMemories(mailBodies(20));
    await store.append(memories);
    const third = fromManifest(3);
    let isLost = false;
    files.write = async (path, bytes) => {
      if (isLost) throw new AppError("storage_unavailable", "The disk is gone.");
      await MemoryFileStore.prototype.write.call(files, path, bytes);
      if (third("write", path)) isLost = true;
      if (isLost) throw new AppError("storage_unavailable", "The disk is gone.");
    };
    files.read = async (...range) => {
      if (isLost) throw new AppError("storage_unavailable", "The disk is gone.");
      return MemoryFileStore.prototype.read.apply(files, range);
    };
    await expect(store.compact()).rejects.toThrow("can't be written or read");
    volume.opened = false;
    const again = await ArrowStorage.open(new MemoryFileStore(volume.clone()), OPTIONS);
    for (const { id, content } of memories) expect((await again.get(id)).content).toBe(content);
    await again.close();
    // Or the disk comes back.
    isLost = false;
    files.write = (path, bytes) => MemoryFileStore.prototype.write.call(files, path, bytes);
    await store.compact();
    expect(await leftovers(volume)).toEqual([]);
    for (const { id, content } of memories) expect((await store.get(id)).content).toBe(content);
    await store.close();
  });

  it("is made up for by the next, also where only the old journal holds what goes", async () => {
    const { volume, files, store } = await openStubborn();
    const secret = await makeMemory("secret");
    await store.append([secret]);
    await store.forget([secret.id]);
    files.fails = fromManifest(3);
    await expect(store.compact()).rejects.toThrow("No write of manifest");
    files.fails = () => false;
    expect(volume.files.has("journal-1")).toBe(true);
    await store.compact();
    expect(volume.files.has("journal-1")).toBe(false);
    expect(store.forgottenCount()).toBe(0);
    await store.close();
  });
});
