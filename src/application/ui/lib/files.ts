/** Files and whole folders out of a drop, a picker or the clipboard, as the engine's import takes them. */

import type { ImportFile } from "../../../engine.ts";

/** Files that file managers leave in every folder and no one wrote. */
const IGNORED = /(^|\/)(\.DS_Store|Thumbs\.db|desktop\.ini|__MACOSX)(\/|$)/;

/** What a drop holds. Must be called in the event itself: the transfer is emptied afterwards. */
export function collectDrop(transfer: DataTransfer): Promise<ImportFile[]> {
  const entries: FileSystemEntry[] = [];
  const loose: File[] = [];
  for (const item of transfer.items) {
    if (item.kind !== "file") continue;
    const entry = item.webkitGetAsEntry();
    const file = entry ? null : item.getAsFile();
    if (entry) entries.push(entry);
    else if (file) loose.push(file);
  }
  return Promise.all([walk(entries), collectFiles(loose)]).then((found) => found.flat());
}

/** The page is let go after this long; one file's date costs up to a millisecond. */
const SLICE_MS = 12;

/**
 * What a file input holds; a folder input gives paths inside the folder. The files are listed in the
 * event itself; their dates are read in slices, because the browser asks the disk for each.
 */
export async function collectFiles(files: Iterable<File>): Promise<ImportFile[]> {
  const found: ImportFile[] = [];
  let sliceStart = performance.now();
  for (const file of [...files]) {
    const path = file.webkitRelativePath || file.name;
    if (!IGNORED.test(path)) found.push(toImportFile(file, path));
    if (performance.now() - sliceStart < SLICE_MS) continue;
    await new Promise((resolve) => setTimeout(resolve));
    sliceStart = performance.now();
  }
  return found;
}

function toImportFile(file: File, path: string): ImportFile {
  return { path, blob: file, lastModified: file.lastModified };
}

async function walk(roots: FileSystemEntry[]): Promise<ImportFile[]> {
  const files: ImportFile[] = [];
  const queue = [...roots];
  for (let entry = queue.shift(); entry; entry = queue.shift()) {
    const path = entry.fullPath.replace(/^\//, "");
    if (IGNORED.test(path)) continue;
    if (entry.isFile) files.push(toImportFile(await openFile(entry as FileSystemFileEntry), path));
    else queue.push(...(await readDirectory(entry as FileSystemDirectoryEntry)));
  }
  return files;
}

function openFile(entry: FileSystemFileEntry): Promise<File> {
  return new Promise((resolve, reject) => entry.file(resolve, reject));
}

/** `readEntries` gives 100 at a time; an empty batch is the end. */
async function readDirectory(entry: FileSystemDirectoryEntry): Promise<FileSystemEntry[]> {
  const reader = entry.createReader();
  const all: FileSystemEntry[] = [];
  for (;;) {
    const batch = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject),
    );
    if (batch.length === 0) return all;
    all.push(...batch);
  }
}

/** "notes.md", or "mails and 3 more". */
export function nameFiles(files: readonly ImportFile[]): string {
  const tops = [...new Set(files.map((file) => file.path.split("/")[0] ?? file.path))];
  const first = tops[0] ?? "files";
  return tops.length <= 1 ? first : `${first} and ${tops.length - 1} more`;
}
