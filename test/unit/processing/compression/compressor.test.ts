import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { TaskControl } from "../../../../src/model/task-control.ts";
import {
  LLMCompressor,
  type CompressionResult,
} from "../../../../src/processing/compression/compressor.ts";
import {
  summaryBudget,
  type SummaryWriter,
} from "../../../../src/processing/compression/summary.ts";
import { address, mailBodies, opening } from "./texts.ts";

const compressor = new LLMCompressor({ embedder: null });
const byteLength = (text: string): number => new TextEncoder().encode(text).length;

describe("compression without an embedding model", () => {
  it("summarises by words, within its budget, from whole sentences of the text", async () => {
    for (const text of [opening(address(1865), 8000), ...mailBodies(8, 900, 5000)]) {
      const result = await compressor.compress(text);
      expect(result.model).toBe("extractive");
      expect(result.vector).toBeNull();
      expect(result.quality.similarity).toBeNull();
      expect(result.quality.faithfulness).toBe(1);
      expect(result.summary.length).toBeGreaterThan(20);
      const oneUnit = !/[.!?] /.test(result.summary);
      if (!oneUnit)
        expect(byteLength(result.summary)).toBeLessThanOrEqual(
          Math.max(700, summaryBudget(byteLength(text), "fast")),
        );
      const words = new Set(text.match(/[\p{L}\p{N}]+/gu));
      for (const word of result.summary.match(/[\p{L}\p{N}]+/gu) ?? [])
        expect(words).toContain(word);
    }
  });

  it("keeps exactly what it can't compare, and says why", async () => {
    const result = await compressor.compress(opening(address(1865), 4000), { keep: "summary" });
    expect(result.keep).toBe("exact");
    expect(result.keepReason).toContain("no embedding model");
  });

  it("takes a short text as its own summary", async () => {
    const text = "  Ann, please bring 12 eggs on Monday.\n";
    const result = await compressor.compress(text, { keep: "summary" });
    expect(result).toMatchObject({ summary: text, model: "verbatim", keep: "summary" });
    const memory = await compressor.compressToMemory(text, { keep: "summary" });
    expect(memory.residual).toBeNull();
    expect(await compressor.decompress(memory)).toMatchObject({
      text,
      reconstructed: false,
      quality: { similarity: 1 },
    });
  });

  it("is deterministic", async () => {
    const text = mailBodies(1)[0]!;
    expect(await compressor.compress(text)).toEqual(await compressor.compress(text));
  });

  it("leaves quotes, signature and list footers out of summary and entities", async () => {
    const own =
      "The new parser is ready and Maria Lopez will review it on Friday. Please try the build before the meeting in Berlin, since the old one can't read attachments that are longer than four megabytes. ";
    const text = `On Mon, 5 Aug 2002, Tom Hanks wrote:\n> I think that Quentin should write the parser in Lisbon.\n> It took 99 days.\n\n${own}${own.replace("Friday", "Thursday")}\n\n-- \nDr. Victor Frank, 555 Castle Road\n\n_______________________________________________\nParser mailing list\nhttp://lists.example.org/mailman/listinfo/parser\n`;
    const { summary, entities } = await compressor.compress(text);
    const all = `${summary} ${entities.map((entity) => entity.text).join(" ")}`;
    expect(all).not.toMatch(/Quentin|Lisbon|99|Castle|mailman|Tom Hanks/);
    expect(entities.map((entity) => entity.text)).toEqual(
      expect.arrayContaining(["Maria Lopez", "Friday", "Berlin"]),
    );
  });

  it("gives one result or error per text, in order", async () => {
    const results = await compressor.compressAll(["Fine.", "half \ud83d pair", "Also fine."]);
    expect((results[0] as CompressionResult).summary).toBe("Fine.");
    expect(results[1]).toMatchObject({ name: "AppError", code: "invalid_input" });
    expect((results[2] as CompressionResult).summary).toBe("Also fine.");
  });

  it("survives any text: empty, binary, endless lines, right-to-left, emoji", async () => {
    const odd = [
      "",
      " \n\t ",
      "\0\0\0",
      "🙂".repeat(500),
      "שלום עולם. ".repeat(80),
      "a".repeat(50_000),
      "x,".repeat(20_000),
      "> > > >\n".repeat(200),
      "===\n".repeat(500),
    ];
    for (const text of odd) {
      const memory = await compressor.compressToMemory(text);
      expect((await compressor.decompress(memory)).text).toBe(text);
    }
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: "binary", maxLength: 2000 }), async (raw) => {
        const text = raw.toWellFormed();
        const memory = await compressor.compressToMemory(text);
        expect((await compressor.decompress(memory)).text).toBe(text);
      }),
      { numRuns: 30 },
    );
  });

  it("stops when cancelled", async () => {
    const control = new TaskControl();
    control.cancel();
    await expect(compressor.compressAll(mailBodies(3), { control })).rejects.toMatchObject({
      name: "AbortError",
    });
  });

  it("hands out groups as they are done", async () => {
    const texts = mailBodies(70, 400, 1500);
    const sizes: number[] = [];
    for await (const group of compressor.compressGroups(texts)) sizes.push(group.length);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(texts.length);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(32);
  });

  it("takes a writer's summary only when it is faithful", async () => {
    const text = opening(address(1790), 2000);
    const sentence = (await compressor.compress(text)).summary;
    const writer = (summary: string): SummaryWriter => ({
      supports: (mode) => mode !== "fast",
      write: () =>
        Promise.resolve({
          candidates: [{ text: summary, model: "writer" }],
          route: null,
          notes: [],
        }),
    });
    const honest = new LLMCompressor({ embedder: null, writers: [writer(sentence)] });
    expect((await honest.compress(text, { mode: "high" })).model).toBe("writer");
    expect((await honest.compress(text, { mode: "fast" })).model).toBe("extractive");
    const liar = new LLMCompressor({
      embedder: null,
      writers: [writer("Napoleon paid 117 ducats.")],
    });
    expect((await liar.compress(text, { mode: "high" })).model).toBe("extractive");
  });
});

describe("restoring", () => {
  it("refuses a residual that isn't this text's", async () => {
    const memory = await compressor.compressToMemory(mailBodies(1)[0]!);
    const other = await compressor.compressToMemory(mailBodies(2)[1]!);
    await expect(
      compressor.decompress({ ...memory, residual: other.residual }),
    ).rejects.toMatchObject({ code: "corrupt_data" });
  });

  it("labels what it reconstructed, and adds only what the text named", async () => {
    const result = await compressor.decompress({
      ...(await compressor.compressToMemory(opening(address(1790), 3000))),
      keep: "summary",
      residual: null,
      summary: "The bridge was closed.",
      entities: [
        { text: "Ann", type: "person", confidence: 0.9 },
        { text: "1845", type: "date", confidence: 0.9 },
      ],
    });
    expect(result.reconstructed).toBe(true);
    expect(result.text).toBe(
      "The bridge was closed.\n\nAlso mentioned: Ann.\n\nDates, amounts and numbers: 1845.",
    );
  });
});
