import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { beforeAll, describe, expect, it } from "vitest";
import { jsonLines } from "../../../cli/support/cli.ts";
import { rawMails } from "../../../cli/support/corpus.ts";
import { useInProcessCli } from "./in-process.ts";

const cli = useInProcessCli();
const STORE = ["--store", "store"];

async function remember(text: string | Uint8Array, ...options: string[]): Promise<string> {
  const receipt = await cli.json(["remember", "--no-embed", ...STORE, ...options], { input: text });
  return (receipt as { id: string }).id;
}

describe("remember and read", () => {
  it("gives back the exact bytes of what was remembered", async () => {
    const latin1 = Buffer.from("Grüße an Jürgen Weiß aus Köln, Straße 7.\r\n", "latin1");
    const id = await remember(latin1, "--title", "Grüße");
    const read = await cli.run(["read", id, ...STORE]);
    expect(read).toMatchObject({ code: 0, stderr: "" });
    expect(Buffer.compare(read.stdout, latin1)).toBe(0);
    const text = await cli.run(["read", id, "--text", ...STORE]);
    expect(text.text).toBe("Grüße an Jürgen Weiß aus Köln, Straße 7.\r\n");
  });

  it("prints the id alone on stdout", async () => {
    const result = await cli.run(["remember", "--no-embed", ...STORE], {
      input: "A single thought.",
    });
    expect(result.code).toBe(0);
    expect(result.text).toMatch(/^[0-9a-f-]{36}\n$/);
    expect(result.stderr).toMatch(/^Kept exactly/);
  });

  it("keeps the fields that were given", async () => {
    const id = await remember(
      "The bridge will be painted green.",
      "--title=Bridge",
      "--speaker=Ada",
      "--time=2024-05-01",
      "--meta=project=bridge",
    );
    expect(await cli.json(["read", id, ...STORE])).toMatchObject({
      id,
      text: "The bridge will be painted green.",
      keep: "exact",
      reconstructed: false,
      memory: {
        timestamp: Date.UTC(2024, 4, 1),
        metadata: { title: "Bridge", speaker: "Ada", project: "bridge" },
      },
    });
  });

  it("tells a text that was remembered before", async () => {
    await writeFile(cli.path("same.txt"), "The very same words, twice.");
    const first = await cli.json(["remember", "--input=same.txt", "--no-embed", ...STORE]);
    const second = await cli.json(["remember", "--input=same.txt", "--no-embed", ...STORE]);
    expect(first).toMatchObject({ status: "stored" });
    expect(second).toMatchObject({ status: "duplicate", id: (first as { id: string }).id });
  });
});

describe("search and list", () => {
  beforeAll(async () => {
    await remember("Ada Lovelace wrote the first program in London.", "--time=1843-10-01");
    await remember(
      "Grace Hopper found a moth in the relay.",
      "--time=1947-09-09",
      "--speaker=Grace",
    );
  });

  it("finds by words, and says that no model took part", async () => {
    const result = await cli.run(["search", "--query", "moth relay", ...STORE]);
    expect(result.code).toBe(0);
    expect(result.text).toContain("Grace Hopper found a moth in the relay.");
    expect(result.text).not.toContain("\u001b");
    expect(result.stderr).toMatch(/by words only.*not installed/);
  });

  it("gives ranked hits with scores as JSON", async () => {
    const result = (await cli.json([
      "search",
      "-q",
      "first program",
      "--top-k",
      "1",
      ...STORE,
    ])) as {
      hits: { memory: { id: string }; score: { total: number }; matchedTerms: string[] }[];
    };
    expect(result.hits).toHaveLength(1);
    expect(result.hits[0]!.score.total).toBeGreaterThan(0);
    expect(result.hits[0]!.matchedTerms).toContain("program");
  });

  it("keeps to the filters", async () => {
    const after = (await cli.json([
      "search",
      "-q",
      "the",
      "--after=1900",
      "--before=1950",
      ...STORE,
    ])) as {
      hits: { memory: { timestamp: number } }[];
    };
    for (const hit of after.hits) {
      expect(hit.memory.timestamp).toBeGreaterThanOrEqual(Date.UTC(1900, 0, 1));
      expect(hit.memory.timestamp).toBeLessThan(Date.UTC(1950, 0, 1));
    }
    const speaker = await cli.json(["list", "--speaker=Grace", ...STORE]);
    expect(speaker).toMatchObject({ totalCount: 1 });
  });

  it("lists page by page", async () => {
    const all = (await cli.json(["list", "--order=oldest", ...STORE])) as {
      items: { id: string }[];
      totalCount: number;
    };
    expect(all.items).toHaveLength(all.totalCount);
    const second = (await cli.json([
      "list",
      "--order=oldest",
      "--offset=1",
      "--limit=1",
      ...STORE,
    ])) as {
      items: { id: string }[];
    };
    expect(second.items.map((item) => item.id)).toEqual([all.items[1]!.id]);
    const table = await cli.run(["list", ...STORE]);
    expect(table.text.trim().split("\n")).toHaveLength(all.totalCount + 1);
  });

  it("says that nothing was found, with nothing on stdout", async () => {
    const result = await cli.run(["search", "-q", "zyzzyva", ...STORE]);
    expect(result).toMatchObject({ code: 0, text: "" });
    expect(result.stderr).toContain("Nothing found.");
  });
});

describe("update", () => {
  it("changes fields and removes some, and leaves the text as it is", async () => {
    const id = await remember("The spare key is with Ada.", "--meta=draft=yes");
    const changes = ["--title=Keys", "--time=2024-05-01", "--meta=place=hall", "--unset=draft"];
    expect(await cli.json(["update", id, ...changes, ...STORE])).toMatchObject({ id });
    const { text, memory } = (await cli.json(["read", id, ...STORE])) as {
      text: string;
      memory: { timestamp: number; metadata: Record<string, string> };
    };
    expect(text).toBe("The spare key is with Ada.");
    expect(memory.timestamp).toBe(Date.UTC(2024, 4, 1));
    expect(memory.metadata).toMatchObject({ title: "Keys", place: "hall" });
    expect(memory.metadata).not.toHaveProperty("draft");
  });

  it("says when there is nothing to change, or nobody to change", async () => {
    const nothing = await cli.run(["update", "some-id", ...STORE]);
    expect(nothing).toMatchObject({ code: 2 });
    expect(nothing.stderr).toContain("nothing to change");
    expect((await cli.run(["update", "some-id", "--title=x", ...STORE])).code).toBe(4);
  });
});

describe("forget and restore", () => {
  it("take a memory out, and back", async () => {
    const id = await remember("A plan that may change.");
    expect((await cli.run(["forget", id, ...STORE])).code).toBe(0);
    expect((await cli.run(["read", id, ...STORE])).code).toBe(4);
    expect((await cli.run(["restore", id, ...STORE])).code).toBe(0);
    expect((await cli.run(["read", id, ...STORE])).text).toBe("A plan that may change.");
  });

  it("--erase leaves no byte of it in any file of the store", async () => {
    const secret = "xq7-the-secret-of-the-garden-gate";
    const id = await remember(`Nobody may know: ${secret}.`);
    const erased = await cli.json(["forget", id, "--erase", ...STORE]);
    expect(erased).toEqual({ ids: [id], erased: true });
    expect((await cli.run(["restore", id, ...STORE])).code).toBe(4);
    for (const entry of await readdir(cli.path("store"), { withFileTypes: true, recursive: true }))
      if (entry.isFile()) {
        const bytes = await readFile(`${entry.parentPath}/${entry.name}`);
        expect(bytes.includes(secret), entry.name).toBe(false);
        expect(bytes.includes(id), entry.name).toBe(false);
      }
  });

  it("name the ids that are not there and end with 4", async () => {
    const id = await remember("One that is there.");
    const missing = "018f6a3e-7c1b-7d10-9a52-2f6d1b0c4e11";
    const result = await cli.run(["forget", id, missing, ...STORE]);
    expect(result.code).toBe(4);
    expect(result.stderr).toContain(missing);
    expect(result.stderr).toContain("Forgot 1 memory");
  });
});

describe("export and import", () => {
  it("carries a store over into another one", async () => {
    const mail = rawMails(1)[0]!;
    await mkdir(cli.path("mails"));
    await writeFile(cli.path("mails/1.eml"), mail.bytes);
    await cli.run(["import", "mails", "--no-embed", "--store", "a"]);
    const exported = await cli.run([
      "export",
      "--format=jsonl",
      "--output-dir=backup",
      "--store=a",
      "--json",
    ]);
    expect(exported.code, exported.stderr).toBe(0);
    const files = jsonLines(exported.text);
    expect(files.length).toBeGreaterThan(0);
    for (const file of files)
      expect((await readFile(cli.path("backup", String(file["path"])))).length).toBe(file["bytes"]);
    const imported = await cli.run(["import", "backup", "--no-embed", "--store", "b", "--json"]);
    expect(imported.code, imported.stderr).toBe(0);
    const [before, after] = (await Promise.all(
      ["a", "b"].map((store) => cli.json(["list", "--store", store])),
    )) as { totalCount: number; items: { contentSha256: string }[] }[];
    expect(after!.totalCount).toBe(before!.totalCount);
    expect(after!.items.map((item) => item.contentSha256)).toEqual(
      before!.items.map((item) => item.contentSha256),
    );
  });

  it.each(["parquet", "jsonl", "markdown"])(
    "writes %s, and replaces only with --force",
    async (format) => {
      await remember("Something to export.");
      const args = ["export", "--format", format, "--output-dir", `out-${format}`, ...STORE];
      expect((await cli.run(args)).code).toBe(0);
      const again = await cli.run(args);
      expect(again.code).toBe(2);
      expect(again.stderr).toMatch(/in the way/);
      expect((await cli.run([...args, "--force"])).code).toBe(0);
    },
  );
});

describe("sql, compact, status", () => {
  it("answers a question in SQL", async () => {
    await remember("One for the count.");
    const status = (await cli.json(["status", ...STORE])) as { store: { memoryCount: number } };
    const table = await cli.json(["sql", "SELECT count(*) AS n FROM memories", ...STORE]);
    expect(table).toMatchObject({ rows: [{ n: status.store.memoryCount }], truncated: false });
    const piped = await cli.run(["sql", "-", ...STORE], { input: "SELECT 40 + 2 AS answer" });
    expect(piped.text).toMatch(/answer\n +42/);
  });

  it("refuses SQL that writes, and SQL that is wrong", async () => {
    for (const query of ["DROP VIEW memories", "SELECT nothing FROM nowhere"]) {
      const result = await cli.run(["sql", query, ...STORE]);
      expect(result.code).toBe(2);
      expect(result.stderr).toMatch(/^llm-compress: .*\n$/);
    }
  });

  it("compacts without losing anything", async () => {
    const id = await remember("Still there after compaction.");
    expect((await cli.run(["compact", ...STORE])).code).toBe(0);
    expect((await cli.run(["read", id, ...STORE])).text).toBe("Still there after compaction.");
    expect(await cli.json(["status", ...STORE])).toMatchObject({ store: { forgottenCount: 0 } });
  });

  it("shows the store's true size", async () => {
    const status = (await cli.json(["status", "--verbose", ...STORE])) as {
      directory: string;
      store: { totalBytes: number };
    };
    expect(status.directory).toBe(cli.path("store"));
    let size = 0;
    for (const entry of await readdir(cli.path("store"), { withFileTypes: true, recursive: true }))
      if (entry.isFile() && !entry.name.startsWith("."))
        size += (await readFile(`${entry.parentPath}/${entry.name}`)).length;
    // Closing may write an index snapshot after the figure was taken.
    expect(Math.abs(size - status.store.totalBytes) / size).toBeLessThan(0.5);
    const shown = await cli.run(["status", "--verbose", ...STORE]);
    expect(shown.text).toMatch(/^Memories +\d/m);
    expect(shown.text).toMatch(/^Segments +\d/m);
  });

  it("shows the model and how to install it", async () => {
    const models = await cli.run(["models", "install"]);
    expect(models.code).toBe(0);
    expect(models.text).toMatch(/not installed/);
    expect(models.stderr).toContain("npm run setup");
  });
});
