/**
 * Installs model weights into the browser: disclosed, resumable, checked. Runs in a dedicated worker;
 * one install at a time per model and origin.
 */

import { AppError, throwIfAborted } from "../../errors.ts";
import { DEFAULT_EMBEDDING_MODEL, findWeights, weightsSizeBytes } from "../../model/weights.ts";
import type { ModelState } from "../../ports/embedder.ts";
import { modelFileUrl } from "./model-download.ts";
import {
  createModelFolder,
  deleteModelFolder,
  modelFolderName,
  readModelState,
} from "./model-files.ts";
import { downloadFile, fileSize } from "./resumable-file.ts";

export interface InstallModelOptions {
  /** Default: the product's embedding model. */
  name?: string;
  onProgress?: (progress: { doneBytes: number; totalBytes: number }) => void;
  /** Cancels; what arrived is kept and continued by the next install. */
  signal?: AbortSignal;
  /** URL under which `models/NAME/FILE` is served. Default: the application's own. */
  baseUrl?: string;
}

const LOCK_PREFIX = "llm-compression-model-install:";

/** Runs alone among all tabs and workers that install or remove the model. */
export function withInstallLock<T>(
  name: string,
  signal: AbortSignal | undefined,
  work: () => Promise<T>,
): Promise<T> {
  throwIfAborted(signal);
  return navigator.locks.request(LOCK_PREFIX + name, signal ? { signal } : {}, work) as Promise<T>;
}

/**
 * Downloads what is missing of a model of the weights table, continuing a broken download, and makes
 * it usable. Rejects with `network` (retryable, what arrived stays), `not_found`, `storage_full`,
 * `corrupt_data` (the bytes that arrived were wrong and are discarded) or `storage_unavailable`.
 */
export async function installModel(options: InstallModelOptions = {}): Promise<void> {
  const model = findWeights(options.name ?? DEFAULT_EMBEDDING_MODEL);
  await withInstallLock(model.name, options.signal, async () => {
    const state = await readModelState(model);
    const totalBytes = weightsSizeBytes(model);
    await checkSpace(totalBytes - state.installedBytes);
    const folder = await createModelFolder(modelFolderName(model));
    let before = 0;
    for (const file of model.files) {
      const onBytes = (bytes: number) =>
        options.onProgress?.({ doneBytes: before + bytes, totalBytes });
      if ((await fileSize(folder, file.name)) !== file.sizeBytes)
        await downloadFile(
          folder,
          { ...file, urls: [modelFileUrl(model, file, options.baseUrl)] },
          { onBytes, ...(options.signal && { signal: options.signal }) },
        );
      before += file.sizeBytes;
      onBytes(0);
    }
  });
}

/** What is installed of a model; never throws. */
export function modelState(name: string = DEFAULT_EMBEDDING_MODEL): Promise<ModelState> {
  return readModelState(findWeights(name));
}

/** Deletes a model's weights and any half of them. */
export async function removeModel(name: string = DEFAULT_EMBEDDING_MODEL): Promise<void> {
  const model = findWeights(name);
  await withInstallLock(model.name, undefined, () => deleteModelFolder(modelFolderName(model)));
}

/** `storage_full` when the browser gives this site less than `neededBytes` more. */
export async function checkSpace(neededBytes: number): Promise<void> {
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
