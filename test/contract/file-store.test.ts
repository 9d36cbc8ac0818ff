import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { spawn } from "node:child_process";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { MemoryFileStore, MemoryVolume } from "../../src/platform/memory/memory-file-store.ts";
import { FsFileStore } from "../../src/platform/node/fs-file-store.ts";
import { FILE_STORE_CASES } from "./file-store.ts";

let root = "";
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "file-store-"));
});
afterAll(() => rm(root, { recursive: true, force: true }));

const folder = () => join(root, crypto.randomUUID());

describe.each([
  [
    "memory",
    () => {
      const volume = new MemoryVolume();
      return async () => new MemoryFileStore(volume);
    },
  ],
  [
    "disk",
    () => {
      const directory = folder();
      return () => FsFileStore.open(directory);
    },
  ],
] as const)("file store in %s", (_name, fresh) => {
  for (const [name, run] of Object.entries(FILE_STORE_CASES)) it(name, () => run(fresh()));
});

describe("memory file store", () => {
  it("says storage_full at its quota and keeps what was there", async () => {
    const store = new MemoryFileStore(new MemoryVolume({ quotaBytes: 10 }));
    await store.write("a", new Uint8Array(8));
    await expect(store.append("a", new Uint8Array(3))).rejects.toMatchObject({
      code: "storage_full",
    });
    expect((await store.read("a")).length).toBe(8);
  });
});

describe("file store on disk", () => {
  it("lists what is there while files are removed, and others' files beside its own", async () => {
    const directory = folder();
    const store = await FsFileStore.open(directory);
    const names = Array.from({ length: 40 }, (_, i) => `segments/${i}.parquet`);
    for (const name of names) await store.write(name, new Uint8Array([1]));
    await writeFile(join(directory, "my notes.txt"), "hello");
    const listing: Promise<unknown>[] = [];
    for (const name of names) {
      listing.push(store.list(), store.usage());
      await store.remove(name);
    }
    await Promise.all(listing);
    expect(await store.list()).toEqual([{ path: "my notes.txt", sizeBytes: 5 }]);
    await store.close();
  });

  it("names the process that holds it", async () => {
    const directory = folder();
    const store = await FsFileStore.open(directory);
    await expect(FsFileStore.open(directory)).rejects.toMatchObject({
      code: "store_locked",
      message: expect.stringContaining("this process"),
    });
    await store.close();
    expect(await readdir(directory)).toEqual([]);
  });

  it("takes over the lock of a process that was killed, also when its number was given again", async () => {
    const directory = folder();
    await (await FsFileStore.open(directory)).close();
    const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"]);
    const holder = { host: hostname(), nonce: "n", since: "2026-01-01", started: "another boot:1" };
    // Alive, but not the process that wrote the lock.
    await writeFile(join(directory, ".lock"), JSON.stringify({ ...holder, pid: child.pid }));
    if (process.platform === "linux") await (await FsFileStore.open(directory)).close();
    const exited = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await exited;
    await writeFile(join(directory, ".lock"), JSON.stringify({ ...holder, pid: child.pid }));
    await (await FsFileStore.open(directory)).close();
    await writeFile(join(directory, ".lock"), "{ torn");
    await (await FsFileStore.open(directory)).close();
  });

  it("lets exactly one of many openers in when a stale lock lies there", async () => {
    const directory = folder();
    await (await FsFileStore.open(directory)).close();
    await writeFile(
      join(directory, ".lock"),
      JSON.stringify({ pid: 2 ** 22 + 7, host: hostname(), nonce: "n", since: "", started: null }),
    );
    const results = await Promise.allSettled(
      Array.from({ length: 12 }, () => FsFileStore.open(directory)),
    );
    const open = results.filter((r) => r.status === "fulfilled");
    expect(open.length).toBe(1);
    for (const r of results)
      if (r.status === "rejected") expect(r.reason).toMatchObject({ code: "store_locked" });
    await open[0]!.value.close();
  });

  it("says storage_unavailable when the folder is a file", async () => {
    await writeFile(join(root, "plain"), "x");
    await expect(FsFileStore.open(join(root, "plain"))).rejects.toMatchObject({
      code: "storage_unavailable",
    });
  });

  it("removes what an interrupted write left behind", async () => {
    const directory = folder();
    await (await FsFileStore.open(directory)).close();
    await writeFile(join(directory, ".tmp-1"), "half");
    const store = await FsFileStore.open(directory);
    expect((await readdir(directory)).filter((name) => name.startsWith(".tmp"))).toEqual([]);
    await store.close();
  });
});
