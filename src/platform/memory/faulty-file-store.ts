/** A file store that fails on purpose at the n-th call: what tests pull the plug with. */

import { AppError } from "../../errors.ts";
import type { FileHandle, FileStat, FileStore } from "../../ports/file-store.ts";

export interface Fault {
  /** Which call that changes files fails, counted from 1. */
  atCall: number;
  /**
   * "error": the call fails once and changes nothing, as on a full disk. "short": it fails half
   * done. "crash": nothing of it happens and no later call does. "torn-crash": half of it happens,
   * then nothing. "late-crash": it happens, but its caller never learns.
   */
  kind: "error" | "short" | "crash" | "torn-crash" | "late-crash";
}

export class InjectedCrash extends Error {
  override readonly name = "InjectedCrash";
}

/** Wraps any store. Atomic calls (`write`, `remove`) happen whole or not at all; appends can be torn. */
export class FaultyFileStore implements FileStore {
  readonly #inner: FileStore;
  readonly #fault: Fault | null;
  /** Calls that change files so far. */
  calls = 0;
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
    return this.#fault !== null && this.calls >= this.#fault.atCall;
  }

  #alive(): void {
    if (this.crashed) throw new InjectedCrash("The process is gone.");
  }

  async #change<T>(work: () => Promise<T>, half?: () => Promise<unknown>): Promise<T> {
    this.#alive();
    this.calls++;
    const fault = this.#fault;
    if (!fault || this.calls !== fault.atCall) return work();
    if (fault.kind === "short" || fault.kind === "torn-crash") await half?.();
    if (fault.kind === "late-crash") await work();
    if (fault.kind === "error" || fault.kind === "short")
      throw new AppError("storage_full", "The storage is full (injected).", { retryable: true });
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
    return this.#inner.read(path, offset, length);
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
