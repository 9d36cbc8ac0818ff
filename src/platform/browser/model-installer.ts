/**
 * Installs model weights into the browser: disclosed, resumable, checked. Runs in a dedicated worker
 * (sync access handles exist only there); one install at a time per origin.
 */

import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import { AppError, isAbortError, throwIfAborted, toError } from "../../errors.ts";
import {
  DEFAULT_EMBEDDING_MODEL,
  findWeights,
  type WeightsFile,
  type WeightsModel,
  weightsSizeBytes,
} from "../../model/weights.ts";
import type { ModelState } from "../../ports/embedder.ts";
import { fetchFrom, modelFileUrl } from "./model-download.ts";
import {
  createModelFolder,
  deleteModelFolder,
  fileSize,
  PART_SUFFIX,
  readModelState,
} from "./model-files.ts";

export interface InstallModelOptions {
  /** Default: the product's embedding model. */
  name?: string;
  onProgress?: (progress: { doneBytes: number; totalBytes: number }) => void;
  /** Cancels; what arrived is kept and continued by the next install. */
  signal?: AbortSignal;
  /** URL under which `models/NAME/FILE` is served. Default: the application's own. */
  baseUrl?: string;
}

/** Bytes read back at a time when the hash of a continued download is caught up. */
const REHASH_BYTES = 1024 * 1024;
const LOCK_PREFIX = "llm-compression-model-install:";

interface SyncHandle {
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

/**
 * Downloads what is missing of a model, continuing a broken download, and makes it usable.
 * Rejects with `network` (retryable, what arrived stays), `storage_full`, `corrupt_data` (the bytes
 * that arrived were wrong and are discarded) or `storage_unavailable`.
 */
export async function installModel(options: InstallModelOptions = {}): Promise<void> {
  const model = findWeights(options.name ?? DEFAULT_EMBEDDING_MODEL);
  throwIfAborted(options.signal);
  await navigator.locks.request(
    LOCK_PREFIX + model.name,
    options.signal ? { signal: options.signal } : {},
    () => install(model, options),
  );
}

/** What is installed of a model; never throws. */
export function modelState(name: string = DEFAULT_EMBEDDING_MODEL): Promise<ModelState> {
  return readModelState(findWeights(name));
}

/** Deletes a model's weights and any half of them. */
export async function removeModel(name: string = DEFAULT_EMBEDDING_MODEL): Promise<void> {
  const model = findWeights(name);
  await navigator.locks.request(LOCK_PREFIX + model.name, () => deleteModelFolder(model));
}

async function install(model: WeightsModel, options: InstallModelOptions): Promise<void> {
  const state = await readModelState(model);
  const totalBytes = weightsSizeBytes(model);
  await checkSpace(totalBytes - state.installedBytes);
  const folder = await createModelFolder(model);
  let before = 0;
  for (const file of model.files) {
    const onBytes = (bytes: number) =>
      options.onProgress?.({ doneBytes: before + bytes, totalBytes });
    if ((await fileSize(folder, file.name)) !== file.sizeBytes)
      await installFile(model, file, folder, onBytes, options);
    before += file.sizeBytes;
    onBytes(0);
  }
}

async function checkSpace(neededBytes: number): Promise<void> {
  const { quota, usage } = await navigator.storage.estimate();
  if (quota === undefined || usage === undefined || quota - usage >= neededBytes) return;
  const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`;
  throw new AppError(
    "storage_full",
    `The model needs ${megabytes(neededBytes)} and the browser gives this site only ${megabytes(Math.max(0, quota - usage))} more.`,
    {
      hint: "Free some disk space or erase what you no longer need, then try again.",
      retryable: true,
    },
  );
}

async function installFile(
  model: WeightsModel,
  file: WeightsFile,
  folder: FileSystemDirectoryHandle,
  onBytes: (bytes: number) => void,
  options: InstallModelOptions,
): Promise<void> {
  const part = (await folder.getFileHandle(file.name + PART_SUFFIX, { create: true })) as OpfsFile;
  const handle = await part.createSyncAccessHandle().catch((error: unknown) => {
    throw new AppError("store_locked", `Another tab or worker is installing ${file.name}.`, {
      hint: "Wait until it is through, or close the other tab.",
      retryable: true,
      cause: error,
    });
  });
  try {
    const resumed = handle.getSize() > 0;
    const url = modelFileUrl(model, file, options.baseUrl);
    let valid = await downloadFile(url, file, handle, onBytes, options.signal);
    // The half that was there may have been the wrong one: once more from the start.
    if (!valid && resumed) valid = await downloadFile(url, file, handle, onBytes, options.signal);
    if (!valid)
      throw new AppError(
        "corrupt_data",
        `The downloaded ${file.name} has the wrong bytes (SHA-256).`,
        {
          hint: "Nothing of it was kept. Try again; if it stays, the server holds a damaged file: run `npm run setup` there.",
          retryable: true,
        },
      );
  } catch (error) {
    if (isAbortError(error)) throw error;
    throw toError(error);
  } finally {
    handle.close();
  }
  // A file left by an older version may have the final name and another size.
  if ((await fileSize(folder, file.name)) !== null) await folder.removeEntry(file.name);
  await part.move(file.name);
}

/** True when the whole file is there and right; wrong bytes are discarded. */
async function downloadFile(
  url: string,
  file: WeightsFile,
  handle: SyncHandle,
  onBytes: (bytes: number) => void,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  if (handle.getSize() > file.sizeBytes) handle.truncate(0);
  let hash = sha256.create();
  let offset = catchUpHash(handle, hash);
  onBytes(offset);
  try {
    if (offset < file.sizeBytes)
      for await (const { start, bytes } of fetchFrom(url, offset, signal)) {
        if (start !== offset) {
          // The server sends the whole file.
          handle.truncate(0);
          hash = sha256.create();
          offset = start;
        }
        if (offset + bytes.length > file.sizeBytes) {
          handle.truncate(0);
          return false;
        }
        // Where the quota ends, a write may take less than it was given.
        if (handle.write(bytes, { at: offset }) < bytes.length)
          throw new DOMException("No more room for this site's data.", "QuotaExceededError");
        hash.update(bytes);
        offset += bytes.length;
        onBytes(offset);
      }
  } finally {
    handle.flush();
  }
  if (offset < file.sizeBytes)
    throw new AppError("network", `The download of ${file.name} ended early.`, {
      hint: "Try again: it continues where it stopped.",
      retryable: true,
    });
  if (bytesToHex(hash.digest()) === file.sha256) return true;
  handle.truncate(0);
  handle.flush();
  return false;
}

/** Feeds what is already there to the hash; returns its size. */
function catchUpHash(handle: SyncHandle, hash: ReturnType<typeof sha256.create>): number {
  const size = handle.getSize();
  const block = new Uint8Array(Math.min(REHASH_BYTES, size));
  let offset = 0;
  while (offset < size) {
    const count = handle.read(block.subarray(0, Math.min(block.length, size - offset)), {
      at: offset,
    });
    if (count === 0) break;
    hash.update(block.subarray(0, count));
    offset += count;
  }
  return offset;
}
