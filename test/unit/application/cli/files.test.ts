import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  MAX_INPUT_BYTES,
  readInput,
  walkFolder,
  writeWholeFile,
} from "../../../../src/application/cli/files.ts";

const never = new AbortController().signal;
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "llmc-files-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function paths(root: string, options: Parameters<typeof walkFolder>[1] = {}) {
  const found: string[] = [];
  for await (const file of walkFolder(root, options)) found.push(file.path);
  return found;
}

describe("walking a folder", () => {
  it("gives every file below it, sorted, folders in place", async () => {
    await mkdir(join(folder, "b/deep"), { recursive: true });
    for (const path of ["c.txt", "a.txt", "b/z.txt", "b/deep/y.txt", ".hidden"])
      await writeFile(join(folder, path), path);
    expect(await paths(folder)).toEqual([".hidden", "a.txt", "b/deep/y.txt", "b/z.txt", "c.txt"]);
  });

  it("ends on links that lead in circles and follows links to files", async () => {
    await mkdir(join(folder, "sub"));
    await writeFile(join(folder, "a.txt"), "a");
    await symlink(folder, join(folder, "sub/up"));
    await symlink("loop", join(folder, "loop"));
    await symlink("../a.txt", join(folder, "sub/link.txt"));
    const failed: string[] = [];
    const found = await paths(folder, { onError: (path) => failed.push(path) });
    expect(found).toEqual(["a.txt", "sub/link.txt"]);
    expect(failed).toEqual(["loop"]);
  });

  it("doesn't follow a link to a folder outside", async () => {
    const outside = await mkdtemp(join(tmpdir(), "llmc-outside-"));
    await writeFile(join(outside, "secret.txt"), "s");
    await symlink(outside, join(folder, "out"));
    expect(await paths(folder)).toEqual([]);
    await rm(outside, { recursive: true });
  });

  it("reports a dangling link and goes on", async () => {
    await symlink("nowhere", join(folder, "a"));
    await writeFile(join(folder, "b"), "b");
    const failed: unknown[] = [];
    expect(await paths(folder, { onError: (_path, error) => failed.push(error) })).toEqual(["b"]);
    expect(failed).toMatchObject([{ code: "not_found" }]);
  });

  it("leaves out the folders it is told to", async () => {
    await mkdir(join(folder, "out"));
    await writeFile(join(folder, "out/x.llmc"), "x");
    await writeFile(join(folder, "a"), "a");
    expect(await paths(folder, { exclude: [join(folder, "out")] })).toEqual(["a"]);
  });

  it("refuses what is missing or no folder", async () => {
    await expect(paths(join(folder, "none"))).rejects.toMatchObject({ code: "not_found" });
    await writeFile(join(folder, "file"), "");
    await expect(paths(join(folder, "file"))).rejects.toMatchObject({ code: "invalid_input" });
  });
});

describe("reading input", () => {
  const host = (chunks: (string | Uint8Array)[]) => ({ stdin: Readable.from(chunks) });

  it("takes stdin whole, byte for byte", async () => {
    const bytes = await readInput(host([Uint8Array.of(0, 255), Uint8Array.of(10)]), "-", never);
    expect([...bytes]).toEqual([0, 255, 10]);
  });

  it("says what is wrong with a path", async () => {
    await expect(readInput(host([]), folder, never)).rejects.toMatchObject({
      code: "invalid_input",
      message: expect.stringContaining(folder),
    });
    await expect(readInput(host([]), join(folder, "no"), never)).rejects.toMatchObject({
      code: "not_found",
    });
  });

  it("stops an endless input at its limit", async () => {
    const block = new Uint8Array(32 * 1024 * 1024);
    let given = 0;
    const endless = Readable.from(
      (function* () {
        while (true) {
          given += block.length;
          yield block;
        }
      })(),
    );
    await expect(readInput({ stdin: endless }, "-", never)).rejects.toMatchObject({
      code: "too_large",
    });
    expect(given).toBeLessThan(MAX_INPUT_BYTES * 2);
  });

  it("ends with AbortError when cancelled while it waits", async () => {
    const abort = new AbortController();
    const silent = new Readable({ read() {} });
    const reading = readInput({ stdin: silent }, "-", abort.signal);
    abort.abort();
    await expect(reading).rejects.toMatchObject({ name: "AbortError" });
  });
});

describe("writing a file", () => {
  it("makes the folders on the way and leaves nothing else behind", async () => {
    const path = join(folder, "x/y/z.llmc");
    await writeWholeFile(path, Uint8Array.of(1, 2), { overwrite: false });
    expect([...(await readFile(path))]).toEqual([1, 2]);
    expect(await readdir(join(folder, "x/y"))).toEqual(["z.llmc"]);
  });

  it("replaces only when it may", async () => {
    const path = join(folder, "a");
    await writeFile(path, "old");
    await expect(
      writeWholeFile(path, Uint8Array.of(1), { overwrite: false }),
    ).rejects.toMatchObject({ code: "invalid_input", message: expect.stringContaining(path) });
    expect(await readFile(path, "utf8")).toBe("old");
    await writeWholeFile(path, new TextEncoder().encode("new"), { overwrite: true });
    expect(await readFile(path, "utf8")).toBe("new");
    expect(await readdir(folder)).toEqual(["a"]);
  });
});
