import { readFile, writeFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { useCli } from "./support/cli.ts";
import { speeches } from "./support/corpus.ts";

/** 10 in a full run: the whole line is summarised, so it takes minutes on a slow machine. */
const LINE_MEGABYTES = Number(process.env["LLM_COMPRESS_LINE_MB"] ?? 1);

const cli = useCli();

describe("compress and decompress", () => {
  it("restore a Latin-1 letter bit for bit, through files", async () => {
    const letter = Buffer.from("Ihre Rechnung über 95 DM. Schöne Grüße aus Köln!\r\n", "latin1");
    await writeFile(cli.path("in"), letter);
    const packed = await cli.run(["compress", "--input", "in", "--output", "out.llmc"]);
    expect(packed).toMatchObject({ code: 0, text: "" });
    const restored = await cli.run(["decompress", "--input", "out.llmc", "--output", "back"]);
    expect(restored).toMatchObject({ code: 0, text: "" });
    expect(Buffer.compare(await readFile(cli.path("back")), letter)).toBe(0);
  });

  it("work as a pipe by default, with nothing but the data on stdout", async () => {
    const { text } = speeches(1)[0]!;
    const packed = await cli.run(["compress"], { input: text });
    expect(packed).toMatchObject({ code: 0, stderr: "" });
    expect(packed.stdout.subarray(0, 4).toString()).toBe("LLMC");
    expect(packed.stdout.length).toBeLessThan(text.length / 2);
    const restored = await cli.run(["decompress", "--input", "-"], { input: packed.stdout });
    expect(restored).toMatchObject({ code: 0, stderr: "" });
    expect(restored.text).toBe(text);
  });

  it(`give a single line of ${LINE_MEGABYTES} MB back`, async () => {
    const words = speeches(60)
      .map((speech) => speech.text.replace(/\s+/g, " "))
      .join(" ");
    const size = LINE_MEGABYTES * 1_000_000;
    const line = words.repeat(Math.ceil(size / words.length)).slice(0, size);
    await writeFile(cli.path("line.txt"), line);
    const packed = await cli.run(["compress", "--input=line.txt", "--output=line.llmc"]);
    expect(packed.code, packed.stderr).toBe(0);
    const restored = await cli.run(["decompress", "--input", "line.llmc"]);
    expect(restored.code, restored.stderr).toBe(0);
    expect(restored.text === line).toBe(true);
  }, 1_200_000);
});
