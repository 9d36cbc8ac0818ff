/**
 * A store in the origin's private file system. Runs in a worker: sync access handles exist only
 * there. A handle held on `.lock` for the life of the store keeps every other tab and worker out;
 * the browser drops it when its owner dies.
 */

import { LRUCache } from "lru-cache";
import { AppError, toError } from "../../errors.ts";
import type { FileHandle, FileStat, FileStore } from "../../ports/file-store.ts";
import {
  checkRange,
  checkStorePath,
  closedStore,
  lockedStore,
  missingFile,
} from "../store-path.ts";

const TEMPORARY = ".tmp-";
const MAX_OPEN_HANDLES = 24;

interface SyncHandle {
  read(into: Uint8Array, options: { at: number }): number;
  write(bytes: Uint8Array, options: { at: number }): number;
  getSize(): number;
  truncate(size: number): void;
  flush(): void;
  close(): void;
}

/** What the DOM library's types lack. */
type OpfsFile = FileSystemFileHandle & {
  createSyncAccessHandle(): Promise<SyncHandle>;
  move(folder: FileSystemDirectoryHandle, name: string): Promise<void>;
};

function opfsError(error: unknown, path: string): Error {
  if (error instanceof AppError) return error;
  const name = (error as { name?: string } | null)?.name;
  if (name === "NotFoundError" || name === "TypeMismatchError") return missingFile(path);
  if (name === "NoModificationAllowedError") return lockedStore("another tab or worker");
  if (name === "QuotaExceededError")
    return new AppError("storage_full", "The browser gives this site no more room.", {
      hint: "Erase what you no longer need or free some disk space, then try again; what was acknowledged is kept.",
      retryable: true,
      cause: error,
    });
  if (name === "SecurityError" || name === "InvalidStateError")
    return new AppError("storage_unavailable", `"${path}" can't be used: ${String(error)}`, {
      hint: "Reload the page; in a private window storage may be off.",
      retryable: true,
      cause: error,
    });
  return toError(error);
}

function unavailable(cause?: unknown): AppError {
  return new AppError("storage_unavailable", "This browser gives no private file storage here.", {
    hint: "Use a current browser outside of a private window; the page must be served over HTTPS or from localhost.",
    ...(cause === undefined ? {} : { cause }),
  });
}

export class OpfsFileStore implements FileStore {
  readonly kind = "opfs";
  readonly #root: FileSystemDirectoryHandle;
  readonly #lock: SyncHandle;
  /** Open handles by path; opening one costs more than the read it serves. */
  readonly #handles = new LRUCache<string, SyncHandle>({
    max: MAX_OPEN_HANDLES,
    dispose: (handle) => handle.close(),
  });
  /** Calls run one after another: two at once would open the same file twice. */
  #queue: Promise<unknown> = Promise.resolve();
  #closed = false;

  private constructor(root: FileSystemDirectoryHandle, lock: SyncHandle) {
    this.#root = root;
    this.#lock = lock;
  }

  /** Opens folder `name` of the origin's storage: `storage_unavailable` without OPFS, `store_locked`. */
  static async open(name: string): Promise<OpfsFileStore> {
    checkStorePath(name);
    if (
      typeof navigator === "undefined" ||
      !navigator.storage?.getDirectory ||
      !("createSyncAccessHandle" in (globalThis.FileSystemFileHandle?.prototype ?? {}))
    )
      throw unavailable();
    // Browsers refuse under several names, private windows most of all.
    const origin = await navigator.storage.getDirectory().catch((error: unknown) => {
      throw unavailable(error);
    });
    try {
      const root = await origin.getDirectoryHandle(name, { create: true });
      const file = (await root.getFileHandle(".lock", { create: true })) as OpfsFile;
      const store = new OpfsFileStore(root, await file.createSyncAccessHandle());
      await store.#removeTemporaries(root);
      return store;
    } catch (error) {
      throw opfsError(error, name);
    }
  }

  async #removeTemporaries(folder: FileSystemDirectoryHandle): Promise<void> {
    for await (const [name, entry] of folder.entries())
      if (entry.kind === "directory")
        await this.#removeTemporaries(entry as FileSystemDirectoryHandle);
      else if (name.startsWith(TEMPORARY)) await folder.removeEntry(name);
  }

  #run<T>(path: string, work: () => Promise<T>): Promise<T> {
    if (this.#closed) return Promise.reject(closedStore());
    const result = this.#queue.then(async () => {
      try {
        checkStorePath(path);
        return await work();
      } catch (error) {
        throw opfsError(error, path);
      }
    });
    this.#queue = result.catch(() => undefined);
    return result;
  }

  async #folder(path: string, create: boolean): Promise<[FileSystemDirectoryHandle, string]> {
    const parts = path.split("/");
    let folder = this.#root;
    for (const part of parts.slice(0, -1))
      folder = await folder.getDirectoryHandle(part, { create });
    return [folder, parts.at(-1)!];
  }

  async #file(path: string, create: boolean): Promise<OpfsFile> {
    const [folder, name] = await this.#folder(path, create);
    return (await folder.getFileHandle(name, { create })) as OpfsFile;
  }

  async #open(path: string, create = false): Promise<SyncHandle> {
    const known = this.#handles.get(path);
    if (known) return known;
    const handle = await (await this.#file(path, create)).createSyncAccessHandle();
    this.#handles.set(path, handle);
    return handle;
  }

  /** `write` may take fewer bytes than given, where the quota ends. */
  #writeAll(handle: SyncHandle, bytes: Uint8Array, at: number): void {
    for (let done = 0; done < bytes.length;) {
      const count = handle.write(bytes.subarray(done), { at: at + done });
      if (count === 0)
        throw new DOMException("No more room for this site's data.", "QuotaExceededError");
      done += count;
    }
    handle.flush();
  }

  async list(prefix = ""): Promise<FileStat[]> {
    if (this.#closed) throw closedStore();
    const found: FileStat[] = [];
    const walk = async (folder: FileSystemDirectoryHandle, base: string): Promise<void> => {
      for await (const [name, entry] of folder.entries()) {
        const path = base + name;
        if (entry.kind === "directory") await walk(entry as FileSystemDirectoryHandle, `${path}/`);
        else if (!name.startsWith(".") && path.startsWith(prefix)) {
          const sizeBytes = await this.#sizeOf(entry as FileSystemFileHandle, path);
          if (sizeBytes !== null) found.push({ path, sizeBytes });
        }
      }
    };
    await walk(this.#root, "");
    return found.sort((a, b) => (a.path < b.path ? -1 : 1));
  }

  /** Null for one that was removed since its folder was read. */
  async #sizeOf(file: FileSystemFileHandle, path: string): Promise<number | null> {
    const open = this.#handles.peek(path);
    if (open) return open.getSize();
    try {
      return (await file.getFile()).size;
    } catch (error) {
      if ((error as { name?: string }).name === "NotFoundError") return null;
      throw opfsError(error, path);
    }
  }

  stat(path: string): Promise<FileStat | null> {
    return this.#run(path, async () => {
      try {
        return { path, sizeBytes: (await this.#open(path)).getSize() };
      } catch (error) {
        if ((error as { name?: string }).name === "NotFoundError") return null;
        throw error;
      }
    });
  }

  read(path: string, offset = 0, length?: number): Promise<Uint8Array> {
    return this.#run(path, async () => {
      checkRange(offset, length);
      const handle = await this.#open(path);
      const rest = Math.max(0, handle.getSize() - offset);
      const bytes = new Uint8Array(Math.min(rest, length ?? rest));
      return bytes.subarray(0, bytes.length === 0 ? 0 : handle.read(bytes, { at: offset }));
    });
  }

  write(path: string, bytes: Uint8Array): Promise<void> {
    return this.#run(path, async () => {
      const [folder, name] = await this.#folder(path, true);
      const temporary = TEMPORARY + crypto.randomUUID();
      const file = (await folder.getFileHandle(temporary, { create: true })) as OpfsFile;
      try {
        const handle = await file.createSyncAccessHandle();
        try {
          this.#writeAll(handle, bytes, 0);
        } finally {
          handle.close();
        }
        // Moving over an open file fails, over a closed one it is atomic.
        this.#handles.delete(path);
        await file.move(folder, name);
      } catch (error) {
        await folder.removeEntry(temporary).catch(() => undefined);
        throw error;
      }
    });
  }

  append(path: string, bytes: Uint8Array): Promise<number> {
    return this.#run(path, async () => {
      const handle = await this.#open(path, true);
      const before = handle.getSize();
      this.#writeAll(handle, bytes, before);
      return before + bytes.length;
    });
  }

  truncate(path: string, sizeBytes: number): Promise<void> {
    return this.#run(path, async () => {
      checkRange(sizeBytes, 0);
      const handle = await this.#open(path);
      if (handle.getSize() > sizeBytes) handle.truncate(sizeBytes);
      handle.flush();
    });
  }

  remove(path: string): Promise<void> {
    return this.#run(path, async () => {
      this.#handles.delete(path);
      try {
        const [folder, name] = await this.#folder(path, false);
        await folder.removeEntry(name);
      } catch (error) {
        if ((error as { name?: string }).name !== "NotFoundError") throw error;
      }
    });
  }

  async usage(): Promise<{
    usedBytes: number;
    quotaBytes: number | null;
    persistent: boolean | null;
  }> {
    let usedBytes = 0;
    for (const file of await this.list()) usedBytes += file.sizeBytes;
    const estimate = await navigator.storage.estimate().catch(() => null);
    const persistent = (await navigator.storage.persisted?.().catch(() => null)) ?? null;
    return { usedBytes, quotaBytes: estimate?.quota ?? null, persistent };
  }

  /** The `File` can be read by other threads while it is open here; it must not be replaced meanwhile (segments never are). */
  handle(path: string): Promise<FileHandle> {
    return this.#run(path, async () => ({
      kind: "file",
      file: await (await this.#file(path, false)).getFile(),
    }));
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#queue;
    this.#handles.clear();
    this.#lock.close();
  }
}
