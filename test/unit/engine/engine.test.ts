import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createEngine } from "../../../src/create-engine.ts";
import type { Engine, Receipt } from "../../../src/engine.ts";
import { AppError } from "../../../src/errors.ts";
import { META, type MemoryInput } from "../../../src/model/memory.ts";
import { TaskControl } from "../../../src/model/task-control.ts";
import { MemoryFileStore, MemoryVolume } from "../../../src/platform/memory/memory-file-store.ts";
import { noEmbedder } from "../../../src/platform/memory/no-embedder.ts";
import { createNodeSqlEngine } from "../../../src/platform/node/duckdb.ts";
import { NodeEmbedderProvider } from "../../../src/platform/node/ort-embedder.ts";
import type { EmbedderProvider } from "../../../src/ports/embedder.ts";

const HARBOUR =
  "The harbour master, Ingrid Solheim, closed the north pier on 12 March 2024. Two fishing boats had broken their moorings in the storm. Repairs will cost 48,000 kroner and take three weeks. Until then the ferry to Bergen leaves from the south pier. Passengers should arrive twenty minutes early, because the path is steep.";

function open(volume: MemoryVolume, embedder: EmbedderProvider = noEmbedder): Promise<Engine> {
  const fileStore = new MemoryFileStore(volume);
  return createEngine({ fileStore, embedder, sql: async () => createNodeSqlEngine() });
}

function chat(text: string, speaker: string, minute: number): MemoryInput {
  return {
    text,
    timestamp: Date.UTC(2024, 2, 12, 9, minute),
    metadata: { [META.source]: "chat.txt", [META.thread]: "family", [META.speaker]: speaker },
  };
}

describe("an engine without an embedding model", () => {
  let volume: MemoryVolume;
  let engine: Engine;
  beforeEach(async () => {
    volume = new MemoryVolume();
    engine = await open(volume);
  });
  afterEach(() => engine.close());

  it("remembers a text and gives it back exactly, with ratios from stored bytes", async () => {
    const [receipt] = await engine.remember([{ text: HARBOUR }]);
    expect(receipt).toMatchObject({ status: "stored", keep: "exact" });
    const read = await engine.read(receipt!.id!);
    expect(read.text).toBe(HARBOUR);
    expect(read.reconstructed).toBe(false);
    expect(read.ratios.originalBytes).toBe(new TextEncoder().encode(HARBOUR).byteLength);
    expect(read.ratios.storedRatio).toBeCloseTo(
      read.ratios.originalBytes / read.memory.storedBytes,
      6,
    );
  });

  it("finds by words, explains the score, and says that meaning took no part", async () => {
    await engine.remember([
      { text: HARBOUR },
      { text: "Grandmother's plum cake needs six eggs and a pound of plums." },
    ]);
    const { hits, signals } = await engine.recall({ query: "which pier is closed" });
    expect(hits[0]!.snippet).toContain("pier");
    expect(hits[0]!.matchedTerms.length).toBeGreaterThan(0);
    const { total, ...parts } = hits[0]!.score;
    expect(Object.values(parts).reduce((sum, part) => sum + part, 0)).toBeCloseTo(total, 6);
    expect(signals).not.toContain("semantic");
  });

  it("keeps two equal messages of one chat as two, and adds none when the chat comes again", async () => {
    const messages = [
      chat("ok", "Ann", 1),
      chat("Shall we meet at six?", "Ben", 2),
      chat("ok", "Ann", 3),
      chat("ok", "Ann", 3),
    ];
    const first = await engine.remember(messages);
    expect(first.map((receipt) => receipt.status)).toEqual(Array(4).fill("stored"));
    const again = await engine.remember([...messages, chat("see you", "Ben", 4)]);
    expect(again.map((receipt) => receipt.status)).toEqual([
      ...Array(4).fill("duplicate"),
      "stored",
    ]);
    expect(new Set(again.map((receipt) => receipt.id)).size).toBe(5);
    expect((await engine.browse()).totalCount).toBe(5);
  });

  it("knows a file again when only the file's own time has changed", async () => {
    const blob = new Blob([
      `${JSON.stringify({ text: "ok" })}\n${JSON.stringify({ text: "ok" })}\n`,
    ]);
    const importAt = (lastModified: number) =>
      engine.importStore({ kind: "files", files: [{ path: "a.jsonl", blob, lastModified }] });
    expect(await importAt(1_700_000_000_000)).toMatchObject({ storedCount: 2 });
    expect(await importAt(1_800_000_000_000)).toMatchObject({ storedCount: 0, duplicateCount: 2 });
  });

  it("keeps the title of a pasted text, and the same text pasted later as another memory", async () => {
    const paste = () => engine.importStore({ kind: "text", text: "Call mum.", title: "Errand" });
    await paste();
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(await paste()).toMatchObject({ storedCount: 1, duplicateCount: 0 });
    const { items } = await engine.browse();
    expect(items.map((item) => item.metadata[META.title])).toEqual(["Errand", "Errand"]);
  });

  it("takes undated texts that are said twice as two", async () => {
    const note = { text: "ok", metadata: { [META.source]: "agent" } };
    await engine.remember([note]);
    const [again] = await engine.remember([note]);
    expect(again!.status).toBe("stored");
  });

  it("links the messages of a thread in order, across runs", async () => {
    const [a] = await engine.remember([chat("first", "Ann", 1)]);
    const [b, c] = await engine.remember([chat("second", "Ben", 2), chat("third", "Ann", 3)]);
    const middle = await engine.read(b!.id!);
    expect(middle.memory.previousId).toBe(a!.id);
    expect(middle.memory.nextId).toBe(c!.id);
  });

  it("answers a reply with the message it names, not with the one before it", async () => {
    const mail = (id: string, replyTo?: string): MemoryInput => ({
      text: `The text of mail ${id}.`,
      metadata: {
        [META.externalId]: `<${id}@example.org>`,
        [META.thread]: "pier",
        ...(replyTo === undefined ? {} : { [META.replyTo]: `<${replyTo}@example.org>` }),
      },
    });
    const receipts = await engine.remember([mail("a"), mail("b", "a"), mail("c", "a")]);
    expect((await engine.read(receipts[2]!.id!)).memory.previousId).toBe(receipts[0]!.id);
  });

  it("reports each bad item and stores the others", async () => {
    const receipts = await engine.remember([
      { text: "" },
      { text: "A good one." },
      { text: "x".repeat(1_048_577) },
      { text: "Bad time.", timestamp: Number.NaN },
    ]);
    expect(receipts.map((receipt) => receipt.status)).toEqual([
      "failed",
      "stored",
      "failed",
      "failed",
    ]);
    expect(receipts[2]!.error).toMatchObject({ code: "too_large" });
    expect(receipts[3]!.error!.message).toContain("timestamp");
  });

  it("gives back strings with lone surrogates, NULs, right-to-left text and emoji exactly", async () => {
    const texts = ["a\ud800b", "nul\u0000nul", "שלום עולם", "👩‍👩‍👧‍👦 family", "\ufeffbom"];
    const receipts = await engine.remember(texts.map((text) => ({ text })));
    for (const [i, receipt] of receipts.entries())
      expect((await engine.read(receipt.id!)).text).toBe(texts[i]);
  });

  it("gives back the source's own bytes where they are not the text's UTF-8", async () => {
    const original = Uint8Array.of(0x63, 0x61, 0x66, 0xe9);
    const [receipt] = await engine.remember([{ text: "café", original }]);
    const read = await engine.read(receipt!.id!);
    expect(read.text).toBe("café");
    expect(read.original).toEqual(original);
    expect(receipt!.originalBytes).toBe(4);
  });

  it("keeps a text exact when a summary was asked for but can't be checked without a model", async () => {
    const [receipt] = await engine.remember([{ text: HARBOUR.repeat(5) }], { keep: "summary" });
    expect(receipt).toMatchObject({ status: "stored", keep: "exact" });
    expect(receipt!.keepReason).toBeTruthy();
  });

  it("forgets with undo, and erases for good", async () => {
    const [kept, gone] = await engine.remember([{ text: HARBOUR }, { text: "A secret plan." }]);
    expect(await engine.forget({ ids: [gone!.id!] })).toEqual({ ids: [gone!.id!], erased: false });
    await expect(engine.read(gone!.id!)).rejects.toMatchObject({ code: "not_found" });
    expect((await engine.recall({ query: "secret plan" })).hits).toEqual([]);
    expect(await engine.restore([gone!.id!])).toEqual([gone!.id!]);
    expect((await engine.recall({ query: "secret plan" })).hits).toHaveLength(1);

    await engine.forget({ ids: [gone!.id!] }, { erase: true });
    expect(await engine.restore([gone!.id!])).toEqual([]);
    expect((await engine.browse()).items.map((item) => item.id)).toEqual([kept!.id]);
    await expect(engine.forget({ ids: [gone!.id!] })).rejects.toMatchObject({ code: "not_found" });
  });

  it("forgets by filter only what the filter lets pass", async () => {
    await engine.remember([chat("one", "Ann", 1), chat("two", "Ben", 2), chat("three", "Ann", 3)]);
    const { ids } = await engine.forget({ filter: { speakers: ["Ann"] } });
    expect(ids).toHaveLength(2);
    expect((await engine.browse()).items.map((item) => item.metadata[META.speaker])).toEqual([
      "Ben",
    ]);
  });

  it("edits metadata and finds the memory by what was added", async () => {
    const [receipt] = await engine.remember([{ text: HARBOUR, metadata: { mood: "calm" } }]);
    await engine.update(receipt!.id!, { metadata: { mood: null, [META.title]: "Pier repairs" } });
    const { memory } = await engine.read(receipt!.id!);
    expect(memory.metadata[META.title]).toBe("Pier repairs");
    expect(memory.metadata).not.toHaveProperty("mood");
  });

  it("is all there after closing and opening again", async () => {
    const receipts = await engine.remember([{ text: HARBOUR }, chat("hello", "Ann", 1)]);
    await engine.compact();
    await engine.remember([chat("after the compaction", "Ben", 2)]);
    await engine.close();
    engine = await open(volume);
    expect((await engine.browse()).totalCount).toBe(3);
    expect((await engine.read(receipts[0]!.id!)).text).toBe(HARBOUR);
    expect((await engine.recall({ query: "compaction" })).hits[0]!.snippet).toContain("compaction");
  });

  it("imports files, goes on after a bad one, and says what each was", async () => {
    const receipts: Receipt[] = [];
    const report = await engine.importStore(
      {
        kind: "files",
        files: [
          { path: "notes/pier.md", blob: new Blob([`# Pier\n\n${HARBOUR}\n`]) },
          { path: "empty.txt", blob: new Blob([]) },
          {
            path: "picture.png",
            blob: new Blob([Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0, 1, 2, 3)]),
          },
        ],
      },
      { onReceipt: (receipt) => receipts.push(receipt) },
    );
    expect(report.storedCount).toBe(1);
    expect(report.failedCount).toBe(2);
    expect(report.failures.map((failure) => failure.error.code).sort()).toEqual([
      "invalid_input",
      "unsupported_input",
    ]);
    expect(receipts.filter((receipt) => receipt.status === "failed")).toHaveLength(2);
  });

  it("stops an import when asked, keeps what was acknowledged, and completes it when run again", async () => {
    const blob = new Blob(
      Array.from(
        { length: 400 },
        (_, i) => `${JSON.stringify({ text: `Note number ${i} on the pier.` })}\n`,
      ),
    );
    const source = { kind: "files" as const, files: [{ path: "notes.jsonl", blob }] };
    const control = new TaskControl();
    const acknowledged: string[] = [];
    await expect(
      engine.importStore(source, {
        control,
        onReceipt: (receipt) => {
          acknowledged.push(receipt.id!);
          if (acknowledged.length === 64) control.cancel();
        },
      }),
    ).rejects.toThrow(/cancelled/);
    for (const id of acknowledged) await engine.read(id);
    const report = await engine.importStore(source);
    expect(report.duplicateCount).toBeGreaterThanOrEqual(64);
    expect((await engine.browse()).totalCount).toBe(400);
  });

  it.each(["parquet", "jsonl"] as const)(
    "gives everything back through a %s export, and takes it again only once",
    async (format) => {
      const original = Uint8Array.of(0x63, 0x61, 0x66, 0xe9);
      const receipts = await engine.remember([
        { text: HARBOUR, metadata: { [META.title]: "Pier" } },
        { text: "café", original },
        chat("ok", "Ann", 1),
      ]);
      const files = [];
      for await (const { path, bytes } of engine.exportStore(format))
        files.push({ path, blob: new Blob([bytes as Uint8Array<ArrayBuffer>]) });
      const other = await open(new MemoryVolume());
      const report = await other.importStore({ kind: "files", files });
      expect(report).toMatchObject({ storedCount: 3, failedCount: 0 });
      expect(report.files[0]!.format).toBe("llm-compression-export");
      for (const { id } of receipts) {
        const before = await engine.read(id!);
        const after = await other.read(id!);
        expect(after.text).toBe(before.text);
        expect(after.original).toEqual(before.original);
        expect(after.memory.metadata).toEqual(before.memory.metadata);
      }
      expect(await other.importStore({ kind: "files", files })).toMatchObject({
        storedCount: 0,
        duplicateCount: 3,
      });
      await other.close();
    },
  );

  it("answers SQL over everything that is remembered, and refuses to write", async () => {
    await engine.remember([chat("one", "Ann", 1), chat("two", "Ben", 2)]);
    const table = await engine.sql("select count(*) as n from memories");
    expect(table.rows).toEqual([{ n: 2 }]);
    await expect(engine.sql("drop view memories")).rejects.toBeInstanceOf(AppError);
  });

  it("refuses calls after it was closed", async () => {
    const other = await open(new MemoryVolume());
    await other.close();
    await expect(other.status()).rejects.toMatchObject({ code: "closed" });
  });

  it("has sizes and counts in its status that agree with the files", async () => {
    await engine.remember([{ text: HARBOUR }]);
    const status = await engine.status();
    expect(status.store.totalBytes).toBe(volume.usedBytes());
    expect(status.store.memoryCount).toBe(1);
    expect(status.embeddings).toMatchObject({ embeddedCount: 0, pendingCount: 1 });
  });
});

describe("an engine with the embedding model", () => {
  it("finds by meaning, keeps checked summaries, and fills in vectors that were missing", async () => {
    const provider = new NodeEmbedderProvider();
    const state = await provider.state();
    expect(state.state, "weights: run `npm run setup`").not.toBe("missing");
    const volume = new MemoryVolume();
    const before = await open(volume);
    await before.remember([
      { text: HARBOUR },
      { text: "Grandmother's plum cake needs six eggs and a pound of plums." },
    ]);
    await before.close();

    const engine = await open(volume, provider);
    expect((await engine.status()).embeddings.pendingCount).toBe(2);
    expect(await engine.embedMissing()).toBe(2);
    const { hits, signals } = await engine.recall({ query: "dessert recipe" });
    expect(signals).toContain("semantic");
    expect(hits[0]!.snippet).toContain("plum");
    expect(hits[0]!.memory.quality.similarity).not.toBeNull();

    // A vector that another model made is never compared with ours: it counts as missing.
    const files: { path: string; blob: Blob }[] = [];
    for await (const { path, bytes } of engine.exportStore("jsonl")) {
      const text = new TextDecoder().decode(bytes).replaceAll("all-MiniLM-L6-v2-int8@", "other@");
      files.push({ path, blob: new Blob([text]) });
    }
    const other = await open(new MemoryVolume(), provider);
    await other.importStore({ kind: "files", files });
    const foreign = await other.recall({ query: "dessert recipe" });
    expect(foreign.hits.every((hit) => hit.score.semantic === 0)).toBe(true);
    expect((await other.status()).embeddings.pendingCount).toBe(2);
    expect(await other.embedMissing()).toBe(2);
    const mended = await other.recall({ query: "dessert recipe" });
    expect(mended.hits[0]!.score.semantic).toBeGreaterThan(0);
    await other.close();
    await engine.close();
  });
});
