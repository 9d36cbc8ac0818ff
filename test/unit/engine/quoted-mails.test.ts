import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Engine } from "../../../src/engine.ts";
import { META, type MemoryInput } from "../../../src/model/memory.ts";
import { MemoryVolume } from "../../../src/platform/memory/memory-file-store.ts";
import { addressSentences, idsOf, openEngine } from "./engine-texts.ts";

const OLD = Date.UTC(2020, 1, 3, 9);
const QUOTED = [
  "The harbour office moves to Quay Street 14 on the second of March.",
  "Keys for the boat shed are kept by Marit Olsen from then on.",
  "Invoices for berths go to the new address only.",
];

function question(): MemoryInput {
  return {
    text: `Dear all,\n\n${QUOTED.join("\n")}\n\nRegards\nPer`,
    timestamp: OLD,
    metadata: { [META.kind]: "mail", [META.externalId]: "q@x", [META.source]: "question" },
  };
}

/** Quotes all of the question and says a good deal of its own. */
function reply(source: string): MemoryInput {
  const own = addressSentences(3, 36);
  const paragraphs = Array.from({ length: 12 }, (_, i) => own.slice(i * 3, i * 3 + 3).join(" "));
  return {
    text: `On 3 Feb 2020, Per wrote:\n${QUOTED.map((line) => `> ${line}`).join("\n")}\n\n${paragraphs.join("\n\n")}\n`,
    timestamp: OLD + 3_600_000,
    metadata: {
      [META.kind]: "mail",
      [META.externalId]: `${source}@x`,
      [META.replyTo]: "q@x",
      [META.source]: source,
    },
  };
}

describe("a mail whose quote is in a stored mail", () => {
  let engine: Engine;
  let source: string;
  let quoter: string;
  const volume = new MemoryVolume();
  beforeAll(async () => {
    engine = await openEngine(volume);
    [source, quoter] = idsOf(await engine.remember([question(), reply("reply")])) as [
      string,
      string,
    ];
    await engine.retention.setPolicy({
      enabled: true,
      rules: [{ sources: ["reply"], olderThanDays: 30, moveTo: "summary" }],
    });
  }, 300_000);
  afterAll(() => engine.close());

  it("moves to a summary of its own words that points at it", async () => {
    expect(await engine.retention.apply()).toMatchObject({ moved: 1, held: [], undoable: true });
    const read = await engine.read(quoter);
    expect(read).toMatchObject({ keep: "summary", reconstructed: true });
    expect(read.quality.similarity).toBeGreaterThan(0.85);
    expect(read.quality.faithfulness).toBe(1);
    expect(read.memory.metadata["quotes"]).toBe(source);
    for (const line of QUOTED) expect(read.memory.summary).not.toContain(line);
  }, 300_000);

  it("has its own text again when that mail goes before a compaction, also after reopening", async () => {
    await engine.close();
    engine = await openEngine(volume);
    await engine.forget({ ids: [source] });
    const back = await engine.read(quoter);
    expect(back).toMatchObject({ keep: "exact", reconstructed: false });
    expect(back.text).toBe(reply("reply").text);
    expect(back.memory.metadata["quotes"]).toBeUndefined();
    await engine.restore([source]);
  }, 60_000);

  it("stands by itself when that mail is erased after one: nothing of it is left anywhere", async () => {
    await engine.retention.apply();
    const { memory } = await engine.read(quoter);
    expect(memory.metadata["quotes"]).toBe(source);
    await engine.compact();
    await engine.forget({ ids: [source] }, { erase: true });
    const left = await engine.read(quoter);
    expect(left).toMatchObject({ keep: "summary", quality: memory.quality });
    expect(left.memory.summary).toBe(memory.summary);
    expect(JSON.stringify(left)).not.toContain(source);
    expect(JSON.stringify(left)).not.toContain("Marit");
  }, 300_000);

  it("may be remembered as a summary at once, while the mail is there", async () => {
    const [id] = idsOf(await engine.remember([question()]));
    const [receipt] = await engine.remember([reply("later")], { keep: "summary" });
    expect(receipt).toMatchObject({ status: "stored", keep: "summary" });
    const { memory } = await engine.read(receipt!.id!);
    expect(memory.metadata["quotes"]).toBe(id);
    expect(memory.summary).not.toContain("Marit");
  }, 300_000);
});
