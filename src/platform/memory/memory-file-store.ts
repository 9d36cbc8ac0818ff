/** A file store that lives in memory: ephemeral mode and tests. */

import { AppError } from "../../errors.ts";
import type { FileHandle, FileStat, FileStore } from "../../ports/file-store.ts";
import {
  checkRange,
  checkStorePath,
  closedStore,
  lockedStore,
  missingFile,
} from "../store-path.ts";

/** The bytes, apart from whoever has them open: reopening a volume is a restart. */
export class MemoryVolume {
  readonly files = new Map<string, Uint8Array>();
  /** Bytes that fit; more is `storage_full`. */
  quotaBytes: number | null;
  opened = false;

  constructor(options: { quotaBytes?: number } = {}) {
    this.quotaBytes = options.quotaBytes ?? null;
  }

  usedBytes(): number {
    let sum = 0;
    for (const bytes of this.files.values()) sum += bytes.length;
    return sum;
  }

  /** An independent copy, as after pulling the plug. */
  clone(): MemoryVolume {
    const copy = new MemoryVolume();
    copy.quotaBytes = this.quotaBytes;
    for (const [path, bytes] of this.files) copy.files.set(path, bytes.slice());
    return copy;
  }
}

export class MemoryFileStore implements FileStore {
  readonly kind = "memory";
  readonly #volume: MemoryVolume;
  #closed = false;

  /** `store_locked` while another store has the volume open. */
  constructor(volume: MemoryVolume = new MemoryVolume()) {
    if (volume.opened) throw lockedStore("another part of this program");
    volume.opened = true;
    this.#volume = volume;
  }

  #check(path: string): void {
    if (this.#closed) throw closedStore();
    checkStorePath(path);
  }

  /** Files are grown in place with spare capacity, so that many small appends stay linear. */
  #set(path: string, bytes: Uint8Array, growth: number): void {
    const { quotaBytes } = this.#volume;
    if (growth > 0 && quotaBytes !== null && this.#volume.usedBytes() + growth > quotaBytes)
      throw new AppError("storage_full", `The ${quotaBytes} bytes of this store are used up.`, {
        hint: "Forget something, or give the store more room.",
        retryable: true,
      });
    this.#volume.files.set(path, bytes);
  }

  async list(prefix = ""): Promise<FileStat[]> {
    if (this.#closed) throw closedStore();
    return [...this.#volume.files]
      .filter(([path]) => path.startsWith(prefix))
      .map(([path, bytes]) => ({ path, sizeBytes: bytes.length }))
      .sort((a, b) => (a.path < b.path ? -1 : 1));
  }

  async stat(path: string): Promise<FileStat | null> {
    this.#check(path);
    const bytes = this.#volume.files.get(path);
    return bytes ? { path, sizeBytes: bytes.length } : null;
  }

  async read(path: string, offset = 0, length?: number): Promise<Uint8Array> {
    this.#check(path);
    checkRange(offset, length);
    const bytes = this.#volume.files.get(path);
    if (!bytes) throw missingFile(path);
    return bytes.slice(offset, length === undefined ? undefined : offset + length);
  }

  async write(path: string, bytes: Uint8Array): Promise<void> {
    this.#check(path);
    const before = this.#volume.files.get(path)?.length ?? 0;
    this.#set(path, bytes.slice(), bytes.length - before);
  }

  async append(path: string, bytes: Uint8Array): Promise<number> {
    this.#check(path);
    const before = this.#volume.files.get(path) ?? new Uint8Array();
    const size = before.length + bytes.length;
    let buffer = before.buffer;
    if (before.byteOffset !== 0 || buffer.byteLength < size) {
      buffer = new ArrayBuffer(Math.max(256, size * 2));
      new Uint8Array(buffer).set(before);
    }
    new Uint8Array(buffer).set(bytes, before.length);
    this.#set(path, new Uint8Array(buffer, 0, size), bytes.length);
    return size;
  }

  async truncate(path: string, sizeBytes: number): Promise<void> {
    this.#check(path);
    checkRange(sizeBytes, 0);
    const bytes = this.#volume.files.get(path);
    if (!bytes) throw missingFile(path);
    if (sizeBytes < bytes.length) this.#set(path, bytes.slice(0, sizeBytes), 0);
  }

  async remove(path: string): Promise<void> {
    this.#check(path);
    this.#volume.files.delete(path);
  }

  async usage(): Promise<{
    usedBytes: number;
    quotaBytes: number | null;
    persistent: boolean | null;
  }> {
    if (this.#closed) throw closedStore();
    return {
      usedBytes: this.#volume.usedBytes(),
      quotaBytes: this.#volume.quotaBytes,
      persistent: false,
    };
  }

  async handle(path: string): Promise<FileHandle> {
    return { kind: "bytes", bytes: await this.read(path) };
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#volume.opened = false;
  }
}
