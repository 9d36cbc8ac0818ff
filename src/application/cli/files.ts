/** Files named on the command line: reading them whole, writing them in one step, walking a folder. */

import { createReadStream } from "node:fs";
import { link, mkdir, open, readdir, realpath, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { AppError, throwIfAborted } from "../../errors.ts";
import { fileFailure } from "./failure.ts";
import type { CliHost } from "./host.ts";

/** Largest single text that is read whole; `batch` and `import` read in slices and have no such limit. */
export const MAX_INPUT_BYTES = 256 * 1024 * 1024;

/** All bytes of a file, or of stdin for "-". `too_large` beyond `MAX_INPUT_BYTES`. */
export async function readInput(
  host: Pick<CliHost, "stdin">,
  path: string | "-",
  signal: AbortSignal,
): Promise<Uint8Array> {
  const name = path === "-" ? "standard input" : path;
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    if (path !== "-" && (await stat(path)).isDirectory())
      throw Object.assign(new Error("is a folder"), { code: "EISDIR" });
    const stream = path === "-" ? host.stdin : createReadStream(path);
    const stop = (): void => void stream.destroy();
    signal.addEventListener("abort", stop, { once: true });
    try {
      for await (const chunk of stream) {
        const bytes = typeof chunk === "string" ? new TextEncoder().encode(chunk) : chunk;
        size += (bytes as Uint8Array).length;
        if (size > MAX_INPUT_BYTES)
          throw new AppError("too_large", `${name} holds more than 256 MiB`, {
            hint: "Split it, or put the file into a folder and use `batch`.",
          });
        chunks.push(bytes as Uint8Array);
      }
    } finally {
      signal.removeEventListener("abort", stop);
    }
  } catch (error) {
    throwIfAborted(signal);
    throw fileFailure(error, name);
  }
  throwIfAborted(signal);
  return new Uint8Array(Buffer.concat(chunks));
}

let temporaryCount = 0;

/**
 * Writes a whole file so that a reader, or a kill, never meets half of it; folders on the way are
 * made. Without `overwrite` a file that is there is left alone (`invalid_input`).
 */
export async function writeWholeFile(
  path: string,
  bytes: Uint8Array,
  options: { overwrite: boolean },
): Promise<void> {
  const temporary = join(dirname(path), `.llm-compress-${process.pid}-${temporaryCount++}.tmp`);
  try {
    await mkdir(dirname(path), { recursive: true });
    const file = await open(temporary, "wx");
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    if (options.overwrite) await rename(temporary, path);
    else {
      await link(temporary, path);
      await rm(temporary);
    }
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw fileFailure(error, path);
  }
}

export interface WalkedFile {
  absolutePath: string;
  /** "/"-separated, relative to the folder that was walked. */
  path: string;
}

/**
 * Regular files below a folder, sorted by path, so that two runs see the same order. Symbolic links
 * to files are followed, those to folders only where they don't lead out of or around the folder:
 * each real folder is visited once. `exclude` names absolute folders to leave out. What can't be
 * read is handed to `onError`, and the walk goes on.
 */
export async function* walkFolder(
  root: string,
  options: {
    exclude?: readonly string[];
    onError?: (path: string, error: unknown) => void;
  } = {},
): AsyncGenerator<WalkedFile> {
  const excluded = new Set<string>();
  for (const folder of options.exclude ?? [])
    excluded.add(await realpath(folder).catch(() => folder));
  let rootPath: string;
  try {
    rootPath = await realpath(root);
    if (!(await stat(rootPath)).isDirectory())
      throw Object.assign(new Error("not a folder"), { code: "ENOTDIR" });
  } catch (error) {
    throw folderFailure(error, root);
  }
  const visited = new Set<string>();

  async function* walk(folder: string, prefix: string): AsyncGenerator<WalkedFile> {
    const real = await realpath(folder);
    if (visited.has(real) || excluded.has(real)) return;
    if (real !== rootPath && !real.startsWith(withSlash(rootPath))) return;
    visited.add(real);
    const names = (await readdir(folder)).sort(compareNames);
    for (const name of names) {
      const absolutePath = join(folder, name);
      const path = prefix + name;
      try {
        const info = await stat(absolutePath);
        if (info.isDirectory()) yield* walk(absolutePath, `${path}/`);
        else if (info.isFile()) yield { absolutePath, path };
      } catch (error) {
        options.onError?.(path, fileFailure(error, path));
      }
    }
  }
  yield* walk(rootPath, "");
}

function withSlash(folder: string): string {
  return folder.endsWith("/") ? folder : `${folder}/`;
}

function compareNames(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function folderFailure(error: unknown, path: string): unknown {
  const code = (error as { code?: unknown } | null)?.code;
  if (code === "ENOENT")
    return new AppError("not_found", `There is no such folder: ${path}`, {
      hint: "Check the path.",
      cause: error,
    });
  if (code === "ENOTDIR")
    return new AppError("invalid_input", `This is not a folder: ${path}`, {
      hint: "Name a folder; for one file use `remember --input` or `import`.",
      cause: error,
    });
  return fileFailure(error, path);
}
