/** Embedder variants in a folder on disk. */

import { randomUUID } from "node:crypto";
import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { toError } from "../../errors.ts";
import type { FolderFiles } from "../../processing/embedding/variant-folder.ts";
import { replaceFile } from "./replace-file.ts";

export function variantFiles(directory: string): FolderFiles {
  return {
    async folders() {
      try {
        const entries = await readdir(directory, { withFileTypes: true });
        return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
      } catch {
        return [];
      }
    },
    async read(path) {
      try {
        return await readFile(join(directory, path));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
        throw toError(error);
      }
    },
    async write(path, bytes) {
      const target = join(directory, path);
      try {
        await mkdir(dirname(target), { recursive: true });
        await replaceFile(`${target}.${randomUUID()}.part`, target, bytes);
      } catch (error) {
        throw toError(error);
      }
    },
    async removeFolder(name) {
      await rm(join(directory, name), { recursive: true, force: true });
    },
  };
}
