/**
 * One file of a model, downloaded into the origin's private file system: what arrived stays in
 * `NAME.part` and is continued; the final name means that size, hash and kind were checked. Runs in a
 * dedicated worker (sync access handles exist only there).
 */

import { sha256 } from "@noble/hashes/sha2.js";
import { md5 } from "@noble/hashes/legacy.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import { AppError, isAbortError, toError } from "../../errors.ts";
import { fetchFrom } from "./model-download.ts";

export const PART_SUFFIX = ".part";
/** Bytes read back at a time when the hash of a continued download is caught up. */
const REHASH_BYTES = 1024 * 1024;
/** Bytes that `checkStart` sees. */
const START_BYTES = 64;

export interface FileToDownload {
  /** Final name in its folder. */
  name: string;
  /** What messages call it. Default: its name. */
  label?: string;
  /** Where to get it, in order; the next is asked when one doesn't have it (`not_found`). */
  urls: readonly string[];
  /** Known size; null: as the server says. */
  sizeBytes: number | null;
  /** Lower-case hex; null: whatever arrives is taken, and its SHA-256 returned. */
  sha256: string | null;
  md5?: string;
  /** Throws when a file that starts so can't be the right one. Sees the first 64 bytes. */
  checkStart?: (bytes: Uint8Array) => void;
}

export interface DownloadedFile {
  sizeBytes: number;
  /** Lower-case hex. */
  sha256: string;
  /** The address that had it. */
  url: string;
}

export interface DownloadOptions {
  /** Bytes that are there, and how many it will be (null while nobody knows). */
  onBytes?: (doneBytes: number, totalBytes: number | null) => void;
  signal?: AbortSignal;
}

export interface SyncHandle {
  read(into: Uint8Array, options: { at: number }): number;
  write(bytes: Uint8Array, options: { at: number }): number;
  getSize(): number;
  truncate(size: number): void;
  flush(): void;
  close(): void;
}

type OpfsFile = FileSystemFileHandle & {
  createSyncAccessHandle(): Promise<SyncHandle>;
  move(name: string): Promise<void>;
};

/** Bytes of a file, or null when it isn't there. */
export async function fileSize(
  folder: FileSystemDirectoryHandle,
  name: string,
): Promise<number | null> {
  try {
    return (await (await folder.getFileHandle(name)).getFile()).size;
  } catch {
    return null;
  }
}

/**
 * Downloads a file, continuing what is there. Rejects with `network` (retryable, what arrived stays),
 * `not_found` (no address has it), `storage_full`, `corrupt_data` (wrong bytes, discarded),
 * `store_locked` (another tab downloads it) or what `checkStart` throws.
 */
export async function downloadFile(
  folder: FileSystemDirectoryHandle,
  file: FileToDownload,
  options: DownloadOptions = {},
): Promise<DownloadedFile> {
  const part = (await folder.getFileHandle(file.name + PART_SUFFIX, { create: true })) as OpfsFile;
  const handle = await part.createSyncAccessHandle().catch((error: unknown) => {
    throw new AppError("store_locked", `Another tab or worker is installing ${shownName(file)}.`, {
      hint: "Wait until it is through, or close the other tab.",
      retryable: true,
      cause: error,
    });
  });
  let done: DownloadedFile;
  try {
    done = await fromAnyUrl(handle, file, options);
  } catch (error) {
    if (isAbortError(error)) throw error;
    throw toError(error);
  } finally {
    handle.close();
  }
  // A file left by an older version may have the final name and another size.
  if ((await fileSize(folder, file.name)) !== null) await folder.removeEntry(file.name);
  await part.move(file.name);
  return done;
}

async function fromAnyUrl(
  handle: SyncHandle,
  file: FileToDownload,
  options: DownloadOptions,
): Promise<DownloadedFile> {
  let missing: unknown;
  for (const url of file.urls)
    try {
      const resumed = handle.getSize() > 0;
      const whole =
        (await attempt(handle, url, file, options)) ??
        // The half that was there may have been the wrong one: once more from the start.
        (resumed ? await attempt(handle, url, file, options) : null);
      if (whole) return whole;
      throw new AppError(
        "corrupt_data",
        `The downloaded ${shownName(file)} has the wrong bytes (SHA-256).`,
        {
          hint: "Nothing of it was kept. Try again; if it stays, the server holds a damaged file: run `npm run setup` there.",
          retryable: true,
        },
      );
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== "not_found") throw error;
      missing ??= error;
    }
  throw missing;
}

/** Null when the bytes are wrong; they are discarded then. */
async function attempt(
  handle: SyncHandle,
  url: string,
  file: FileToDownload,
  { onBytes, signal }: DownloadOptions,
): Promise<DownloadedFile | null> {
  if (file.sizeBytes !== null && handle.getSize() > file.sizeBytes) handle.truncate(0);
  let hashes = new Hashes(file);
  let offset = catchUp(handle, hashes);
  let total = file.sizeBytes;
  onBytes?.(offset, total);
  let startChecked = false;
  try {
    if (file.sizeBytes === null || offset < file.sizeBytes)
      for await (const { start, bytes, totalBytes } of fetchFrom(url, offset, signal)) {
        if (start !== offset) {
          // The server sends the whole file.
          handle.truncate(0);
          hashes = new Hashes(file);
          offset = start;
        }
        if (file.sizeBytes !== null && offset + bytes.length > file.sizeBytes) {
          handle.truncate(0);
          return null;
        }
        total = file.sizeBytes ?? totalBytes;
        // Where the quota ends, a write may take less than it was given.
        if (handle.write(bytes, { at: offset }) < bytes.length)
          throw new DOMException("No more room for this site's data.", "QuotaExceededError");
        hashes.update(bytes);
        offset += bytes.length;
        startChecked ||= checkStart(handle, file, offset >= START_BYTES);
        onBytes?.(offset, total);
      }
    if (!startChecked) checkStart(handle, file, true);
  } finally {
    handle.flush();
  }
  if (file.sizeBytes !== null && offset < file.sizeBytes)
    throw new AppError("network", `The download of ${shownName(file)} ended early.`, {
      hint: "Try again: it continues where it stopped.",
      retryable: true,
    });
  const digest = hashes.matching();
  if (digest !== null && offset > 0) return { sizeBytes: offset, sha256: digest, url };
  handle.truncate(0);
  handle.flush();
  return null;
}

function shownName(file: FileToDownload): string {
  return file.label ?? file.name;
}

/** False until enough bytes are there. A file of the wrong kind is discarded and the check's error thrown. */
function checkStart(handle: SyncHandle, file: FileToDownload, enough: boolean): boolean {
  if (!enough) return false;
  if (!file.checkStart) return true;
  const start = new Uint8Array(Math.min(START_BYTES, handle.getSize()));
  handle.read(start, { at: 0 });
  try {
    file.checkStart(start);
  } catch (error) {
    handle.truncate(0);
    throw error;
  }
  return true;
}

class Hashes {
  readonly #file: FileToDownload;
  readonly #sha256 = sha256.create();
  readonly #md5: ReturnType<typeof md5.create> | null;

  constructor(file: FileToDownload) {
    this.#file = file;
    this.#md5 = file.md5 === undefined ? null : md5.create();
  }

  update(bytes: Uint8Array): void {
    this.#sha256.update(bytes);
    this.#md5?.update(bytes);
  }

  /** The SHA-256 when all that is known of the file fits, else null. */
  matching(): string | null {
    const digest = bytesToHex(this.#sha256.digest());
    if (this.#file.sha256 !== null && digest !== this.#file.sha256) return null;
    if (this.#md5 && bytesToHex(this.#md5.digest()) !== this.#file.md5) return null;
    return digest;
  }
}

/** Feeds what is already there to the hashes; returns its size. */
function catchUp(handle: SyncHandle, hashes: Hashes): number {
  const size = handle.getSize();
  const block = new Uint8Array(Math.min(REHASH_BYTES, size));
  let offset = 0;
  while (offset < size) {
    const count = handle.read(block.subarray(0, Math.min(block.length, size - offset)), {
      at: offset,
    });
    if (count === 0) break;
    hashes.update(block.subarray(0, count));
    offset += count;
  }
  return offset;
}
