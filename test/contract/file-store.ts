/**
 * What every `FileStore` must do. No test runner is imported: vitest runs it over memory and disk,
 * a browser worker over OPFS.
 */

import type { FileStore } from "../../src/ports/file-store.ts";

export interface ContractReport {
  passed: string[];
  failed: { name: string; error: string }[];
}

function equal(actual: unknown, expected: unknown, what: string): void {
  const shown = (value: unknown) =>
    JSON.stringify(value instanceof Uint8Array ? Array.from(value) : value)?.slice(0, 200);
  if (shown(actual) !== shown(expected))
    throw new Error(`${what}: expected ${shown(expected)}, got ${shown(actual)}`);
}

async function code(work: () => Promise<unknown>): Promise<string> {
  try {
    await work();
    return "no error";
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
}

const bytes = (...values: number[]) => Uint8Array.from(values);

type Open = () => Promise<FileStore>;

/** Each case gets an opener of one fresh folder; opening it again is a restart. */
export const FILE_STORE_CASES: Record<string, (open: Open) => Promise<void>> = {
  async "writes, replaces and reads whole files and ranges"(open) {
    const store = await open();
    await store.write("segments/1.parquet", bytes(1, 2, 3, 4, 5));
    equal(await store.read("segments/1.parquet"), bytes(1, 2, 3, 4, 5), "whole");
    equal(await store.read("segments/1.parquet", 1, 2), bytes(2, 3), "range");
    equal(await store.read("segments/1.parquet", 3, 100), bytes(4, 5), "range over the end");
    equal(await store.read("segments/1.parquet", 9, 3), bytes(), "range after the end");
    equal(await store.read("segments/1.parquet", 2), bytes(3, 4, 5), "from an offset");
    await store.write("segments/1.parquet", bytes(9));
    equal(await store.read("segments/1.parquet"), bytes(9), "replaced");
    await store.write("empty", bytes());
    equal(await store.read("empty"), bytes(), "empty file");
    await store.close();
  },

  async "appends and says the new size"(open) {
    const store = await open();
    equal(await store.append("journal-1", bytes(1, 2)), 2, "first");
    equal(await store.append("journal-1", bytes(3)), 3, "second");
    equal(await store.append("journal-1", bytes()), 3, "nothing");
    equal(await store.read("journal-1"), bytes(1, 2, 3), "content");
    for (let i = 0; i < 50; i++) await store.append("journal-1", bytes(i, i));
    equal((await store.stat("journal-1"))?.sizeBytes, 103, "many appends");
    equal(await store.read("journal-1", 101), bytes(49, 49), "last");
    await store.close();
  },

  async "appends to a written file and overwrites an appended one"(open) {
    const store = await open();
    await store.write("a", bytes(1));
    equal(await store.append("a", bytes(2)), 2, "append");
    await store.write("a", bytes(7, 8, 9));
    equal(await store.append("a", bytes(1)), 4, "append after replace");
    equal(await store.read("a"), bytes(7, 8, 9, 1), "content");
    await store.close();
  },

  async "truncates, and appends after it"(open) {
    const store = await open();
    await store.append("j", bytes(1, 2, 3, 4));
    await store.truncate("j", 2);
    equal(await store.append("j", bytes(9)), 3, "size");
    equal(await store.read("j"), bytes(1, 2, 9), "content");
    await store.truncate("j", 50);
    equal((await store.stat("j"))?.sizeBytes, 3, "never grows");
    equal(await code(() => store.truncate("none", 0)), "not_found", "missing");
    await store.close();
  },

  async "doesn't share memory with its callers"(open) {
    const store = await open();
    const mine = bytes(1, 2, 3);
    await store.write("a", mine);
    mine[0] = 99;
    const read = await store.read("a");
    read[1] = 99;
    equal(await store.read("a"), bytes(1, 2, 3), "content");
    await store.close();
  },

  async "lists by prefix, sorted, with sizes"(open) {
    const store = await open();
    await store.write("segments/2.parquet", bytes(1));
    await store.write("segments/10.parquet", bytes(1, 2));
    await store.append("journal-1", bytes(1, 2, 3));
    equal(
      await store.list(),
      [
        { path: "journal-1", sizeBytes: 3 },
        { path: "segments/10.parquet", sizeBytes: 2 },
        { path: "segments/2.parquet", sizeBytes: 1 },
      ],
      "all",
    );
    equal((await store.list("segments/")).length, 2, "prefix");
    equal(await store.list("none/"), [], "none");
    await store.close();
  },

  async "says not_found for what is missing, and removes it without complaint"(open) {
    const store = await open();
    equal(await code(() => store.read("none")), "not_found", "read");
    equal(await code(() => store.read("no/such/folder")), "not_found", "read in a missing folder");
    equal(await code(() => store.handle("none")), "not_found", "handle");
    equal(await store.stat("none"), null, "stat");
    equal(await store.stat("no/such/folder"), null, "stat in a missing folder");
    await store.remove("none");
    await store.remove("no/such/folder");
    await store.write("a/b", bytes(1));
    await store.remove("a/b");
    equal(await store.stat("a/b"), null, "removed");
    await store.close();
  },

  async "refuses paths that leave the folder or name its own files"(open) {
    const store = await open();
    for (const path of [
      "../a",
      "/a",
      "a/../b",
      "a//b",
      "",
      ".lock",
      "a\\b",
      "a b",
      "é",
      "a/.",
      ".",
    ])
      equal(await code(() => store.write(path, bytes(1))), "invalid_input", JSON.stringify(path));
    equal(await store.list(), [], "nothing was written");
    await store.close();
  },

  async "gives a handle with the file's bytes"(open) {
    const store = await open();
    await store.write("segments/1.parquet", bytes(1, 2, 3));
    const handle = await store.handle("segments/1.parquet");
    if (handle.kind === "bytes") equal(handle.bytes, bytes(1, 2, 3), "bytes");
    else if (handle.kind === "file")
      equal(new Uint8Array(await handle.file.arrayBuffer()), bytes(1, 2, 3), "file");
    else equal(handle.path.endsWith("1.parquet"), true, "path");
    await store.close();
  },

  async "tells what is used"(open) {
    const store = await open();
    await store.write("a", new Uint8Array(1000));
    equal((await store.usage()).usedBytes, 1000, "used");
    await store.close();
  },

  async "keeps everything over a restart"(open) {
    const store = await open();
    await store.write("a", bytes(1));
    await store.append("b", bytes(2));
    await store.close();
    const again = await open();
    equal(await again.read("a"), bytes(1), "written");
    equal(await again.append("b", bytes(3)), 2, "appended");
    await again.close();
  },

  async "lets in one opener at a time"(open) {
    const store = await open();
    equal(await code(open), "store_locked", "second opener");
    await store.close();
    await (await open()).close();
  },

  async "answers closed after close"(open) {
    const store = await open();
    await store.write("a", bytes(1));
    await store.close();
    await store.close();
    equal(await code(() => store.read("a")), "closed", "read");
    equal(await code(() => store.list()), "closed", "list");
  },

  async "takes calls at the same time"(open) {
    const store = await open();
    await Promise.all(
      Array.from({ length: 20 }, (_, i) => store.write(`f/${i % 5}`, bytes(i % 5, i % 5))),
    );
    const read = await Promise.all(Array.from({ length: 20 }, (_, i) => store.read(`f/${i % 5}`)));
    read.forEach((value, i) => equal(value, bytes(i % 5, i % 5), `file ${i % 5}`));
    await store.close();
  },
};

/** Runs all cases; `openFolder(n)` opens the n-th fresh folder. */
export async function runFileStoreContract(
  openFolder: (folder: number) => Promise<FileStore>,
): Promise<ContractReport> {
  const report: ContractReport = { passed: [], failed: [] };
  let folder = 0;
  for (const [name, run] of Object.entries(FILE_STORE_CASES)) {
    const own = folder++;
    try {
      await run(() => openFolder(own));
      report.passed.push(name);
    } catch (error) {
      report.failed.push({ name, error: String(error) });
    }
  }
  return report;
}
