import { parquetReadObjects } from "hyparquet";
import { beforeAll, describe, expect, it } from "vitest";
import { MemoryFileStore, MemoryVolume } from "../../../src/platform/memory/memory-file-store.ts";
import { SqlHolder } from "../../../src/engine/sql-holder.ts";
import { WriteQueue } from "../../../src/engine/write-queue.ts";
import { createNodeSqlEngine } from "../../../src/platform/node/duckdb.ts";
import { FaultyFileStore, type Fault } from "../../../src/platform/memory/faulty-file-store.ts";
import { ArrowStorage, type ArrowStorageOptions } from "../../../src/storage/arrow-storage.ts";
import { readManifest } from "../../../src/storage/manifest.ts";
import type { NewMemory } from "../../../src/storage/memory-store.ts";
import { PrimeStore, primePath, primePaths } from "../../../src/storage/text-codec/prime-store.ts";
import { loadZstd } from "../../../src/storage/zstd.ts";
import { readCodedTexts } from "./coded-text-reader.ts";
import { mailBodies, makeMemories, makeMemory } from "./sample-memories.ts";

const OPTIONS: ArrowStorageOptions = {
  level: 6,
  backgroundLevel: 3,
  compactAtRows: 0,
  compactAtBytes: 0,
  codeTextsFromBytes: 32 * 1024,
};

const open = (volume: MemoryVolume, options: ArrowStorageOptions = {}) =>
  ArrowStorage.open(new MemoryFileStore(volume), { ...OPTIONS, ...options });

/** About 100 KB of real mails. */
let bodies: string[];
let memories: NewMemory[];
/** A store of them after `compact()`. */
let compacted: MemoryVolume;
beforeAll(async () => {
  bodies = mailBodies(80).filter((body) => body.length < 5000);
  memories = await makeMemories(bodies);
  compacted = new MemoryVolume();
  const store = await open(compacted);
  await store.append(memories);
  await store.compact();
  await store.close();
});

const manifestOf = async (volume: MemoryVolume) =>
  (await readManifest(new MemoryFileStore(volume.clone()))).manifest!;

async function expectAll(store: ArrowStorage, expected: readonly NewMemory[]): Promise<void> {
  for (const { id, content } of expected) expect((await store.get(id)).content).toBe(content);
}

const ordinalsInPrime = async (volume: MemoryVolume): Promise<number[]> => {
  const files = new MemoryFileStore(volume.clone());
  const primes = new PrimeStore(files);
  const [info] = (await manifestOf(volume)).primes!;
  await primes.open(info!);
  return primes.header(info!.number)!.ordinals;
};

const sizeOf = (volume: MemoryVolume) =>
  [...volume.files.values()].reduce((sum, bytes) => sum + bytes.length, 0);

describe("a compacted store with enough text", () => {
  it("is smaller than with ZSTD alone and gives every text back, also after reopening", async () => {
    const plain = new MemoryVolume();
    const other = await open(plain, { codeTextsFromBytes: 0, level: 19 });
    await other.append(memories);
    await other.compact();
    await other.close();
    expect((await manifestOf(plain)).primes).toBeUndefined();
    expect(sizeOf(compacted)).toBeLessThan(sizeOf(plain));

    const store = await open(compacted.clone());
    expect(store.recovered).toEqual([]);
    await expectAll(store, memories);
    await store.close();
  });

  it("says what each memory costs: together about what the files hold", async () => {
    const store = await open(compacted.clone());
    const stored = [...store.catalog.entries()].reduce((sum, entry) => sum + entry.storedBytes, 0);
    await store.close();
    const { segments, primes } = await manifestOf(compacted);
    const files = segments[0]!.sizeBytes + primes![0]!.sizeBytes;
    expect(stored).toBeLessThan(files);
    expect(stored).toBeGreaterThan(files * 0.6);
  });

  it("has nothing to do at the next compaction", async () => {
    const volume = compacted.clone();
    const before = await manifestOf(volume);
    const store = await open(volume);
    await store.compact();
    await store.close();
    expect((await manifestOf(volume)).segments).toEqual(before.segments);
  });

  it("keeps its blocks as they are when light fields change", async () => {
    const volume = compacted.clone();
    const before = await manifestOf(volume);
    const store = await open(volume);
    await store.patch(memories[3]!.id, { metadata: { title: "Third" } });
    await store.append([await makeMemory("A note that came later.", 999)]);
    await store.sqlSources(); // folds the journal as in the background
    await expectAll(store, memories);
    await store.close();
    const after = await manifestOf(volume);
    expect(after.primes).toEqual(before.primes);
    expect(after.segments).toHaveLength(2);
    expect(after.segments.map(({ prime }) => prime)).toContain(before.primes![0]!.number);
  });

  it("marks the new format, and only where it is used", async () => {
    const version = (volume: MemoryVolume) => volume.files.get("manifest-a")![8];
    expect(version(compacted)).toBe(2);
    const volume = new MemoryVolume();
    const store = await open(volume);
    await store.append(memories.slice(0, 3));
    await store.compact();
    await store.close();
    expect(version(volume)).toBe(1);
  });

  it("takes any text: empty, with zero bytes, long, of random letters, longer than is coded", async () => {
    const random = (length: number) => {
      let seed = 7;
      return Array.from({ length }, () => {
        seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
        return String.fromCharCode(0x20 + ((seed >>> 16) % 0x2000));
      }).join("");
    };
    const strange = [
      "",
      "zero \0 in the middle\0",
      "\0",
      "\ufeffbyte order mark",
      bodies.join("\n").slice(0, 40_000),
      bodies.join("\n").slice(0, 70_000),
      random(9000),
    ];
    const odd = await makeMemories(strange, 500);
    const volume = compacted.clone();
    const store = await open(volume);
    await store.append(odd);
    await store.compact();
    await expectAll(store, [...memories, ...odd]);
    await store.close();
    const again = await open(volume);
    await expectAll(again, [...memories, ...odd]);
    await again.close();
  });
});

describe("SQL over coded texts", () => {
  it("answers over the segment itself, and shows the text when it is asked for", async () => {
    const store = await open(compacted.clone());
    const engine = createNodeSqlEngine();
    const holder = new SqlHolder(store, () => Promise.resolve(engine), new WriteQueue());
    try {
      const counted = await holder.query("SELECT count(*) AS n FROM memories", {});
      expect(counted.rows).toEqual([{ n: memories.length }]);
      const { rows } = await holder.query("SELECT memory_id, content FROM memories", {});
      const texts = new Map(rows.map((row) => [row.memory_id, row.content]));
      for (const { id, content } of memories) expect(texts.get(id)).toBe(content);
    } finally {
      await holder.close();
      await store.close();
    }
  });

  it("reads a plain copy that goes when something is erased", async () => {
    const volume = compacted.clone();
    const store = await open(volume);
    const { sources } = await store.sqlSources({ content: true });
    expect(sources).toHaveLength(1);
    const { handle } = sources[0]!;
    if (handle.kind !== "bytes") throw new Error("Not in memory?");
    const zstd = await loadZstd();
    const rows = await parquetReadObjects({
      file: handle.bytes.slice().buffer,
      columns: ["memory_id", "content", "stored_bytes"],
      compressors: { ZSTD: (page, size) => zstd.decompress(page, { maxBytes: size }) },
    });
    const texts = new Map(rows.map((row) => [row.memory_id, row.content]));
    for (const { id, content } of memories) expect(texts.get(id)).toBe(content);
    expect(Number(rows[0]!.stored_bytes)).toBe(store.catalog.byId(rows[0]!.memory_id as string)!.storedBytes); // prettier-ignore

    await store.forget([memories[0]!.id], { erase: true });
    expect([...volume.files.keys()].filter((path) => path.startsWith("index/sql-"))).toEqual([]);
    await store.close();
  });

  it("drops copies that a killed process left", async () => {
    const volume = compacted.clone();
    const store = await open(volume);
    await store.sqlSources({ content: true });
    const killed = volume.clone();
    await store.close();
    expect([...killed.files.keys()].some((path) => path.startsWith("index/sql-"))).toBe(true);
    const again = await open(killed);
    expect([...killed.files.keys()].some((path) => path.startsWith("index/sql-"))).toBe(false);
    await again.close();
  });
});

describe("erasing a coded text", () => {
  it("rebuilds what was coded with a prime that quotes it", async () => {
    const volume = compacted.clone();
    const store = await open(volume);
    const inPrime = new Set(await ordinalsInPrime(volume));
    const victim = memories.find(({ id }) => inPrime.has(store.catalog.byId(id)!.ordinal))!;
    await store.forget([victim.id], { erase: true });
    const rest = memories.filter(({ id }) => id !== victim.id);
    await expectAll(store, rest);
    expect([...volume.files.keys()].filter((path) => path.startsWith("prime-"))).toEqual([]);
    expect((await manifestOf(volume)).primes).toBeUndefined();

    await store.compact();
    await expectAll(store, rest);
    await store.close();
    expect((await manifestOf(volume)).primes).toHaveLength(1);
    const again = await open(volume);
    const ids = new Set(await ordinalsInPrime(volume));
    for (const ordinal of ids) expect(again.catalog.byOrdinal(ordinal)).toBeDefined();
    await expectAll(again, rest);
    await again.close();
  });

  it("writes only its own block anew when the prime doesn't quote it", async () => {
    const secret = "The code of the blue door is Xylograph-7741, never tell anyone.";
    const volume = compacted.clone();
    const first = await open(volume);
    const hidden = await makeMemory(secret, 400);
    await first.append([hidden, ...(await makeMemories(bodies.slice(0, 20), 401))]);
    await first.compact();
    expect(await readCodedTexts(volume)).toContain("Xylograph-7741");
    const { primes } = await manifestOf(volume);
    const ordinal = first.catalog.byId(hidden.id)!.ordinal;
    expect(await ordinalsInPrime(volume)).not.toContain(ordinal);

    await first.forget([hidden.id], { erase: true });
    expect(await readCodedTexts(volume)).not.toContain("Xylograph");
    expect((await manifestOf(volume)).primes).toEqual(primes);
    await expectAll(first, memories);
    await first.close();
  });
});

it("text that faded is in no block and no prime after the next compaction", async () => {
  const volume = new MemoryVolume();
  const store = await open(volume);
  const secrets = Array.from({ length: 12 }, (_, i) => `The word of day ${i} is Xylograph-${i}.`);
  const hidden = await Promise.all(
    secrets.map((text, i) => makeMemory(text, (i >> 1) * 9, { summary: "A word of the day." })),
  );
  await store.append([...memories, ...hidden]);
  await store.compact();
  const before = await readCodedTexts(volume);
  // Every other text is in the prime, too, and so one of each two neighbours is found twice.
  expect(before.split("Xylograph-").length - 1).toBeGreaterThan(secrets.length);
  for (const { id } of hidden) await store.patch(id, { keep: "summary" });
  await store.compact();
  expect(await readCodedTexts(volume)).not.toContain("Xylograph");
  await expectAll(store, memories);
  await store.close();
});

describe("damage", () => {
  it("of one part of the prime, or of its end: it is repaired, and written again", async () => {
    const { number } = (await manifestOf(compacted)).primes![0]!;
    const [prime, parity] = primePaths(number) as [string, string];
    const intact = compacted.files.get(prime)!;
    const zeroed = intact.slice().fill(0, 200, 300);
    const cut = intact.slice(0, intact.length - 100);
    for (const [path, damaged] of [
      [prime, zeroed],
      [prime, cut],
      [parity, zeroed],
    ] as const) {
      const volume = compacted.clone();
      volume.files.set(path, damaged);
      const store = await open(volume);
      expect(store.recovered.join(" ")).toContain(`"${prime}" was damaged and could be repaired`);
      await expectAll(store, memories);
      await store.close();
      for (const one of [prime, parity])
        expect(volume.files.get(one)).toEqual(compacted.files.get(one));
    }
  });

  it("of the prime in two parts: texts can't be read, everything else can, and nothing is rewritten", async () => {
    const volume = compacted.clone();
    const { number } = (await manifestOf(volume)).primes![0]!;
    const intact = volume.files.get(primePath(number))!;
    const broken = intact.slice();
    for (const part of [2, 5]) broken[Math.floor((broken.length * part) / 7)]! ^= 0x10;
    volume.files.set(primePath(number), broken);
    const store = await open(volume);
    expect(store.recovered.join(" ")).toContain(primePath(number));
    const { id, summary } = memories[5]!;
    await expect(store.get(id)).rejects.toMatchObject({ code: "corrupt_data" });
    await expect(store.get(id)).rejects.toThrow(primePath(number));
    const { ordinal } = store.catalog.byId(id)!;
    expect((await store.getSummaries([ordinal]))[0]!.summary).toBe(summary);
    await store.append([await makeMemory("Written meanwhile.", 800)]);
    await store.compact();
    await store.close();

    volume.files.set(primePath(number), intact);
    const mended = await open(volume);
    await expectAll(mended, memories);
    await mended.close();
  });

  it("of a block: found before anything of it is decoded, and the file is named", async () => {
    const volume = compacted.clone();
    const { segments } = await manifestOf(volume);
    const path = `segments/${segments[0]!.number}.parquet`;
    const bytes = volume.files.get(path)!.slice();
    bytes[100]! ^= 1; // blocks come first
    volume.files.set(path, bytes);
    const store = await open(volume);
    expect(store.recovered.join(" ")).toContain(path);
    for (const { id } of memories)
      await expect(store.get(id)).rejects.toMatchObject({ name: "AppError" });
    await store.close();
  });
});

it("a cancelled compaction leaves no file behind and loses nothing", async () => {
  const volume = new MemoryVolume();
  const store = await open(volume);
  await store.append(memories);
  const before = [...volume.files.keys()].filter((path) => !path.startsWith("journal-"));
  const abort = new AbortController();
  const onProgress = () => abort.abort();
  await expect(store.compact({ signal: abort.signal, onProgress })).rejects.toMatchObject({
    name: "AbortError",
  });
  expect([...volume.files.keys()].filter((path) => !path.startsWith("journal-"))).toEqual(before);
  await expectAll(store, memories);
  await store.compact();
  await expectAll(store, memories);
  await store.close();
});

describe("a store with coded texts whose files fail", () => {
  for (const kind of ["crash", "torn-crash", "late-crash", "error"] as const)
    it(`keeps every text and no leftover: ${kind} at every call of a compaction and an erase`, async () => {
      const options = { codeTextsFromBytes: 1 };
      const notes = await makeMemories(
        Array.from({ length: 8 }, (_, i) => `Note ${i}: the ferry to the island leaves at ${i}.`),
      );
      const start = new MemoryVolume();
      const first = await open(start, options);
      await first.append(notes);
      await first.close();

      /** Runs to the fault; returns the files as a new process finds them. */
      const run = async (fault: Fault) => {
        const volume = start.clone();
        const files = new FaultyFileStore(new MemoryFileStore(volume), fault);
        try {
          const store = await ArrowStorage.open(files, { ...OPTIONS, ...options });
          await store.compact();
          await store.forget([notes[0]!.id], { erase: true });
          await store.compact();
          await store.close();
        } catch (error) {
          if (!files.fired) throw error;
        }
        const left = volume.clone();
        left.opened = false;
        return { left, calls: files.calls };
      };

      const { calls } = await run({ atCall: Infinity, kind });
      expect(calls).toBeGreaterThan(15);
      for (let atCall = 1; atCall <= calls; atCall++) {
        const { left } = await run({ atCall, kind });
        const store = await open(left, options);
        await expectAll(store, notes.slice(1));
        await store.compact();
        await expectAll(store, notes.slice(1));
        await store.close();
        const { primes } = await manifestOf(left);
        const files = [...left.files.keys()].filter((path) => path.startsWith("prime-"));
        expect(files.sort()).toEqual(primes!.flatMap(({ number }) => primePaths(number)));
      }
    });
});
