import { describe, expect, it } from "vitest";
import { createEngine } from "../../../src/create-engine.ts";
import type { Engine, ImportFile } from "../../../src/engine.ts";
import { AppError } from "../../../src/errors.ts";
import { META } from "../../../src/model/memory.ts";
import { MemoryFileStore, MemoryVolume } from "../../../src/platform/memory/memory-file-store.ts";
import { noEmbedder } from "../../../src/platform/memory/no-embedder.ts";
import type { Embedder, EmbedderProvider } from "../../../src/ports/embedder.ts";

function open(volume: MemoryVolume, embedder: EmbedderProvider = noEmbedder): Promise<Engine> {
  return createEngine({
    fileStore: new MemoryFileStore(volume),
    embedder,
    sql: () => Promise.reject(new AppError("internal", "No SQL here.")),
  });
}

async function exported(engine: Engine): Promise<ImportFile[]> {
  const files: ImportFile[] = [];
  for await (const { path, bytes } of engine.exportStore("jsonl"))
    files.push({ path, blob: new Blob([bytes as Uint8Array<ArrayBuffer>]) });
  return files;
}

function lines(count: number): ImportFile {
  const rows = Array.from({ length: count }, (_, i) =>
    JSON.stringify({ text: `Log of day ${i}: the tide was ${i % 7} feet at the north pier.` }),
  );
  return { path: "tides.jsonl", blob: new Blob([rows.join("\n")]) };
}

/** A model whose calls end as `embed` says: vectors of one direction, or a failure. */
function modelOf(embed: () => Promise<void>): EmbedderProvider {
  const embedder: Embedder = {
    info: { id: "test-00000000", dimensions: 384, maxTokens: 256, backend: "wasm", threads: 1 },
    embed: async (texts) => {
      await embed();
      return texts.map(() => new Float32Array(384).fill(1 / Math.sqrt(384)));
    },
    countTokens: () => Promise.reject(new AppError("model_failed", "The worker ended.")),
    close: () => Promise.resolve(),
  };
  return {
    load: () => Promise.resolve(embedder),
    state: async () => ({ ...(await noEmbedder.state()), state: "loaded" }),
  };
}

describe("erasing what was forgotten before", () => {
  it("leaves nothing restorable when everything is erased", async () => {
    const engine = await open(new MemoryVolume());
    const receipts = await engine.remember([
      { text: "The spare key is with Ada." },
      { text: "The ferry leaves at six." },
    ]);
    const first = receipts[0]!.id!;
    await engine.forget({ ids: [first] });
    await engine.forget({ all: true }, { erase: true });
    expect((await engine.status()).store.forgottenCount).toBe(0);
    expect(await engine.restore([first])).toEqual([]);
    await engine.close();
  });

  it("names a forgotten memory that is erased, and still refuses an unknown one", async () => {
    const engine = await open(new MemoryVolume());
    const [receipt] = await engine.remember([{ text: "The spare key is with Ada." }]);
    const id = receipt!.id!;
    await engine.forget({ ids: [id] });
    expect(await engine.forget({ ids: [id, id] }, { erase: true })).toEqual({
      ids: [id],
      erased: true,
    });
    await expect(engine.forget({ ids: [id] }, { erase: true })).rejects.toMatchObject({
      code: "not_found",
    });
    await engine.close();
  });
});

describe("importing an export of this store", () => {
  it("restores what was forgotten, stores what was erased and knows the rest", async () => {
    const engine = await open(new MemoryVolume());
    const texts = ["The spare key is with Ada.", "The ferry leaves at six.", "Rent is due in May."];
    const receipts = await engine.remember(texts.map((text) => ({ text })));
    const ids = receipts.map((receipt) => receipt.id!);
    const files = await exported(engine);
    await engine.forget({ ids: [ids[0]!] });
    await engine.forget({ ids: [ids[1]!] }, { erase: true });
    const report = await engine.importStore({ kind: "files", files });
    expect(report).toMatchObject({ storedCount: 2, duplicateCount: 1, failedCount: 0 });
    for (const [i, id] of ids.entries()) expect((await engine.read(id)).text).toBe(texts[i]);
    await engine.close();
  });

  it("keeps the others when one row can't be stored, and leaves vectors of unnamed models out", async () => {
    const engine = await open(new MemoryVolume());
    const row = (id: string, extra: object) =>
      JSON.stringify({
        memory_id: id,
        content: `Text of ${id}.`,
        timestamp: 1_700_000_000_000,
        ...extra,
      });
    const blob = new Blob([
      [
        row("a", { summary: "Text of a." }),
        row("b", { original_bytes: 1e300 }),
        row("c", { embedding: new Array<number>(384).fill(0.05) }),
      ].join("\n"),
    ]);
    const report = await engine.importStore({ kind: "files", files: [{ path: "v2.jsonl", blob }] });
    expect(report).toMatchObject({ storedCount: 2, failedCount: 1 });
    expect((await engine.read("c")).memory.embedded).toBe(false);
    await engine.close();
  });
});

describe("an engine that is closed during an import", () => {
  it("rejects the import at once instead of failing the rest item by item", async () => {
    const engine = await open(new MemoryVolume());
    let failed = 0;
    let closing: Promise<void> | undefined;
    const importing = engine.importStore(
      { kind: "files", files: [lines(300)] },
      {
        onReceipt: (receipt) => {
          if (receipt.status === "failed") failed++;
          closing ??= engine.close();
        },
      },
    );
    await expect(importing).rejects.toMatchObject({ code: "closed" });
    await closing;
    expect(failed).toBe(0);
  });
});

describe("forgetting while vectors are made", () => {
  it("goes on with the other memories", async () => {
    const volume = new MemoryVolume();
    const before = await open(volume);
    const receipts = await before.remember([
      { text: "The spare key is with Ada." },
      { text: "The ferry leaves at six." },
    ]);
    await before.close();
    const engine: Engine = await open(
      volume,
      modelOf(async () => {
        await engine.forget({ ids: [receipts[0]!.id!] }).catch(() => undefined);
      }),
    );
    await engine.embedMissing();
    const { embeddings, store } = await engine.status();
    expect(store.memoryCount).toBe(1);
    expect(embeddings).toMatchObject({ embeddedCount: 1, pendingCount: 0 });
    await engine.close();
  });
});

describe("a model that fails", () => {
  it("costs vectors and token counts, not texts", async () => {
    for (const code of ["model_failed", "model_missing", "closed"] as const) {
      const engine = await open(
        new MemoryVolume(),
        modelOf(() => Promise.reject(new AppError(code, "It is gone."))),
      );
      const [receipt] = await engine.remember([{ text: "The spare key is with Ada." }]);
      expect(receipt).toMatchObject({ status: "stored" });
      const read = await engine.read(receipt!.id!);
      expect(read.text).toBe("The spare key is with Ada.");
      expect(read.memory.embedded).toBe(false);
      await engine.close();
    }
  });
});

describe("threads", () => {
  it("don't lead from one user's memories to another's", async () => {
    const engine = await open(new MemoryVolume());
    const metadata = { [META.externalId]: "<1@pier>" };
    await engine.remember([{ text: "Is the pier open?", userId: "ada", metadata }]);
    const [answer] = await engine.remember([
      { text: "It is closed.", userId: "ben", metadata: { [META.replyTo]: "<1@pier>" } },
    ]);
    expect((await engine.read(answer!.id!)).memory.previousId).toBeNull();
    await engine.close();
  });
});

describe("an engine that was just opened", () => {
  it("finds by meaning and says how many vectors there are at once, folded or in the journal", async () => {
    const volume = new MemoryVolume();
    const model = modelOf(() => Promise.resolve());
    const first = await open(volume, model);
    await first.importStore({ kind: "files", files: [lines(40)] });
    await first.compact();
    await first.remember([{ text: "The tide of the last day was eight feet.", timestamp: 0 }]);
    await first.close();

    const second = await open(volume, model);
    const [{ signals }, { vectors, embeddings }] = await Promise.all([
      second.recall({ query: "how high was the water" }),
      second.status(),
    ]);
    expect(signals).toContain("semantic");
    expect(vectors).toMatchObject({ count: 41, loaded: true });
    expect(embeddings.embeddedCount).toBe(41);
    await second.close();
  });
});
