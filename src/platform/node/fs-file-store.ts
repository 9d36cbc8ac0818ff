/** A store in a folder on disk (Node). One process at a time holds it; see `process-lock.ts`. */

import { randomUUID } from "node:crypto";
import { mkdir, open, readdir, rm, stat, statfs } from "node:fs/promises";
import { dirname, join, relative, resolve, sep } from "node:path";
import { AppError, toError } from "../../errors.ts";
import type { FileHandle, FileStat, FileStore } from "../../ports/file-store.ts";
import { checkRange, checkStorePath, closedStore, missingFile } from "../store-path.ts";
import { acquireProcessLock, type ProcessLock } from "./process-lock.ts";
import { replaceFile } from "./replace-file.ts";

const TEMPORARY = ".tmp-";

function errno(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException | null)?.code;
}

function fsError(error: unknown, path: string): Error {
  if (errno(error) === "ENOENT") return missingFile(path);
  if (["EACCES", "EPERM", "EROFS", "ENOTDIR", "EMFILE", "EIO"].includes(errno(error) ?? ""))
    return new AppError("storage_unavailable", `"${path}" can't be used: ${String(error)}`, {
      hint: "Check that the folder exists, that it is yours to write, and that its disk is well.",
      cause: error,
    });
  return toError(error);
}

/** Bytes of a file, or null when there is none. */
async function sizeOf(file: string): Promise<number | null> {
  try {
    const found = await stat(file);
    return found.isFile() ? found.size : null;
  } catch (error) {
    if (errno(error) === "ENOENT") return null;
    throw error;
  }
}

export class FsFileStore implements FileStore {
  readonly kind = "fs";
  /** Absolute path of the folder. */
  readonly directory: string;
  readonly #lock: ProcessLock;
  #closed = false;

  private constructor(directory: string, lock: ProcessLock) {
    this.directory = directory;
    this.#lock = lock;
  }

  /** Makes the folder when missing and locks it: `store_locked`, `storage_unavailable`. */
  static async open(directory: string): Promise<FsFileStore> {
    const root = resolve(directory);
    try {
      await mkdir(root, { recursive: true });
      const lock = await acquireProcessLock(root);
      try {
        const store = new FsFileStore(root, lock);
        await store.#removeTemporaries(root);
        return store;
      } catch (error) {
        await lock.release();
        throw error;
      }
    } catch (error) {
      if (errno(error) === "EEXIST" || errno(error) === "ENOTDIR")
        throw new AppError("storage_unavailable", `"${root}" is not a folder.`, {
          hint: "Name a folder, or one that doesn't exist yet.",
          cause: error,
        });
      throw error instanceof AppError ? error : fsError(error, root);
    }
  }

  async #removeTemporaries(folder: string): Promise<void> {
    for (const entry of await readdir(folder, { withFileTypes: true, recursive: true }))
      if (entry.isFile() && entry.name.startsWith(TEMPORARY))
        await rm(join(entry.parentPath, entry.name), { force: true });
  }

  #locate(path: string): string {
    if (this.#closed) throw closedStore();
    checkStorePath(path);
    return join(this.directory, ...path.split("/"));
  }

  async #run<T>(path: string, work: (file: string) => Promise<T>): Promise<T> {
    const file = this.#locate(path);
    try {
      return await work(file);
    } catch (error) {
      throw error instanceof AppError ? error : fsError(error, path);
    }
  }

  async list(prefix = ""): Promise<FileStat[]> {
    if (this.#closed) throw closedStore();
    const files: FileStat[] = [];
    const entries = await readdir(this.directory, { withFileTypes: true, recursive: true }).catch(
      (error: unknown) => {
        throw fsError(error, prefix || ".");
      },
    );
    for (const entry of entries) {
      if (!entry.isFile() || entry.name.startsWith(".")) continue;
      const file = join(entry.parentPath, entry.name);
      const path = relative(this.directory, file).split(sep).join("/");
      if (!path.startsWith(prefix)) continue;
      // One that was removed since the folder was read, by a compaction for example, is there no more.
      const size = await sizeOf(file);
      if (size !== null) files.push({ path, sizeBytes: size });
    }
    return files.sort((a, b) => (a.path < b.path ? -1 : 1));
  }

  async stat(path: string): Promise<FileStat | null> {
    return this.#run(path, async (file) => {
      const sizeBytes = await sizeOf(file);
      return sizeBytes === null ? null : { path, sizeBytes };
    });
  }

  async read(path: string, offset = 0, length?: number): Promise<Uint8Array> {
    checkRange(offset, length);
    return this.#run(path, async (file) => {
      const handle = await open(file, "r");
      try {
        const rest = Math.max(0, (await handle.stat()).size - offset);
        const bytes = new Uint8Array(Math.min(rest, length ?? rest));
        let done = 0;
        while (done < bytes.length) {
          const { bytesRead } = await handle.read(bytes, done, bytes.length - done, offset + done);
          if (bytesRead === 0) break;
          done += bytesRead;
        }
        return bytes.subarray(0, done);
      } finally {
        await handle.close();
      }
    });
  }

  async write(path: string, bytes: Uint8Array): Promise<void> {
    return this.#run(path, async (file) => {
      const folder = await this.#makeFolder(dirname(file));
      await replaceFile(join(folder, TEMPORARY + randomUUID()), file, bytes);
      await syncFolder(folder);
    });
  }

  async append(path: string, bytes: Uint8Array): Promise<number> {
    return this.#run(path, async (file) => {
      const folder = await this.#makeFolder(dirname(file));
      const handle = await open(file, "a");
      try {
        const before = (await handle.stat()).size;
        await handle.writeFile(bytes);
        await handle.sync();
        if (before === 0) await syncFolder(folder);
        return before + bytes.length;
      } finally {
        await handle.close();
      }
    });
  }

  async truncate(path: string, sizeBytes: number): Promise<void> {
    checkRange(sizeBytes, 0);
    return this.#run(path, async (file) => {
      const handle = await open(file, "r+");
      try {
        if ((await handle.stat()).size > sizeBytes) await handle.truncate(sizeBytes);
        await handle.sync();
      } finally {
        await handle.close();
      }
    });
  }

  async remove(path: string): Promise<void> {
    return this.#run(path, async (file) => {
      await rm(file, { force: true });
      await syncFolder(dirname(file));
    });
  }

  async usage(): Promise<{
    usedBytes: number;
    quotaBytes: number | null;
    persistent: boolean | null;
  }> {
    let usedBytes = 0;
    for (const file of await this.list()) usedBytes += file.sizeBytes;
    const disk = await statfs(this.directory).catch(() => null);
    const free = disk ? disk.bavail * disk.bsize : null;
    return { usedBytes, quotaBytes: free === null ? null : usedBytes + free, persistent: true };
  }

  async handle(path: string): Promise<FileHandle> {
    const file = this.#locate(path);
    if (!(await this.stat(path))) throw missingFile(path);
    return { kind: "path", path: file };
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#lock.release();
  }

  async #makeFolder(folder: string): Promise<string> {
    const first = await mkdir(folder, { recursive: true });
    if (first) await syncFolder(dirname(first));
    return folder;
  }
}

/** A new name in a folder survives a power cut only when the folder is flushed too; Windows can't and needn't. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r").catch(() => null);
  if (!handle) return;
  try {
    await handle.sync();
  } catch (error) {
    if (!["EPERM", "EISDIR", "EINVAL", "EBADF"].includes(errno(error) ?? "")) throw error;
  } finally {
    await handle.close();
  }
}
