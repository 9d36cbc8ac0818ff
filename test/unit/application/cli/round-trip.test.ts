import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { rawMails, speeches } from "../../../cli/support/corpus.ts";
import { runInProcess } from "./in-process.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "llmc-trip-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const run = (args: string[], input?: string | Uint8Array) =>
  runInProcess(folder, args, input === undefined ? {} : { input });
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

async function expectRoundTrip(bytes: Uint8Array): Promise<void> {
  const packed = await run(["compress"], bytes);
  expect(packed.code, packed.stderr).toBe(0);
  const restored = await run(["decompress"], packed.stdout);
  expect(restored.code, restored.stderr).toBe(0);
  expect(Buffer.compare(restored.stdout, bytes)).toBe(0);
}

const SAMPLES: [name: string, bytes: () => Uint8Array][] = [
  ["a short text", () => utf8("The spare key is with Ada Byron until 3 May 2024.\n")],
  ["one letter", () => utf8("x")],
  ["only white space", () => utf8(" \n\t\n")],
  ["a text without a last newline", () => utf8("no newline")],
  ["Windows line ends and a byte order mark", () => utf8("\ufeffone\r\ntwo\r\n")],
  ["emoji and combining characters", () => utf8("👩‍👩‍👧‍👦 says: naïve cafe\u0301 – ok 👍🏽\n".repeat(20))],
  ["right-to-left text", () => utf8("שלום עולם, התשובה היא 42.\nمرحبا بالعالم\n")],
  [
    "NULs inside of text",
    () => utf8("first line\u0000second part\u0000\nthird line of the note\n"),
  ],
  [
    "Latin-1",
    () =>
      Buffer.from(
        "Sehr geehrte Frau Müller,\r\nIhre Rechnung über 95 DM. Schöne Grüße aus Köln!\r\n",
        "latin1",
      ),
  ],
  ["UTF-16 with its mark", () => Buffer.from("\ufeffThe quick brown fox met Ada.\n", "utf16le")],
  ["raw mails", () => rawMails(1)[0]!.bytes],
  ["a speech", () => utf8(speeches(1)[0]!.text)],
  [
    "UTF-8 with one broken byte",
    () =>
      Buffer.concat([
        utf8("Müller und Söhne, Köln, größte Auswahl: "),
        Uint8Array.of(0xff),
        utf8(" Ende\n"),
      ]),
  ],
];

describe("compress and decompress", () => {
  it.each(SAMPLES)("give %s back bit for bit", async (_name, make) => {
    await expectRoundTrip(make());
  });

  it("count the bytes of the file as it was given, not of its text as UTF-8", async () => {
    const letter = Buffer.from("Schöne Grüße aus Köln, Ihre Frau Müller!\r\n", "latin1");
    const packed = await run(["compress"], letter);
    const told = await run(["inspect", "-", "--json"], packed.stdout);
    const { fileBytes, ratios } = JSON.parse(told.text) as {
      fileBytes: number;
      ratios: { originalBytes: number; storedBytes: number; storedRatio: number };
    };
    expect(ratios).toMatchObject({ originalBytes: letter.length, storedBytes: fileBytes });
    expect(ratios.storedRatio).toBeCloseTo(letter.length / fileBytes, 6);
  });

  it("give any text back bit for bit", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.string({ unit: "grapheme", minLength: 1, maxLength: 400 }),
        async (text) => {
          const bytes = utf8(text);
          const packed = await run(["compress"], bytes);
          // What looks like binary is refused, with a reason; nothing else is.
          if (packed.code === 3) expect(packed.stderr).toMatch(/not text/);
          else await expectRoundTrip(bytes);
        },
      ),
      { numRuns: 40 },
    );
  });
});

describe("bad input ends with its code, one clear line, and nothing on stdout", () => {
  it.each<[string, string[], string | Uint8Array, number, RegExp]>([
    ["nothing", ["compress"], "", 2, /Standard input is empty/],
    ["a missing file", ["compress", "--input", "no.txt"], "", 4, /no such file: .*no\.txt/],
    ["a folder", ["compress", "--input", "."], "", 2, /folder/],
    [
      "an image",
      ["compress"],
      Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10, 0, 0),
      3,
      /PNG/,
    ],
    ["no .llmc file", ["decompress"], "just text", 5, /not a \.llmc file/],
    ["an unknown mode", ["compress", "--mode", "slow"], "x", 2, /--mode: must be one of fast/],
    ["an output folder that can't be", ["compress", "--output", "a.txt/b.llmc"], "x", 2, /a\.txt/],
  ])("%s", async (_name, args, input, code, message) => {
    await writeFile(join(folder, "a.txt"), "a file");
    const result = await run(args, input);
    expect(result.code).toBe(code);
    expect(result.stderr).toMatch(message);
    expect(result.stderr).toMatch(/^llm-compress: .*\n$/);
    expect(result.text).toBe("");
  });

  it("a .llmc file with any byte changed, or cut anywhere", async () => {
    const packed = await run(["compress"], "Ada met Bob in Rome on 3 May 2024.");
    const whole = packed.stdout;
    for (let at = 0; at < whole.length; at += 3) {
      const damaged = Buffer.from(whole);
      damaged[at] = damaged[at]! ^ 0x10;
      const result = await run(["decompress"], damaged);
      expect(result.code, `byte ${at}`).toBe(5);
      expect(result.text).toBe("");
      expect((await run(["decompress"], whole.subarray(0, at))).code, `cut at ${at}`).not.toBe(0);
    }
  });

  it("leaves an output file alone", async () => {
    await writeFile(join(folder, "kept.txt"), "precious");
    expect((await run(["decompress", "--output", "kept.txt"], "no container")).code).toBe(5);
    expect(await readFile(join(folder, "kept.txt"), "utf8")).toBe("precious");
  });

  it("refuses to write compressed data to a terminal, or beside JSON", async () => {
    await writeFile(join(folder, "a.txt"), "a file");
    const terminal = await runInProcess(folder, ["compress", "--input", "a.txt"], {
      terminal: true,
    });
    expect(terminal).toMatchObject({ code: 2, text: "" });
    const both = await run(["compress", "--json"], "x");
    expect(both.code).toBe(2);
    expect(JSON.parse(both.text)).toMatchObject({ error: { code: "invalid_input" } });
  });
});

describe("reports", () => {
  it("say in JSON what was done, in real bytes", async () => {
    const { text } = speeches(1)[0]!;
    await writeFile(join(folder, "speech.txt"), text);
    const result = await run(["compress", "--input=speech.txt", "--output=speech.llmc", "--json"]);
    const size = (await readFile(join(folder, "speech.llmc"))).length;
    expect(JSON.parse(result.text)).toMatchObject({
      input: "speech.txt",
      output: "speech.llmc",
      keep: "exact",
      mode: "fast",
      originalBytes: utf8(text).length,
      storedBytes: size,
      ratio: Number((utf8(text).length / size).toFixed(3)),
    });
    const unpacked = await run(["decompress", "--input", "speech.llmc", "--json"]);
    expect(JSON.parse(unpacked.text)).toMatchObject({ text, reconstructed: false, keep: "exact" });
    const inspected = await run(["inspect", "speech.llmc", "--json"]);
    expect(JSON.parse(inspected.text)).toMatchObject({ fileBytes: size, keep: "exact" });
    const shown = await run(["inspect", "speech.llmc"]);
    expect(shown.text).toMatch(/^Kept +exactly$/m);
    expect(shown.text).toMatch(/^Summary +\S/m);
  });

  it("say why a summary alone was not kept", async () => {
    const result = await run(
      ["compress", "--output=note.llmc", "--keep=summary", "--json"],
      speeches(1)[0]!.text,
    );
    // Without a model the quality can't be measured, so the original stays.
    expect(JSON.parse(result.text)).toMatchObject({
      keep: "exact",
      keepReason: expect.stringMatching(/\w/),
    });
  });
});

describe("a cancelled command", () => {
  it("ends with 130 and says what is kept", async () => {
    const abort = new AbortController();
    abort.abort();
    const result = await runInProcess(folder, ["status"], { signal: abort.signal });
    expect(result.code).toBe(130);
    expect(result.stderr).toBe("llm-compress: Interrupted. What was acknowledged is kept.\n");
  });
});
