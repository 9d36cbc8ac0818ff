/** Embedder variants in the origin's private file system, beside the fetched models. Runs in a worker. */

import { AppError } from "../../errors.ts";
import type { FolderFiles } from "../../processing/embedding/variant-folder.ts";
import { createModelFolder, findModelFolder } from "./model-files.ts";
import { PART_SUFFIX, type SyncHandle } from "./resumable-file.ts";

const FOLDER = "embedder-variants";

type OpfsFile = FileSystemFileHandle & {
  createSyncAccessHandle(): Promise<SyncHandle>;
  move(name: string): Promise<void>;
};

export const browserVariantFiles: FolderFiles = {
  async folders() {
    const root = await findModelFolder(FOLDER);
    const names: string[] = [];
    for await (const handle of root?.values() ?? [])
      if (handle.kind === "directory") names.push(handle.name);
    return names;
  },
  async read(path) {
    try {
      const [folder, name] = await resolve(path, false);
      const blob = await (await folder.getFileHandle(name)).getFile();
      return new Uint8Array(await blob.arrayBuffer());
    } catch (error) {
      if ((error as { name?: string }).name === "NotFoundError") return null;
      throw error;
    }
  },
  async write(path, bytes) {
    const [folder, name] = await resolve(path, true);
    const part = (await folder.getFileHandle(name + PART_SUFFIX, { create: true })) as OpfsFile;
    try {
      const handle = await part.createSyncAccessHandle();
      try {
        handle.truncate(0);
        handle.write(bytes, { at: 0 });
        handle.flush();
      } finally {
        handle.close();
      }
      await part.move(name);
    } catch (error) {
      await folder.removeEntry(name + PART_SUFFIX).catch(() => undefined);
      if ((error as { name?: string }).name === "QuotaExceededError")
        throw new AppError("storage_full", "There is no room for the network in this browser.", {
          hint: "Remove models that you don't use, or free space on the disk.",
          cause: error,
        });
      throw error;
    }
  },
  async removeFolder(name) {
    const root = await findModelFolder(FOLDER);
    try {
      await root?.removeEntry(name, { recursive: true });
    } catch (error) {
      if ((error as { name?: string }).name !== "NotFoundError") throw error;
    }
  },
};

async function resolve(
  path: string,
  create: boolean,
): Promise<[folder: FileSystemDirectoryHandle, name: string]> {
  const root = create ? await createModelFolder(FOLDER) : await findModelFolder(FOLDER);
  if (!root) throw new DOMException("no folder", "NotFoundError");
  const [first, second] = path.split("/") as [string, string | undefined];
  if (second === undefined) return [root, first];
  return [await root.getDirectoryHandle(first, { create }), second];
}
