/** A file store that fails on purpose at the n-th call: what tests pull the plug with. */

import { AppError, type ErrorCode } from "../../errors.ts";
import type { FileHandle, FileStat, FileStore } from "../../ports/file-store.ts";

export interface Fault {
  /** Which call fails, counted from 1: of those that change files, or of those that read them. */
  atCall: number;
  /**
   * Of calls that change files: "error": the call fails once and changes nothing, as on a full disk.
   * "short": it fails half done. "flush": it happens, and then its flush fails. "crash": nothing of
   * it happens and no later call does. "torn-crash": half of it happens, then nothing. "late-crash":
   * it happens, but its caller never learns. Of calls that read: "read-error": it fails once.
   * "short-read": it gives half of the bytes that are there. "flipped-read": one bit of them is wrong.
   */
  kind:
    | "error"
    | "short"
    | "flush"
    | "crash"
    | "torn-crash"
    | "late-crash"
    | "read-error"
    | "short-read"
    | "flipped-read";
  /** Code of the failures that are no crash. Default "storage_full". */
  code?: ErrorCode;
}

const READ_KINDS: ReadonlySet<Fault["kind"]> = new Set([
  "read-error",
  "short-read",
  "flipped-read",
]);

export class InjectedCrash extends Error {
  override readonly name = "InjectedCrash";
}

/** Wraps any store. Atomic calls (`write`, `remove`) happen whole or not at all; appends can be torn. */
export class FaultyFileStore implements FileStore {
  readonly #inner: FileStore;
  readonly #fault: Fault | null;
  /** Calls that change files so far. */
  calls = 0;
  /** Calls of `read` so far. */
  reads = 0;
  crashed = false;

  constructor(inner: FileStore, fault: Fault | null) {
    this.#inner = inner;
    this.#fault = fault;
  }

  get kind(): string {
    return this.#inner.kind;
  }

  /** Whether the fault has happened. */
  get fired(): boolean {
    if (this.#fault === null) return false;
    const count = READ_KINDS.has(this.#fault.kind) ? this.reads : this.calls;
    return count >= this.#fault.atCall;
  }

  #alive(): void {
    if (this.crashed) throw new InjectedCrash("The process is gone.");
  }

  #failure(): AppError {
    const code = this.#fault?.code ?? "storage_full";
    return new AppError(code, `The storage failed (injected ${code}).`, { retryable: true });
  }

  async #change<T>(work: () => Promise<T>, half?: () => Promise<unknown>): Promise<T> {
    this.#alive();
    this.calls++;
    const fault = this.#fault;
    if (!fault || READ_KINDS.has(fault.kind) || this.calls !== fault.atCall) return work();
    if (fault.kind === "short" || fault.kind === "torn-crash") await half?.();
    if (fault.kind === "late-crash" || fault.kind === "flush") await work();
    if (fault.kind === "error" || fault.kind === "short" || fault.kind === "flush")
      throw this.#failure();
    this.crashed = true;
    throw new InjectedCrash(`Crash at call ${this.calls}.`);
  }

  async list(prefix?: string): Promise<FileStat[]> {
    this.#alive();
    return this.#inner.list(prefix);
  }

  async stat(path: string): Promise<FileStat | null> {
    this.#alive();
    return this.#inner.stat(path);
  }

  async read(path: string, offset?: number, length?: number): Promise<Uint8Array> {
    this.#alive();
    this.reads++;
    const bytes = await this.#inner.read(path, offset, length);
    const fault = this.#fault;
    if (!fault || !READ_KINDS.has(fault.kind) || this.reads !== fault.atCall) return bytes;
    if (fault.kind === "read-error") throw this.#failure();
    if (fault.kind === "short-read") return bytes.subarray(0, bytes.length >> 1);
    const flipped = bytes.slice();
    if (flipped.length > 0) flipped[flipped.length >> 1]! ^= 1;
    return flipped;
  }

  write(path: string, bytes: Uint8Array): Promise<void> {
    return this.#change(() => this.#inner.write(path, bytes));
  }

  append(path: string, bytes: Uint8Array): Promise<number> {
    return this.#change(
      () => this.#inner.append(path, bytes),
      () => this.#inner.append(path, bytes.subarray(0, bytes.length >> 1)),
    );
  }

  truncate(path: string, sizeBytes: number): Promise<void> {
    return this.#change(() => this.#inner.truncate(path, sizeBytes));
  }

  remove(path: string): Promise<void> {
    return this.#change(() => this.#inner.remove(path));
  }

  async usage(): Promise<{
    usedBytes: number;
    quotaBytes: number | null;
    persistent: boolean | null;
  }> {
    this.#alive();
    return this.#inner.usage();
  }

  async handle(path: string): Promise<FileHandle> {
    this.#alive();
    return this.#inner.handle(path);
  }

  close(): Promise<void> {
    return this.#inner.close();
  }
}
