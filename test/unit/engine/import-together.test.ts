import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createEngine } from "../../../src/create-engine.ts";
import type { Engine, ImportFile, Receipt } from "../../../src/engine.ts";
import { META } from "../../../src/model/memory.ts";
import { MemoryFileStore, MemoryVolume } from "../../../src/platform/memory/memory-file-store.ts";
import { noEmbedder } from "../../../src/platform/memory/no-embedder.ts";
import { createNodeSqlEngine } from "../../../src/platform/node/duckdb.ts";

/** Without a model: what is tested here is what is stored, not how it is found. */
function open(volume: MemoryVolume): Promise<Engine> {
  volume.opened = false;
  return createEngine({
    fileStore: new MemoryFileStore(volume),
    embedder: noEmbedder,
    sql: async () => createNodeSqlEngine(),
  });
}

const mail = (id: number, body: string, replyTo?: number): string =>
  [
    `Message-ID: <${id}@harbour.example>`,
    ...(replyTo === undefined ? [] : [`In-Reply-To: <${replyTo}@harbour.example>`]),
    `Date: Tue, 0${id} Mar 2022 09:00:00 +0000`,
    `From: Rosa <rosa@harbour.example>`,
    `Subject: Berths`,
    "",
    body,
  ].join("\n");

function mails(): ImportFile[] {
  return [
    mail(1, "Berth 12 is free from the third of April."),
    mail(2, "Then the Marlin can lie there; the crew asks for water and power.", 1),
    mail(3, "Power costs 9 euros a day, water is free.", 2),
  ].map((text, i) => ({ path: `box/${i}.eml`, blob: new Blob([text]), lastModified: i }));
}

describe("the same files, imported by two callers at once", () => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await open(new MemoryVolume());
  });
  afterAll(() => engine.close());

  it("are stored once, linked to each other, and counted as duplicates the second time", async () => {
    const reports = await Promise.all(
      [0, 1].map(() => engine.importStore({ kind: "files", files: mails() })),
    );
    const sum = (key: "storedCount" | "duplicateCount" | "failedCount") =>
      reports.reduce((total, report) => total + report[key], 0);
    expect([sum("storedCount"), sum("duplicateCount"), sum("failedCount")]).toEqual([3, 3, 0]);
    const { items } = await engine.browse({ limit: 10 });
    expect(items).toHaveLength(3);
    const present = new Set(items.map(({ id }) => id));
    for (const { previousId } of items)
      if (previousId !== null) expect(present).toContain(previousId);
    expect(items.filter(({ previousId }) => previousId !== null)).toHaveLength(2);
  });

  it("keeps two equal messages of one chat as two, each once", async () => {
    const chat = Array.from({ length: 2 }, () => ({
      text: "Yes.",
      timestamp: Date.UTC(2022, 5, 1),
      metadata: { [META.speaker]: "Rosa", [META.source]: "chat" },
    }));
    await Promise.all([0, 1, 2].map(() => engine.remember(chat)));
    const { totalCount } = await engine.browse({ filter: { sources: ["chat"] } });
    expect(totalCount).toBe(2);
  });
});

describe("an import that fills the storage", () => {
  it("ends with one failure, keeps what was acknowledged, and can be run again", async () => {
    const volume = new MemoryVolume();
    let engine = await open(volume);
    const letters = Array.from({ length: 200 }, (_, i) => ({
      path: `letters/${i}.txt`,
      blob: new Blob([`Letter ${i}. ${noise(i, 400)}`]),
      lastModified: i,
    }));
    volume.quotaBytes = volume.usedBytes() + 60_000;
    const receipts: Receipt[] = [];
    const report = await engine.importStore(
      { kind: "files", files: letters },
      { onReceipt: (receipt) => receipts.push(receipt) },
    );
    expect(report.failures).toHaveLength(1);
    expect(report.failures[0]!.error).toMatchObject({ code: "storage_full", retryable: true });
    expect(report.storedCount).toBeGreaterThan(0);
    expect(report.storedCount).toBeLessThan(200);
    // It ended early: letters behind the groups under way were not even read.
    expect(receipts.length).toBeLessThan(200);
    const stored = receipts.filter(({ status }) => status === "stored");
    expect(stored).toHaveLength(report.storedCount);
    await engine.close();

    volume.quotaBytes = null;
    engine = await open(volume);
    for (const { id } of stored) expect((await engine.read(id!)).keep).toBe("exact");
    const again = await engine.importStore({ kind: "files", files: letters });
    expect(again).toMatchObject({
      storedCount: 200 - report.storedCount,
      duplicateCount: report.storedCount,
      failures: [],
    });
    await engine.close();
  }, 60_000);
});

/** Words that don't compress: different for each seed. */
function noise(seed: number, words: number): string {
  let state = seed * 2654435761 + 1;
  const next = (): number => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0);
  return Array.from({ length: words }, () => next().toString(36)).join(" ");
}

describe("what is brought again", () => {
  it("is a duplicate of what was forgotten when others were stored and is there again", async () => {
    const engine = await open(new MemoryVolume());
    const kettle = { text: "The kettle is in the blue cupboard.", timestamp: Date.UTC(2022, 0, 1) };
    const [first] = await engine.remember([kettle]);
    await engine.forget({ ids: [first!.id!] });
    await engine.remember([{ text: "The cups are beside it.", timestamp: Date.UTC(2022, 0, 2) }]);
    await engine.restore([first!.id!]);
    const [again] = await engine.remember([kettle]);
    expect([again!.status, again!.id]).toEqual(["duplicate", first!.id]);
    await engine.close();
  });
});

/** Tells how much each call adds to the journal. */
class WatchedFileStore extends MemoryFileStore {
  readonly appended: number[] = [];

  override append(path: string, bytes: Uint8Array): Promise<number> {
    this.appended.push(bytes.length);
    return super.append(path, bytes);
  }
}

describe("mails with large attachments", () => {
  it("share a write only as far as their originals are small together", async () => {
    const attachmentBytes = 6 * 1024 * 1024;
    const files = [1, 2, 3, 4].map((id): ImportFile => {
      const attachment = randomBytes(attachmentBytes).toString("base64");
      const text = mail(id, `Plan ${id} of the harbour is attached.`).replace(
        "\n\n",
        '\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="b"\n\n--b\nContent-Type: text/plain\n\n',
      );
      const part = `\n--b\nContent-Type: application/octet-stream\nContent-Transfer-Encoding: base64\n\n${attachment}\n--b--\n`;
      return { path: `plans/${id}.eml`, blob: new Blob([text + part]), lastModified: id };
    });
    const fileStore = new WatchedFileStore();
    const engine = await createEngine({
      fileStore,
      embedder: noEmbedder,
      sql: async () => createNodeSqlEngine(),
    });
    const report = await engine.importStore({ kind: "files", files });
    expect([report.storedCount, report.failedCount]).toEqual([4, 0]);
    // Base64 of random bytes shrinks to these; two of eight megabytes fit, three don't.
    expect(Math.max(...fileStore.appended)).toBeLessThan(2.5 * attachmentBytes);
    expect(Math.max(...fileStore.appended)).toBeGreaterThan(attachmentBytes);
    await engine.close();
  });
});
