import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MemoryFileStore, MemoryVolume } from "../../../src/platform/memory/memory-file-store.ts";
import type { FileStore } from "../../../src/ports/file-store.ts";
import { ArrowStorage } from "../../../src/storage/arrow-storage.ts";
import {
  DerivedEncoder,
  appendDerived,
  encodeDerived,
  openDerived,
} from "../../../src/storage/derived.ts";
import { loadZstd } from "../../../src/storage/zstd.ts";
import { makeMemories } from "./sample-memories.ts";

const zstd = await loadZstd();
const PATH = "index/words";

async function* inPieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.slice(at, at + size);
}

/** Counts bytes that are read. */
class CountingFiles extends MemoryFileStore {
  bytesRead = 0;
  override async read(path: string, offset?: number, length?: number): Promise<Uint8Array> {
    const bytes = await super.read(path, offset, length);
    this.bytesRead += bytes.length;
    return bytes;
  }
}

describe("derived files", () => {
  it("give back any bytes, whole and by range, written at once or piece by piece", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 3000 }),
        fc.integer({ min: 1, max: 700 }),
        fc.integer({ min: 1, max: 900 }),
        fc.nat(3000),
        fc.nat(3000),
        async (bytes, partBytes, pieceBytes, offset, length) => {
          const files: FileStore = new MemoryFileStore(new MemoryVolume());
          await files.write(PATH, await encodeDerived(zstd, bytes, 7, partBytes));
          const streamed = new DerivedEncoder(zstd, 7, partBytes);
          await appendDerived(files, `${PATH}-2`, inPieces(bytes, pieceBytes), streamed);
          expect(await files.read(`${PATH}-2`)).toEqual(await files.read(PATH));
          const file = (await openDerived(files, zstd, PATH))!;
          expect(file.generation).toBe(7);
          expect(file.sizeBytes).toBe(bytes.length);
          expect(await file.read()).toEqual(bytes);
          expect(await file.read(offset, length)).toEqual(bytes.slice(offset, offset + length));
        },
      ),
      { numRuns: 60 },
    );
  });

  it("read only the parts that a range lies in", async () => {
    const files = new CountingFiles(new MemoryVolume());
    const bytes = Uint8Array.from({ length: 1_000_000 }, (_, i) => (i * i * 31) >>> (i % 13));
    await files.write(PATH, await encodeDerived(zstd, bytes, 2 ** 40, 16 * 1024));
    const file = (await openDerived(files, zstd, PATH))!;
    files.bytesRead = 0;
    expect(await file.read(700_000, 5_000)).toEqual(bytes.slice(700_000, 705_000));
    expect(files.bytesRead).toBeLessThanOrEqual(2 * 16 * 1024);
  });

  it("answer every flipped byte and every cut with nothing, an error, or the true bytes", async () => {
    const bytes = new TextEncoder().encode("whales and tides ".repeat(40));
    const intact = await encodeDerived(zstd, bytes, 3, 200);
    const outcome = async (damaged: Uint8Array): Promise<void> => {
      const files = new MemoryFileStore(new MemoryVolume());
      await files.write(PATH, damaged);
      const file = await openDerived(files, zstd, PATH);
      if (!file) return;
      expect(file.generation).toBe(3);
      try {
        expect(await file.read()).toEqual(bytes);
      } catch (error) {
        expect(error).toMatchObject({ code: "corrupt_data" });
      }
    };
    for (let at = 0; at < intact.length; at++) {
      const damaged = intact.slice();
      damaged[at]! ^= 0x10;
      await outcome(damaged);
      await outcome(intact.slice(0, at));
    }
  });

  it("aren't written with what was erased while they were made", async () => {
    const volume = new MemoryVolume();
    const store = await ArrowStorage.open(new MemoryFileStore(volume));
    const [kept, secret] = await makeMemories(["The tide table.", "The safe's code is 7741."]);
    await store.append([kept!, secret!]);
    async function* slow(): AsyncGenerator<Uint8Array> {
      yield new TextEncoder().encode("safe 7741");
      await store.forget([secret!.id], { erase: true });
    }
    expect(await store.writeDerived("words", slow())).toBe(false);
    expect(await store.listDerived()).toEqual([]);
    // What is of one segment goes with it, everything else with any erasure.
    const [segment] = store.segments();
    await store.writeDerived(`words.segment-${segment!.number}`, Uint8Array.of(1));
    await store.writeDerived("words", Uint8Array.of(2));
    const [other] = await makeMemories(["Another secret."], 5);
    await store.append([other!]);
    await store.forget([other!.id], { erase: true });
    expect(await store.listDerived()).toEqual([`words.segment-${segment!.number}`]);
    await store.forget([kept!.id], { erase: true });
    expect(await store.listDerived()).toEqual([]);
    await store.close();
  });

  it("tell what to catch up with since the generation that they were made at", async () => {
    const volume = new MemoryVolume();
    const open = () => ArrowStorage.open(new MemoryFileStore(volume));
    let store = await open();
    const memories = await makeMemories(Array.from({ length: 30 }, (_, i) => `Note ${i}.`));
    const entries = await store.append(memories);
    await store.writeDerived("words", Uint8Array.of(1));
    const since = async () => {
      const { generation } = (await store.openDerived("words"))!;
      return store.editedSince(generation).map((ordinal) => store.catalog.byOrdinal(ordinal)!.id);
    };
    expect(await since()).toEqual([]);
    await store.patch(memories[3]!.id, { metadata: { title: "Changed" } });
    await store.append(await makeMemories(["A new one."], 40));
    expect(await since()).toEqual([memories[3]!.id]);
    await store.forget([memories[5]!.id]);
    await store.restore([memories[5]!.id]);
    expect(await since()).toEqual([memories[3]!.id, memories[5]!.id]);
    await store.close();
    store = await open();
    expect(await since()).toEqual([memories[3]!.id, memories[5]!.id]);
    // Folded into a segment: at least those, also after reopening.
    await store.sqlSources();
    await store.close();
    store = await open();
    expect(await since()).toEqual(expect.arrayContaining([memories[3]!.id, memories[5]!.id]));
    await store.writeDerived("words", Uint8Array.of(2));
    expect(await since()).toEqual([]);
    await store.append(await makeMemories(["One more."], 50));
    await store.sqlSources();
    await store.close();
    store = await open();
    expect(await since()).toEqual([]);
    expect(entries).toHaveLength(30);
    await store.close();
  });
});
