/**
 * Installed weights in the origin's private file system: `models/FOLDER/FILE`, outside of the store.
 * A file has its final name only after its SHA-256 was checked; `FILE.part` is a download that goes on.
 */

import { AppError, toError } from "../../errors.ts";
import {
  embedderId,
  type WeightsFile,
  type WeightsModel,
  weightsSizeBytes,
} from "../../model/weights.ts";
import type { ModelState } from "../../ports/embedder.ts";
import { fileSize, PART_SUFFIX } from "./resumable-file.ts";

const ROOT_FOLDER = "models";

/** The folder of all models; `storage_unavailable` where the browser gives no private file system. */
export async function openModelsFolder(): Promise<FileSystemDirectoryHandle> {
  try {
    const root = await navigator.storage.getDirectory();
    return await root.getDirectoryHandle(ROOT_FOLDER, { create: true });
  } catch (error) {
    throw new AppError("storage_unavailable", "This browser gives no private file storage here.", {
      hint: "Use a current browser outside of a private window; the page must be served over HTTPS or from localhost.",
      cause: error,
    });
  }
}

/** Folder of a model of the weights table: an embedding model's changes with its vectors' identity. */
export function modelFolderName(model: WeightsModel): string {
  return model.task === "embedding" ? embedderId(model) : model.name;
}

/** Null when nothing of the model is there. */
export async function findModelFolder(name: string): Promise<FileSystemDirectoryHandle | null> {
  try {
    return await (await openModelsFolder()).getDirectoryHandle(name);
  } catch {
    return null;
  }
}

export async function createModelFolder(name: string): Promise<FileSystemDirectoryHandle> {
  return (await openModelsFolder()).getDirectoryHandle(name, { create: true });
}

/** Deletes the model with what a download left; nothing there is no error. */
export async function deleteModelFolder(name: string): Promise<void> {
  try {
    await (await openModelsFolder()).removeEntry(name, { recursive: true });
  } catch (error) {
    if ((error as { name?: string }).name !== "NotFoundError") throw toError(error);
  }
}

/** What is installed, without loading it; never throws. */
export async function readModelState(model: WeightsModel): Promise<ModelState> {
  const folder = await findModelFolder(modelFolderName(model));
  let installedBytes = 0;
  let complete = folder !== null;
  for (const file of folder ? model.files : []) {
    const size = await fileSize(folder!, file.name);
    if (size === file.sizeBytes) installedBytes += size;
    else {
      complete = false;
      installedBytes += (await fileSize(folder!, file.name + PART_SUFFIX)) ?? 0;
    }
  }
  return {
    name: model.name,
    state: complete ? "installed" : installedBytes > 0 ? "partial" : "missing",
    sizeBytes: weightsSizeBytes(model),
    installedBytes,
    licence: model.licence,
  };
}

/** The checked bytes of an installed file: `model_missing`, or `model_failed` when they were damaged. */
export async function readModelFile(
  model: WeightsModel,
  file: WeightsFile,
): Promise<Uint8Array<ArrayBuffer>> {
  const folder = await findModelFolder(modelFolderName(model));
  let bytes: Uint8Array<ArrayBuffer>;
  try {
    if (!folder) throw new Error("no folder");
    const blob = await (await folder.getFileHandle(file.name)).getFile();
    bytes = new Uint8Array(await blob.arrayBuffer());
  } catch (error) {
    throw new AppError("model_missing", `The embedding model ${model.name} is not installed.`, {
      hint: "Install it in Settings → Models; keyword search works meanwhile.",
      cause: error,
    });
  }
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  const hex = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
  if (hex !== file.sha256)
    throw new AppError(
      "model_failed",
      `The installed file ${file.name} of ${model.name} is damaged.`,
      {
        hint: "Remove the model in Settings → Models and install it again; keyword search works meanwhile.",
      },
    );
  return bytes;
}
