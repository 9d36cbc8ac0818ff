import { parquetReadObjects } from "hyparquet";
import { beforeAll, describe, expect, it } from "vitest";
import { MemoryFileStore, MemoryVolume } from "../../../src/platform/memory/memory-file-store.ts";
import { ArrowStorage } from "../../../src/storage/arrow-storage.ts";
import { encodeEnvelope } from "../../../src/storage/envelope.ts";
import { decodeDictionary } from "../../../src/storage/store-core.ts";
import { journalPath, replayJournal } from "../../../src/storage/journal.ts";
import { crc32c } from "../../../src/storage/bytes.ts";
import { openDerived } from "../../../src/storage/derived.ts";
import { readManifest } from "../../../src/storage/manifest.ts";
import { loadZstd, type Zstd } from "../../../src/storage/zstd.ts";
import type { NewMemory } from "../../../src/storage/memory-store.ts";
import { readCodedTexts } from "./coded-text-reader.ts";
import { mailBodies, makeMemories, makeMemory, sampleVector } from "./sample-memories.ts";

let zstd: Zstd;
beforeAll(async () => {
  zstd = await loadZstd();
});

const utf8 = new TextEncoder();
const latin1 = (bytes: Uint8Array) => Buffer.from(bytes).toString("latin1");

/** Everything that any file holds, decoded and raw, as one string. */
async function everyByte(volume: MemoryVolume): Promise<string> {
  const parts: string[] = [];
  const copy = volume.clone();
  const files = new MemoryFileStore(copy);
  const { manifest } = await readManifest(files);
  parts.push(await readCodedTexts(volume));
  for (const [path, bytes] of copy.files) {
    parts.push(path, latin1(bytes));
    if (path.endsWith(".parquet")) {
      const rows = await parquetReadObjects({
        file: bytes.slice().buffer,
        compressors: { ZSTD: (page, size) => zstd.decompress(page, { maxBytes: size }) },
      });
      parts.push(
        JSON.stringify(rows, (_, value: unknown) =>
          typeof value === "bigint"
            ? String(value)
            : value instanceof Uint8Array
              ? latin1(value)
              : value,
        ),
      );
    } else if (path.startsWith("journal-")) {
      const { number, dictionary } = manifest!.journals.find(
        (j) => journalPath(j.number) === path,
      )!;
      const named = dictionary === null ? null : copy.files.get(`dictionary-${dictionary}`)!;
      const raw = named && decodeDictionary(zstd, named, "");
      const replay = await replayJournal(
        files,
        zstd,
        number,
        raw && { bytes: raw, crc: crc32c(raw) },
      );
      expect(replay.damaged).toEqual([]);
      for (const frame of replay.frames) parts.push(latin1(frame.payload));
    } else if (path.startsWith("dictionary-"))
      parts.push(latin1(decodeDictionary(zstd, bytes, path)));
    else if (path.startsWith("index/"))
      parts.push(
        latin1((await (await openDerived(files, zstd, path))?.read()) ?? new Uint8Array()),
      );
  }
  return parts.join("\n");
}

const SECRET = "Xylograph-Quartz-7741";

async function secretMemory(index: number, change: Partial<NewMemory> = {}): Promise<NewMemory> {
  const text = `The safe's code is ${SECRET}, tell nobody. ${SECRET}`;
  return makeMemory(text, index, {
    summary: `Code ${SECRET}`,
    entities: [{ text: SECRET, type: "code", confidence: 1 }],
    metadata: { source: `${SECRET}.txt`, title: SECRET, external_id: `<${SECRET}@mail>` },
    envelope: encodeEnvelope(text, utf8.encode(`Subject: ${SECRET}\n\n${text}\n`)),
    embedding: sampleVector(77),
    embeddingModel: "m",
    ...change,
  });
}

const OPTIONS = { level: 2, backgroundLevel: 1, compactAtRows: 0, catalogCopyFromRows: 1 };

describe("erasing", () => {
  for (const place of ["journal", "segment", "both"] as const)
    it(`leaves no byte of an erased memory in any file: it was in the ${place}`, async () => {
      const volume = new MemoryVolume();
      const store = await ArrowStorage.open(new MemoryFileStore(volume), OPTIONS);
      const others = await makeMemories(mailBodies(400));
      const [first, last] = [others[0]!, others[1]!];
      const secret = await secretMemory(450, { previousId: first.id });
      last.previousId = secret.id;
      first.supersededBy = secret.id;
      await store.append([first]);
      await store.append([secret]);
      await store.append([last]);
      await store.append(others.slice(2, 300));
      if (place !== "journal") await store.compact();
      await store.append(others.slice(300));
      await store.patch(secret.id, { metadata: { note: `${SECRET} again` } });
      if (place === "both") await store.forget([secret.id]);
      await store.writeDerived("fts", utf8.encode(`terms ${SECRET}`));
      expect(await everyByte(volume)).toContain(SECRET);
      expect(store.catalog.byId(first.id)!.nextId).toBe(secret.id);

      const erased = await store.forget([secret.id], { erase: true });
      expect(erased).toEqual(place === "both" ? [] : [secret.id]);
      const bytes = await everyByte(volume);
      expect(bytes).not.toContain(SECRET);
      expect(bytes).not.toContain(secret.id);
      expect(bytes).not.toContain(secret.contentSha256);
      expect(bytes).not.toContain(latin1(new Uint8Array(secret.embedding!.codes.buffer)));

      expect(store.catalog.byId(first.id)).toMatchObject({ nextId: last.id, supersededBy: null });
      expect(store.catalog.byId(last.id)!.previousId).toBe(first.id);
      expect(await store.restore([secret.id])).toEqual([]);
      await store.close();
      const again = await ArrowStorage.open(new MemoryFileStore(volume), OPTIONS);
      expect(again.catalog.size).toBe(400);
      expect(again.catalog.byId(first.id)!.nextId).toBe(last.id);
      for (const memory of others)
        expect((await again.get(memory.id)).content).toBe(memory.content);
      await again.close();
    });

  it("leaves nothing in a dictionary that was trained from it, nor of faded text after compaction", async () => {
    const volume = new MemoryVolume();
    const store = await ArrowStorage.open(new MemoryFileStore(volume), OPTIONS);
    const phrase = "Zanzibar kettle protocol nineteen, as agreed with the harbour master.";
    const texts = mailBodies(300).map((body, i) =>
      i % 2 ? body : `${phrase}\n${body}\n${phrase}`,
    );
    const memories = await makeMemories(texts);
    memories.forEach((memory, i) => (memory.summary = `Mail ${i}`));
    await store.append(memories);
    await store.compact();
    const dictionaries = [...volume.files.keys()].filter((path) => path.startsWith("dictionary-"));
    expect(dictionaries.length).toBe(1);
    const trained = decodeDictionary(zstd, volume.files.get(dictionaries[0]!)!, "");
    expect(latin1(trained)).toContain("kettle protocol");
    for (const [i, memory] of memories.entries())
      if (i % 4 === 2) await store.patch(memory.id, { keep: "summary" });
    await store.forget(memories.filter((_, i) => i % 4 === 0).map(({ id }) => id));
    await store.compact();
    expect(await everyByte(volume)).not.toContain("kettle protocol");
    await store.close();
  });

  it("keeps other forgotten memories restorable", async () => {
    const volume = new MemoryVolume();
    const store = await ArrowStorage.open(new MemoryFileStore(volume), OPTIONS);
    const [a, b, c] = await makeMemories(["stay", "forgotten", "erased"]);
    await store.append([a!, b!, c!]);
    await store.forget([b!.id]);
    await store.forget([c!.id], { erase: true });
    await store.close();
    const again = await ArrowStorage.open(new MemoryFileStore(volume), OPTIONS);
    expect(again.forgottenCount()).toBe(1);
    expect(await again.restore([b!.id])).toEqual([b!.id]);
    expect((await again.get(b!.id)).content).toBe("forgotten");
    await again.close();
  });

  it("completes an erasure that a crash interrupted", async () => {
    const volume = new MemoryVolume();
    const store = await ArrowStorage.open(new MemoryFileStore(volume), OPTIONS);
    const secret = await secretMemory(1);
    await store.append([secret, await makeMemory("other")]);
    await store.compact();
    // The tombstone is durable; the plug is pulled before anything was rewritten.
    let before: MemoryVolume | null = null;
    const unsubscribe = store.subscribe((change) => {
      if (change.type === "removed") before = volume.clone();
    });
    await store.forget([secret.id], { erase: true });
    unsubscribe();
    await store.close();
    const again = await ArrowStorage.open(new MemoryFileStore(before!), OPTIONS);
    expect(again.recovered.join()).toMatch(/interrupted erasure/);
    expect(await everyByte(before!)).not.toContain(SECRET);
    await again.close();
  });
});
