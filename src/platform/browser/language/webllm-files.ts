/**
 * WebLLM's files: its own cache in the private file system (`tvmjs-opfs-store/SCOPE/HASH.bin` beside a
 * record), filled by our resumable, checked download. Every file is kept under an address that can't
 * exist (`.invalid`), so the unmodified package finds everything in its cache, never asks a network,
 * and doesn't care how the real addresses look.
 */

import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils.js";
import { z } from "zod";
import { AppError, toError } from "../../../errors.ts";
import { createModelFolder, deleteModelFolder, findModelFolder } from "../model-files.ts";
import { fileSize, PART_SUFFIX } from "../resumable-file.ts";

const STORE_FOLDER = "tvmjs-opfs-store";
export type CacheScope = "webllm/model" | "webllm/config" | "webllm/wasm";

const MANIFEST = "manifest.json";

const manifestSchema = z.object({
  version: z.literal(1),
  weightsUrl: z.string(),
  libraryUrl: z.string(),
  /** Of mlc-chat-config.json; -1 where a sliding window takes its place. */
  contextWindow: z.number(),
  files: z.array(
    z.object({
      scope: z.enum(["webllm/model", "webllm/config", "webllm/wasm"]),
      url: z.string(),
      /** Null until it is known. */
      sizeBytes: z.number().nullable(),
      sha256: z.string().nullable(),
    }),
  ),
  /** False while the download is under way. */
  complete: z.boolean(),
});
/** Which files a model has, and what they were when they were installed. */
export type WebLlmManifest = z.infer<typeof manifestSchema>;

export interface WebLlmAddresses {
  modelUrl: string;
  libraryUrl: string;
}

/** Under which addresses WebLLM knows the files of a model of that name. */
export function cachedAddresses(name: string): WebLlmAddresses {
  // A hash, because WebLLM treats addresses with certain words in them differently.
  const id = bytesToHex(sha256(utf8ToBytes(name))).slice(0, 32);
  const base = `https://webllm.invalid/${id}`;
  return { modelUrl: `${base}/resolve/main/`, libraryUrl: `${base}/library.wasm` };
}

function manifestFolder(name: string): string {
  return `webllm-${encodeURIComponent(name)}`;
}

export async function openCacheFolder(scope: CacheScope): Promise<FileSystemDirectoryHandle> {
  try {
    let folder = await navigator.storage.getDirectory();
    for (const part of [STORE_FOLDER, ...scope.split("/")])
      folder = await folder.getDirectoryHandle(part, { create: true });
    return folder;
  } catch (error) {
    throw toError(error);
  }
}

function cacheKey(url: string): string {
  return bytesToHex(sha256(utf8ToBytes(url)));
}

/** Name of the file that holds the bytes of a cached address. */
export function payloadName(url: string): string {
  return `${cacheKey(url)}.bin`;
}

function recordName(url: string): string {
  return `${cacheKey(url)}.record.json`;
}

/** Makes a downloaded payload visible to WebLLM. */
export async function writeRecord(
  folder: FileSystemDirectoryHandle,
  url: string,
  sizeBytes: number,
): Promise<void> {
  await writeFile(folder, recordName(url), JSON.stringify({ url, nbytes: sizeBytes }));
}

/** Stores a small file whole. */
export async function writePayload(
  scope: CacheScope,
  url: string,
  bytes: Uint8Array<ArrayBuffer>,
): Promise<void> {
  const folder = await openCacheFolder(scope);
  await writeFile(folder, payloadName(url), bytes);
  await writeRecord(folder, url, bytes.length);
}

async function writeFile(
  folder: FileSystemDirectoryHandle,
  name: string,
  data: string | Uint8Array<ArrayBuffer>,
): Promise<void> {
  const handle = await folder.getFileHandle(name, { create: true });
  const writable = await handle.createWritable();
  try {
    await writable.write(data);
    await writable.close();
  } catch (error) {
    await writable.abort().catch(() => undefined);
    throw toError(error);
  }
}

/** Null when nothing of the model was ever installed, or its description can't be read. */
export async function readManifest(name: string): Promise<WebLlmManifest | null> {
  try {
    const folder = await findModelFolder(manifestFolder(name));
    if (!folder) return null;
    const file = await (await folder.getFileHandle(MANIFEST)).getFile();
    return manifestSchema.parse(JSON.parse(await file.text()));
  } catch {
    return null;
  }
}

export async function writeManifest(name: string, manifest: WebLlmManifest): Promise<void> {
  await writeFile(
    await createModelFolder(manifestFolder(name)),
    MANIFEST,
    JSON.stringify(manifest),
  );
}

export interface InstalledState {
  state: "missing" | "partial" | "installed";
  installedBytes: number;
  /** As far as it is known. */
  sizeBytes: number;
}

/** What is there of a model's files; a manifest that says "complete" is not believed alone. */
export async function readInstalled(manifest: WebLlmManifest | null): Promise<InstalledState> {
  if (!manifest) return { state: "missing", installedBytes: 0, sizeBytes: 0 };
  let installedBytes = 0;
  let sizeBytes = 0;
  let whole = manifest.complete;
  for (const file of manifest.files) {
    const folder = await openCacheFolder(file.scope);
    const size = await fileSize(folder, payloadName(file.url));
    const isThere = size !== null && (file.sizeBytes === null || size === file.sizeBytes);
    if (!isThere) whole = false;
    const arrived = isThere ? size : await fileSize(folder, payloadName(file.url) + PART_SUFFIX);
    installedBytes += arrived ?? 0;
    sizeBytes += file.sizeBytes ?? arrived ?? 0;
  }
  const state = whole ? "installed" : installedBytes > 0 ? "partial" : "missing";
  return { state, installedBytes, sizeBytes };
}

/** Deletes a model's files with what a download left. */
export async function deleteInstalled(name: string): Promise<void> {
  const manifest = await readManifest(name);
  for (const { scope, url } of manifest?.files ?? []) {
    const folder = await openCacheFolder(scope);
    for (const file of [recordName(url), payloadName(url), payloadName(url) + PART_SUFFIX])
      try {
        await folder.removeEntry(file);
      } catch (error) {
        const kind = (error as { name?: string }).name;
        if (kind === "NotFoundError") continue;
        if (kind === "NoModificationAllowedError")
          throw new AppError("store_locked", "The model's files are in use by another tab.", {
            hint: "Close the other tab, then try again.",
            retryable: true,
            cause: error,
          });
        throw toError(error);
      }
  }
  await deleteModelFolder(manifestFolder(name));
}
