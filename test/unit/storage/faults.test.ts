import { describe, expect, it } from "vitest";
import { FaultyFileStore, type Fault } from "../../../src/platform/memory/faulty-file-store.ts";
import { MemoryFileStore, MemoryVolume } from "../../../src/platform/memory/memory-file-store.ts";
import { ArrowStorage } from "../../../src/storage/arrow-storage.ts";
import { loadZstd } from "../../../src/storage/zstd.ts";
import { OPTIONS, check, copy, script, type Model, type Step } from "./fault-script.ts";
import { damageColumn, unlikeWords } from "./damaged-column.ts";
import { makeMemories, makeMemory, sampleVector } from "./sample-memories.ts";

/** Nothing but the segments knows their light fields. */
const FROM_SEGMENTS = { ...OPTIONS, catalogCopyFromRows: Infinity };

async function runWithFault(
  steps: Step[],
  fault: Fault,
): Promise<{ finished: boolean; calls: number }> {
  const where = (name: string) => `${fault.kind} at call ${fault.atCall} (${name})`;
  const volume = new MemoryVolume();
  const files = new FaultyFileStore(new MemoryFileStore(volume), fault);
  let model: Model = { live: new Map(), forgotten: new Set() };
  let store: ArrowStorage;
  const survivor = () => {
    const after = volume.clone();
    after.opened = false;
    return after;
  };
  try {
    store = await ArrowStorage.open(files, OPTIONS);
  } catch {
    const again = await check(survivor(), [model], where("open"));
    await again.close();
    return { finished: false, calls: files.calls };
  }
  for (const step of steps) {
    const next = copy(model);
    step.apply(next);
    try {
      await step.run(store);
      model = next;
    } catch {
      if (files.crashed) {
        const again = await check(survivor(), [model, next], where(step.name));
        // The reopened store goes on working.
        await again.append([await makeMemory("after the crash", 99)]);
        await again.compact();
        await again.close();
        return { finished: false, calls: files.calls };
      }
      // The same call succeeds later; half of an erase (the forgetting) may have been done.
      await step.run(store).catch((error: { code?: string }) => {
        if (error.code !== "not_found") throw error;
      });
      model = next;
    }
  }
  await store.close().catch(() => undefined);
  const again = await check(survivor(), [model], where("end"));
  await again.close();
  return { finished: true, calls: files.calls };
}

describe("a store whose files fail", () => {
  for (const kind of ["crash", "torn-crash", "late-crash", "error", "short", "flush"] as const)
    it(`is before or after each write, and keeps every acknowledged one: ${kind} at every call`, async () => {
      const steps = await script();
      const { calls } = await runWithFault(steps, { atCall: Infinity, kind });
      expect(calls).toBeGreaterThan(30);
      for (let atCall = 1; atCall <= calls; atCall++) await runWithFault(steps, { atCall, kind });
    });

  it("keeps everything acknowledged when the quota ends anywhere", async () => {
    const memories = await makeMemories(
      Array.from({ length: 40 }, (_, i) => `Note ${i}: ${"word ".repeat(i % 9)} ${Math.sin(i)}`),
    );
    for (const quotaBytes of [500, 2000, 4000, 6000, 9000, 12_000, 20_000]) {
      const volume = new MemoryVolume({ quotaBytes });
      const kept: string[] = [];
      let store: ArrowStorage;
      try {
        store = await ArrowStorage.open(new MemoryFileStore(volume), OPTIONS);
      } catch (error) {
        expect(error).toMatchObject({ code: "storage_full" });
        continue;
      }
      for (const [i, memory] of memories.entries()) {
        try {
          await store.append([memory]);
          kept.push(memory.id);
          if (i % 10 === 9) await store.compact();
        } catch (error) {
          expect(error).toMatchObject({ code: "storage_full" });
        }
      }
      await store.close().catch(() => undefined);
      volume.opened = false;
      const again = await ArrowStorage.open(new MemoryFileStore(volume), OPTIONS);
      for (const id of kept) expect((await again.get(id)).content).not.toBeNull();
      expect(again.catalog.size).toBe(kept.length);
      await again.close();
    }
  });
});

/** A small store with everything in it: segment, journal, vectors, derived data, tombstone. */
async function smallStore(): Promise<{
  volume: MemoryVolume;
  texts: Map<string, string>;
  derived: Uint8Array;
}> {
  const volume = new MemoryVolume();
  const store = await ArrowStorage.open(new MemoryFileStore(volume), FROM_SEGMENTS);
  const first = await makeMemories(["The ferry is late.", "Call the dentist."]);
  await store.append(first);
  await store.compact();
  const second = [
    await makeMemory("In the journal.", 5, { embedding: sampleVector(3), embeddingModel: "m" }),
    await makeMemory("To be forgotten.", 6),
  ];
  await store.append(second);
  await store.patch(first[0]!.id, { metadata: { title: "ferry" } });
  await store.forget([second[1]!.id]);
  const derived = new TextEncoder().encode("snapshot of an index");
  await store.writeDerived("fts", derived);
  await store.close();
  const texts = new Map([...first, second[0]!].map((memory) => [memory.id, memory.content!]));
  return { volume, texts, derived };
}

/** Opens a damaged copy: everything must be right, or the damage must be told. */
async function openDamaged(
  volume: MemoryVolume,
  texts: ReadonlyMap<string, string>,
  derived: Uint8Array,
  title: string,
): Promise<"detected" | "harmless"> {
  let store: ArrowStorage;
  try {
    store = await ArrowStorage.open(new MemoryFileStore(volume), FROM_SEGMENTS);
  } catch (error) {
    expect((error as { code?: string }).code, String(error)).toMatch(
      /corrupt_data|unsupported_version/,
    );
    return "detected";
  }
  let told = store.recovered.length > 0;
  let complete = store.catalog.size === texts.size && store.forgottenCount() === 1;
  for (const entry of store.catalog.entries()) {
    // Nothing that was never there; nothing forgotten, unless its loss was told.
    const text = texts.get(entry.id);
    if (text === undefined) {
      expect(told).toBe(true);
      continue;
    }
    try {
      const memory = await store.get(entry.id);
      expect(memory.content).toBe(text);
      expect(memory.summary).toBe(text);
      expect(memory.entities[0]!.confidence).toBe(0.75);
      if (text.startsWith("In the"))
        expect(memory.embedding ?? sampleVector(3)).toEqual(sampleVector(3));
      if (text.startsWith("The ferry") && memory.metadata.title !== title) complete = false;
    } catch (error) {
      if ((error as { code?: string }).code !== "corrupt_data") throw error;
      told = true;
      complete = false;
    }
  }
  const found = await store.readDerived("fts");
  if (found) expect(found).toEqual(derived);
  expect(complete || told).toBe(true);
  await store.close();
  return complete ? "harmless" : "detected";
}

describe("a store with damaged files", () => {
  it("detects a flip of any byte of any file, or isn't harmed by it", async () => {
    const { volume, texts, derived } = await smallStore();
    await loadZstd();
    const outcomes: Record<string, number> = {};
    for (const [path, bytes] of [...volume.files])
      for (let at = 0; at < bytes.length; at++) {
        const damaged = volume.clone();
        damaged.files.get(path)![at]! ^= 1 << (at % 8);
        const outcome = await openDamaged(damaged, texts, derived, "ferry");
        const kind = `${path.replace(/[\d]+/, "N")} ${outcome}`;
        outcomes[kind] = (outcomes[kind] ?? 0) + 1;
      }
    expect(outcomes["manifest-a harmless"]).toBe(volume.files.get("manifest-a")!.length);
    expect(outcomes["index/fts harmless"]).toBe(volume.files.get("index/fts")!.length);
    expect(outcomes["segments/N.parquet detected"]).toBeGreaterThan(0);
  }, 300_000);

  it("detects a cut of any file at any byte, or isn't harmed by it", async () => {
    const { volume, texts, derived } = await smallStore();
    for (const [path, bytes] of [...volume.files])
      for (let size = 0; size < bytes.length; size++) {
        const damaged = volume.clone();
        damaged.files.set(path, bytes.slice(0, size));
        await openDamaged(damaged, texts, derived, "ferry");
      }
  }, 300_000);

  it("detects any file that is missing", async () => {
    const { volume, texts, derived } = await smallStore();
    for (const path of volume.files.keys()) {
      const damaged = volume.clone();
      damaged.files.delete(path);
      const outcome = await openDamaged(damaged, texts, derived, "ferry");
      expect(outcome).toBe(/manifest|index/.test(path) ? "harmless" : "detected");
    }
  });

  it("serves the rest beside a damaged segment, names it, and never touches its bytes", async () => {
    const volume = new MemoryVolume();
    const store = await ArrowStorage.open(new MemoryFileStore(volume), FROM_SEGMENTS);
    const [a, b] = await makeMemories(["In the segment.", "Forgotten in the segment."]);
    await store.append([a!, b!]);
    await store.compact();
    await store.forget([b!.id]);
    await store.close();
    const path = [...volume.files.keys()].find((name) => name.startsWith("segments/"))!;
    const bytes = volume.files.get(path)!;
    bytes[20]! ^= 0xff;
    const before = bytes.slice();
    const again = await ArrowStorage.open(new MemoryFileStore(volume), FROM_SEGMENTS);
    expect(again.recovered.join()).toContain(path);
    const c = await makeMemory("Written later.", 3);
    await again.append([c]);
    await again.compact();
    await again.compact();
    expect((await again.get(c.id)).content).toBe("Written later.");
    expect(volume.files.get(path)).toEqual(before);
    await expect(again.forget([c.id], { erase: true })).rejects.toMatchObject({
      code: "corrupt_data",
    });
    expect(await again.damagedFiles()).toEqual([path]);
    await again.close();
    // Restored from a copy: what was said about it meanwhile still holds.
    volume.files.get(path)![20]! ^= 0xff;
    const mended = await ArrowStorage.open(new MemoryFileStore(volume), FROM_SEGMENTS);
    expect((await mended.get(a!.id)).content).toBe("In the segment.");
    expect(mended.catalog.byId(b!.id)).toBeUndefined();
    expect(await mended.damagedFiles()).toEqual([]);
    await mended.close();
    volume.files.get(path)![20]! ^= 0xff;
    const last = await ArrowStorage.open(new MemoryFileStore(volume), FROM_SEGMENTS);
    expect(await last.discardDamaged()).toEqual([path]);
    expect(volume.files.has(path)).toBe(false);
    await last.forget([c.id], { erase: true });
    await last.close();
  });

  it("finds damage that nothing was met in when it is asked to look, and notes it once", async () => {
    const volume = new MemoryVolume();
    const store = await ArrowStorage.open(new MemoryFileStore(volume), FROM_SEGMENTS);
    const texts = Array.from({ length: 1500 }, (_, i) => `Crate ${i} ${unlikeWords(i)}`);
    await store.append(await makeMemories(texts));
    await store.compact();
    await store.close();
    const path = [...volume.files.keys()].find((name) => name.startsWith("segments/"))!;
    damageColumn(volume, path, "content");
    const again = await ArrowStorage.open(new MemoryFileStore(volume), FROM_SEGMENTS);
    expect(await again.damagedFiles()).toEqual([]);
    expect(await again.damagedFiles({ verify: true })).toEqual([path]);
    expect(await again.damagedFiles({ verify: true })).toEqual([path]);
    expect(again.recovered.filter((line) => line.includes(path))).toHaveLength(1);
    await again.close();
  });

  it("keeps what follows a damaged frame of the journal, and a copy of the damage", async () => {
    const volume = new MemoryVolume();
    const store = await ArrowStorage.open(new MemoryFileStore(volume), OPTIONS);
    const memories = await makeMemories(["one", "two", "three"]);
    const ends: number[] = [];
    for (const memory of memories) {
      await store.append([memory]);
      ends.push(volume.files.get("journal-1")!.length);
    }
    await store.close();
    volume.files.get("journal-1")![ends[0]! + 40]! ^= 1;
    const damaged = volume.files.get("journal-1")!.slice();
    const again = await ArrowStorage.open(new MemoryFileStore(volume), OPTIONS);
    expect(again.recovered.join()).toMatch(/journal-1 are damaged/);
    expect([...again.catalog.entries()].map(({ id }) => id)).toEqual([
      memories[0]!.id,
      memories[2]!.id,
    ]);
    await again.close();
    const aside = [...volume.files].filter(([path]) => path.startsWith("damaged/"));
    expect(aside.map(([, bytes]) => bytes)).toEqual([damaged]);
    const third = await ArrowStorage.open(new MemoryFileStore(volume), OPTIONS);
    expect(third.recovered).toEqual([]);
    expect(third.catalog.size).toBe(2);
    await third.close();
  });

  it("refuses a store of a later version instead of guessing", async () => {
    const { volume } = await smallStore();
    const { crc32c, ByteWriter } = await import("../../../src/storage/bytes.ts");
    for (const path of ["manifest-a", "manifest-b"]) {
      const bytes = volume.files.get(path)!.slice();
      const view = new DataView(bytes.buffer);
      view.setUint16(8, 99, true);
      const crc = crc32c(bytes.subarray(18), crc32c(bytes.subarray(0, 14)));
      bytes.set(new ByteWriter().u32(crc).finish(), 14);
      volume.files.set(path, bytes);
    }
    await expect(ArrowStorage.open(new MemoryFileStore(volume), OPTIONS)).rejects.toMatchObject({
      code: "unsupported_version",
    });
  });
});
