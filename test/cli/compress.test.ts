import { readFile, writeFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { useCli } from "./support/cli.ts";
import { rawMails, speeches } from "./support/corpus.ts";

const cli = useCli();
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

const LATIN1_LETTER = Buffer.from(
  "Sehr geehrte Frau Müller,\r\n\r\nIhre Rechnung über 120 € … nein, über 95 DM liegt bei. Schöne Grüße aus Köln!\r\n",
  "latin1",
);

const SAMPLES: [name: string, bytes: () => Uint8Array][] = [
  [
    "a short text",
    () => utf8("The spare key is with Ada Byron at 12 Long Lane until 3 May 2024.\n"),
  ],
  ["a text without a last newline", () => utf8("no newline")],
  ["Windows line ends and a byte order mark", () => utf8("\ufeffone\r\ntwo\r\n")],
  ["emoji and combining characters", () => utf8("👩‍👩‍👧‍👦 says: naïve cafe\u0301 – ok 👍🏽\n".repeat(20))],
  ["right-to-left text", () => utf8("שלום עולם, התשובה היא 42.\nمرحبا بالعالم\n")],
  [
    "NULs inside of text",
    () => utf8("first line\u0000second part\u0000\nthird line of the same note\n"),
  ],
  ["Latin-1", () => LATIN1_LETTER],
  [
    "UTF-16 with its mark",
    () => Buffer.from("\ufeffThe quick brown fox met Ada in London.\n", "utf16le"),
  ],
  ["a raw mail", () => rawMails(1)[0]!.bytes],
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
  it.each(SAMPLES)("give %s back bit for bit, through files", async (_name, make) => {
    const bytes = make();
    await writeFile(cli.path("in"), bytes);
    const packed = await cli.run(["compress", "--input", "in", "--output", "out.llmc"]);
    expect(packed).toMatchObject({ code: 0, text: "" });
    const restored = await cli.run(["decompress", "--input", "out.llmc", "--output", "back"]);
    expect(restored).toMatchObject({ code: 0, text: "" });
    expect(Buffer.compare(await readFile(cli.path("back")), bytes)).toBe(0);
  });

  it("work as a pipe by default, with nothing but the data on stdout", async () => {
    const { text } = speeches(1)[0]!;
    const packed = await cli.run(["compress"], { input: text });
    expect(packed).toMatchObject({ code: 0, stderr: "" });
    expect(packed.stdout.subarray(0, 4).toString()).toBe("LLMC");
    expect(packed.stdout.length).toBeLessThan(utf8(text).length / 2);
    const restored = await cli.run(["decompress", "--input", "-"], { input: packed.stdout });
    expect(restored).toMatchObject({ code: 0, stderr: "" });
    expect(restored.text).toBe(text);
  });

  it("give a line of 10 MB back", async () => {
    const words = speeches(3)
      .map((speech) => speech.text.replace(/\s+/g, " "))
      .join(" ");
    const line = words.repeat(Math.ceil(10_000_000 / words.length)).slice(0, 10_000_000);
    await writeFile(cli.path("line.txt"), line);
    const packed = await cli.run(["compress", "--input", "line.txt", "--output", "line.llmc"]);
    expect(packed.code, packed.stderr).toBe(0);
    const restored = await cli.run(["decompress", "--input", "line.llmc"]);
    expect(restored.code, restored.stderr).toBe(0);
    expect(restored.text === line).toBe(true);
  }, 120_000);

  it("report as JSON what was done, in real bytes", async () => {
    const { text } = speeches(1)[0]!;
    await writeFile(cli.path("speech.txt"), text);
    const report = await cli.json(["compress", "--input", "speech.txt", "--output", "speech.llmc"]);
    const size = (await readFile(cli.path("speech.llmc"))).length;
    expect(report).toMatchObject({
      input: "speech.txt",
      output: "speech.llmc",
      keep: "exact",
      mode: "fast",
      originalBytes: utf8(text).length,
      storedBytes: size,
      ratio: Number((utf8(text).length / size).toFixed(3)),
      quality: { faithfulness: 1 },
    });
    const unpacked = await cli.json(["decompress", "--input", "speech.llmc"]);
    expect(unpacked).toMatchObject({ text, reconstructed: false, keep: "exact" });
  });

  it("say why a summary alone was not kept", async () => {
    await writeFile(cli.path("note.txt"), speeches(1)[0]!.text);
    const report = await cli.json([
      "compress",
      "--input=note.txt",
      "--output=note.llmc",
      "--keep=summary",
    ]);
    // Without a model the quality can't be measured, so the original stays.
    expect(report).toMatchObject({ keep: "exact", keepReason: expect.stringMatching(/\w/) });
  });
});

describe("inspect", () => {
  it("shows what a file holds without decompressing it", async () => {
    const input = speeches(1)[0]!.text;
    await cli.run(["compress", "--output", "a.llmc"], { input });
    const shown = await cli.run(["inspect", "a.llmc"]);
    expect(shown.code).toBe(0);
    expect(shown.text).toMatch(/^Kept +exactly$/m);
    expect(shown.text).toMatch(/^Summary +\S/m);
    const report = (await cli.json(["inspect", "a.llmc"])) as Record<string, unknown>;
    expect(report).toMatchObject({ keep: "exact", summary: expect.any(String) });
    expect(report["fileBytes"]).toBe((await readFile(cli.path("a.llmc"))).length);
  });
});

describe("bad input", () => {
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
    ["JSON and data on one stdout", ["compress", "--json"], "x", 2, /--output/],
  ])("%s ends with one clear line", async (_name, args, input, code, message) => {
    const result = await cli.run(args, { input });
    expect(result.code).toBe(code);
    expect(result.stderr).toMatch(message);
    expect(result.stderr).toMatch(/^llm-compress: .*\n$/);
  });

  it("a damaged or cut file is noticed, whichever byte it is", async () => {
    await cli.run(["compress", "--output", "whole.llmc"], {
      input: "Ada met Bob in Rome on 3 May 2024.",
    });
    const whole = await readFile(cli.path("whole.llmc"));
    const damaged = Buffer.from(whole);
    damaged[whole.length >> 1]! ^= 1;
    for (const input of [damaged, whole.subarray(0, -1), Buffer.concat([whole, whole])]) {
      const result = await cli.run(["decompress"], { input });
      expect(result).toMatchObject({ code: 5, text: "" });
    }
  });

  it("leaves an output file alone when it fails", async () => {
    await writeFile(cli.path("kept.txt"), "precious");
    const result = await cli.run(["decompress", "--output", "kept.txt"], { input: "no container" });
    expect(result.code).toBe(5);
    expect(await readFile(cli.path("kept.txt"), "utf8")).toBe("precious");
  });
});
