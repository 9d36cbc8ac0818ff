/**
 * A lock file that says which process owns a folder. It survives SIGKILL of its holder without
 * locking anyone out: a lock whose process is gone, or whose number now belongs to another process
 * (told apart by its start time and the boot), is taken over. The holder touches the file while it
 * lives, for folders shared between machines or containers where process numbers say nothing.
 */

import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { link, open, readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { lockedStore } from "../store-path.ts";

const HEARTBEAT_MS = 10_000;
const FOREIGN_STALE_MS = 60_000;
const TAKEOVER_STALE_MS = 10_000;
const RETRY_MS = 20;
/** Whoever was killed while it took a lock over leaves its guard: it is waited for until that is stale. */
const MOST_ATTEMPTS = (1.5 * TAKEOVER_STALE_MS) / RETRY_MS;

interface Holder {
  pid: number;
  /** What tells this process from a later one of the same number; null where the system doesn't tell. */
  started: string | null;
  host: string;
  nonce: string;
  since: string;
}

export interface ProcessLock {
  release(): Promise<void>;
}

/** Boot and start time of a process, or null when it doesn't exist or the system doesn't tell. */
async function processStart(pid: number): Promise<string | null> {
  try {
    if (process.platform === "linux") {
      const boot = (await readFile("/proc/sys/kernel/random/boot_id", "utf8")).trim();
      const line = await readFile(`/proc/${pid}/stat`, "utf8");
      // The name in parentheses may hold spaces; the start time is the 20th field after it.
      return `${boot}:${line.slice(line.lastIndexOf(")") + 2).split(" ")[19] ?? ""}`;
    }
    if (process.platform === "win32") return null;
    const { stdout } = await promisify(execFile)("ps", ["-p", String(pid), "-o", "lstart="]);
    return stdout.trim() || null;
  } catch {
    return null;
  }
}

function processExists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

async function isAlive(holder: Holder, path: string): Promise<boolean> {
  if (holder.host !== hostname()) {
    const touched = (await stat(path)).mtimeMs;
    return Date.now() - touched < FOREIGN_STALE_MS;
  }
  if (!processExists(holder.pid)) return false;
  const started = await processStart(holder.pid);
  return started === null || holder.started === null || started === holder.started;
}

async function readHolder(path: string): Promise<Holder | null> {
  try {
    return JSON.parse(await readFile(path, "utf8")) as Holder;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    // Unreadable: half-written by a system without hard links. Nobody can be named as its holder.
    return { pid: 0, started: null, host: hostname(), nonce: "", since: "" };
  }
}

function describe(holder: Holder): string {
  const where = holder.host === hostname() ? "" : ` on ${holder.host}`;
  return holder.pid === process.pid && !where
    ? "this process"
    : `process ${holder.pid}${where} (since ${holder.since})`;
}

/** Only one process at a time removes a stale lock; without this a slow one could remove its successor's. */
async function removeStale(path: string, stale: Holder): Promise<void> {
  const guard = `${path}-takeover`;
  const handle = await open(guard, "wx").catch(() => null);
  if (!handle) {
    const age = Date.now() - ((await stat(guard).catch(() => null))?.mtimeMs ?? Date.now());
    if (age > TAKEOVER_STALE_MS) await rm(guard, { force: true });
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    return;
  }
  try {
    if ((await readHolder(path))?.nonce === stale.nonce) await rm(path, { force: true });
  } finally {
    await handle.close();
    await rm(guard, { force: true });
  }
}

/** Takes `directory/.lock`, or `store_locked` naming the holder. */
export async function acquireProcessLock(directory: string): Promise<ProcessLock> {
  const path = join(directory, ".lock");
  const self: Holder = {
    pid: process.pid,
    started: await processStart(process.pid),
    host: hostname(),
    nonce: randomUUID(),
    since: new Date().toISOString(),
  };
  const own = join(directory, `.lock-${self.nonce}`);
  await writeFile(own, JSON.stringify(self));
  try {
    for (let attempt = 0; ; attempt++) {
      if (await tryLink(own, path)) break;
      const holder = await readHolder(path);
      if (!holder) continue;
      if ((holder.pid > 0 && (await isAlive(holder, path))) || attempt > MOST_ATTEMPTS)
        throw lockedStore(describe(holder));
      await removeStale(path, holder);
    }
  } finally {
    await rm(own, { force: true });
  }
  const heartbeat = setInterval(() => {
    const now = new Date();
    void utimes(path, now, now).catch(() => undefined);
  }, HEARTBEAT_MS);
  heartbeat.unref();
  return {
    async release() {
      clearInterval(heartbeat);
      if ((await readHolder(path))?.nonce !== self.nonce) return;
      // Renamed first, so that a process that waits never sees a lock that is being removed.
      await rename(path, own).catch(() => undefined);
      await rm(own, { force: true });
    },
  };
}

/** A hard link appears whole or not at all; file systems without them fall back to exclusive creation. */
async function tryLink(own: string, path: string): Promise<boolean> {
  try {
    await link(own, path);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST") return false;
    if (code === "ENOENT") throw error;
    try {
      await writeFile(path, await readFile(own), { flag: "wx" });
      return true;
    } catch (second) {
      if ((second as NodeJS.ErrnoException).code === "EEXIST") return false;
      throw second;
    }
  }
}
