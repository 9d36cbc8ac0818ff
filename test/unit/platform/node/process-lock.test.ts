import { spawnSync } from "node:child_process";
import { mkdtemp, readdir, rm, utimes, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { FsFileStore } from "../../../../src/platform/node/fs-file-store.ts";

it("opens a store whose lock was being taken over when that process was killed", async () => {
  const folder = await mkdtemp(join(tmpdir(), "lock-"));
  try {
    const { pid } = spawnSync(process.execPath, ["-e", ""]);
    const holder = { pid, started: null, host: hostname(), nonce: "gone", since: "then" };
    await writeFile(join(folder, ".lock"), JSON.stringify(holder));
    const guard = join(folder, ".lock-takeover");
    await writeFile(guard, "");
    const fiveSecondsAgo = new Date(Date.now() - 5_000);
    await utimes(guard, fiveSecondsAgo, fiveSecondsAgo);
    const store = await FsFileStore.open(folder);
    expect(await readdir(folder)).toEqual([".lock"]);
    await store.close();
  } finally {
    await rm(folder, { recursive: true });
  }
}, 30_000);
