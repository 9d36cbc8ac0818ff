import { chmod, mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { beforeAll, describe, expect, it } from "vitest";
import { jsonLines } from "../../../cli/support/cli.ts";
import { rawMails } from "../../../cli/support/corpus.ts";
import { useInProcessCli } from "./in-process.ts";

const cli = useInProcessCli();
const MAIL_COUNT = 40;

beforeAll(async () => {
  await mkdir(cli.path("in/deep/er"), { recursive: true });
  for (const [index, mail] of rawMails(MAIL_COUNT).entries())
    await writeFile(cli.path(index % 2 ? `in/deep/${mail.name}` : `in/${mail.name}`), mail.bytes);
  await writeFile(cli.path("in/deep/er/note.md"), "# Keys\n\nThe spare key is with Ada.\n");
  await symlink(cli.path("in"), cli.path("in/deep/loop"));
});

describe("batch", () => {
  it("prints one line per item, each readable with its exact bytes", async () => {
    const result = await cli.run(["batch", "--input-dir=in", "--no-embed", "--store=s1", "--json"]);
    expect(result.code, result.stderr).toBe(0);
    const lines = jsonLines(result.text);
    expect(lines).toHaveLength(MAIL_COUNT + 1);
    expect(new Set(lines.map((line) => line["id"])).size).toBe(lines.length);
    for (const line of lines) {
      const original = await readFile(cli.path("in", String(line["source"])));
      expect(line).toMatchObject({
        status: "stored",
        keep: "exact",
        originalBytes: original.length,
        storedBytes: expect.any(Number),
        ratio: expect.any(Number),
      });
    }
    for (const line of [lines[0]!, lines.at(-1)!, lines[20]!]) {
      const read = await cli.run(["read", String(line["id"]), "--store=s1"]);
      const original = await readFile(cli.path("in", String(line["source"])));
      expect(Buffer.compare(read.stdout, original)).toBe(0);
    }
  });

  it("stores nothing twice", async () => {
    const again = await cli.run(["batch", "--input-dir=in", "--no-embed", "--store=s1", "--json"]);
    expect(again.code).toBe(0);
    expect(new Set(jsonLines(again.text).map((line) => line["status"]))).toEqual(
      new Set(["duplicate"]),
    );
    expect(await cli.json(["status", "--store=s1"])).toMatchObject({
      store: { memoryCount: MAIL_COUNT + 1 },
    });
  });

  it("fills a store that search reads", async () => {
    const found = (await cli.json([
      "search",
      "-q",
      "spare key Ada",
      "--top-k=1",
      "--store=s1",
    ])) as {
      hits: { memory: { metadata: { source: string } } }[];
    };
    expect(found.hits[0]!.memory.metadata.source).toBe("deep/er/note.md");
  });

  it("writes one .llmc file per item that gives its exact bytes back", async () => {
    const result = await cli.run([
      "batch",
      "--input-dir=in",
      "--output-dir=packed",
      "--no-embed",
      "--store=s2",
      "--json",
    ]);
    expect(result.code, result.stderr).toBe(0);
    const lines = jsonLines(result.text);
    const outputs = lines.map((line) => String(line["output"]));
    expect(new Set(outputs).size).toBe(MAIL_COUNT + 1);
    const written = (await readdir(cli.path("packed"), { recursive: true, withFileTypes: true }))
      .filter((entry) => entry.isFile())
      .map((entry) => entry.name);
    expect(written).toHaveLength(MAIL_COUNT + 1);
    for (const line of lines.slice(0, 5)) {
      expect(line["output"]).toBe(`${String(line["source"])}.llmc`);
      const back = await cli.run(["decompress", "--input", `packed/${String(line["output"])}`]);
      const original = await readFile(cli.path("in", String(line["source"])));
      expect(Buffer.compare(back.stdout, original)).toBe(0);
    }
  });

  it("doesn't read its own store and output when they lie in the input folder", async () => {
    await mkdir(cli.path("self"));
    await writeFile(cli.path("self/a.txt"), "The only note here.");
    const args = [
      "batch",
      "--input-dir=self",
      "--output-dir=self/out",
      "--store=self/store",
      "--no-embed",
      "--json",
    ];
    await cli.run(args);
    const again = await cli.run(args);
    expect(jsonLines(again.text).map((line) => line["source"])).toEqual(["a.txt"]);
  });

  it("reports what failed, goes on with the rest, and ends with 10", async () => {
    await mkdir(cli.path("mixed"));
    await writeFile(cli.path("mixed/a.txt"), "A good note.");
    await writeFile(cli.path("mixed/b-empty.txt"), "");
    await writeFile(
      cli.path("mixed/c.png"),
      Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10, 0),
    );
    await writeFile(cli.path("mixed/d.json"), '{"cut off": ');
    await symlink("nowhere", cli.path("mixed/e-dangling"));
    await writeFile(cli.path("mixed/f-locked.txt"), "unreadable");
    await chmod(cli.path("mixed/f-locked.txt"), 0o000);
    await writeFile(cli.path("mixed/z.txt"), "Another good note.");
    const result = await cli.run([
      "batch",
      "--input-dir=mixed",
      "--no-embed",
      "--store=s3",
      "--json",
    ]);
    expect(result.code).toBe(10);
    const lines = jsonLines(result.text);
    const good = lines.filter((line) => "id" in line).map((line) => line["source"]);
    expect(good).toEqual(expect.arrayContaining(["a.txt", "z.txt"]));
    const bad = lines.filter((line) => "error" in line);
    expect(bad.map((line) => line["source"])).toEqual(
      expect.arrayContaining(["b-empty.txt", "c.png", "d.json", "e-dangling"]),
    );
    // Root reads everything.
    if (process.getuid?.() !== 0)
      expect(bad.find((line) => line["source"] === "f-locked.txt")).toMatchObject({
        error: { code: "storage_unavailable" },
      });
    for (const line of bad)
      expect(line["error"]).toMatchObject({
        code: expect.any(String),
        message: expect.any(String),
      });
    const forPeople = await cli.run(["batch", "--input-dir=mixed", "--no-embed", "--store=s3"]);
    expect(forPeople.code).toBe(10);
    for (const line of forPeople.stderr.trim().split("\n")) expect(line).toMatch(/^llm-compress: /);
    expect(forPeople.text).toMatch(/failed/);
  });

  it("names a missing folder, a file, and a folder that can't be written", async () => {
    const missing = await cli.run(["batch", "--input-dir=none", "--store=s4"]);
    expect(missing).toMatchObject({ code: 4 });
    expect(missing.stderr).toMatch(/no such folder: .*none/);
    const file = await cli.run(["batch", "--input-dir=mixed/a.txt", "--store=s4"]);
    expect(file.code).toBe(2);
    const output = await cli.run([
      "batch",
      "--input-dir=self",
      "--output-dir=mixed/a.txt",
      "--store=s4",
    ]);
    expect(output.code).toBe(2);
  });

  it("an empty folder is no failure", async () => {
    await mkdir(cli.path("empty"));
    const result = await cli.run(["batch", "--input-dir=empty", "--store=s5", "--json"]);
    expect(result).toMatchObject({ code: 0, text: "" });
  });
});
