import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { jsonLines, useCli } from "./support/cli.ts";
import { rawMails } from "./support/corpus.ts";

const cli = useCli();
const MAIL_COUNT = 20;

describe("a folder of mails, from import to export, one process per step", () => {
  const mails = rawMails(MAIL_COUNT);
  let ids: string[] = [];

  it("batch fills a store and writes .llmc files", async () => {
    await mkdir(cli.path("mails"));
    for (const { name, bytes } of mails) await writeFile(cli.path("mails", name), bytes);
    const result = await cli.run([
      ...["batch", "--input-dir", "mails", "--output-dir", "packed"],
      ...["--store", "store", "--no-embed", "--json"],
    ]);
    expect(result.code, result.stderr).toBe(0);
    expect(result.stderr).toBe("");
    const lines = jsonLines(result.text);
    expect(lines.map((line) => line["source"])).toEqual(mails.map((mail) => mail.name));
    ids = lines.map((line) => String(line["id"]));
    expect(await readdir(cli.path("packed"))).toHaveLength(MAIL_COUNT);
  });

  it("read and decompress give the exact bytes back", async () => {
    const read = await cli.run(["read", ids[3]!, "--store", "store"]);
    expect(Buffer.compare(read.stdout, mails[3]!.bytes)).toBe(0);
    const unpacked = await cli.run(["decompress", "--input", `packed/${mails[4]!.name}.llmc`]);
    expect(Buffer.compare(unpacked.stdout, mails[4]!.bytes)).toBe(0);
  });

  it("search finds what was stored, named by the environment", async () => {
    const subject = /^Subject: (.*)$/m.exec(mails[0]!.bytes.toString("latin1"))![1]!;
    const result = await cli.run(["search", "--query", subject, "--top-k", "5", "--json"], {
      env: { LLM_COMPRESS_STORE: "store" },
    });
    expect(result.code, result.stderr).toBe(0);
    const { hits } = JSON.parse(result.text) as { hits: { memory: { id: string } }[] };
    expect(hits.map((hit) => hit.memory.id)).toContain(ids[0]);
  });

  it("sql, export and forget work on the same store", async () => {
    const count = await cli.json(["sql", "SELECT count(*) AS n FROM memories", "--store=store"]);
    expect(count).toMatchObject({ rows: [{ n: MAIL_COUNT }] });
    const exported = await cli.run([
      ...["export", "--format", "parquet", "--output-dir", "backup", "--store", "store"],
    ]);
    expect(exported.code, exported.stderr).toBe(0);
    const [file] = await readdir(cli.path("backup"));
    expect((await readFile(cli.path("backup", file!))).subarray(0, 4).toString()).toBe("PAR1");
    expect((await cli.run(["forget", ids[0]!, "--erase", "--store", "store"])).code).toBe(0);
    expect((await cli.run(["read", ids[0]!, "--store", "store"])).code).toBe(4);
  });
});
