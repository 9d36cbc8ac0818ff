/**
 * Where an export goes: a folder or a file the owner picks (written as it comes), else a download.
 * Several files travel as one ZIP, packed on the fly.
 */

import { Zip, ZipPassThrough } from "fflate";
import type { ExportedFile } from "../../../engine.ts";

type PickerWindow = Window & {
  showDirectoryPicker?: (options: { mode: "readwrite" }) => Promise<FileSystemDirectoryHandle>;
};

export function canPickFolder(): boolean {
  return typeof (window as PickerWindow).showDirectoryPicker === "function";
}

/** Asks for a folder; must be called from a click. `AbortError` when the owner closes the dialog. */
export function pickFolder(): Promise<FileSystemDirectoryHandle> {
  const pick = (window as PickerWindow).showDirectoryPicker;
  if (!pick) return Promise.reject(new TypeError("This browser can't write into a folder."));
  return pick.call(window, { mode: "readwrite" });
}

export interface ExportProgress {
  files: number;
  bytes: number;
}

type Report = (progress: ExportProgress) => void;

/** Writes each file below the folder as it comes. */
export async function writeToFolder(
  files: AsyncIterable<ExportedFile>,
  folder: FileSystemDirectoryHandle,
  options: { onProgress: Report; signal: AbortSignal },
): Promise<ExportProgress> {
  const done = { files: 0, bytes: 0 };
  for await (const file of files) {
    options.signal.throwIfAborted();
    const parts = file.path.split("/");
    const name = parts.pop() ?? file.path;
    let target = folder;
    for (const part of parts) target = await target.getDirectoryHandle(part, { create: true });
    const handle = await target.getFileHandle(name, { create: true });
    const writable = await handle.createWritable();
    await writable.write(file.bytes as Uint8Array<ArrayBuffer>);
    await writable.close();
    done.files += 1;
    done.bytes += file.bytes.length;
    options.onProgress({ ...done });
  }
  return done;
}

/** The files as one blob: the file itself when it is the only one, else a ZIP of all. */
export async function packFiles(
  files: AsyncIterable<ExportedFile>,
  options: { onProgress: Report; signal: AbortSignal },
): Promise<{ blob: Blob; name: string | null; progress: ExportProgress }> {
  const done = { files: 0, bytes: 0 };
  const parts: BlobPart[] = [];
  let failure: Error | null = null;
  const zip = new Zip((error, chunk) => {
    if (error) failure = error;
    else parts.push(chunk as Uint8Array<ArrayBuffer>);
  });
  let only: ExportedFile | null = null;
  for await (const file of files) {
    options.signal.throwIfAborted();
    only = done.files === 0 ? file : null;
    // Stored, not deflated: Parquet is compressed already and text is for reading, not for size.
    const entry = new ZipPassThrough(file.path);
    zip.add(entry);
    entry.push(file.bytes, true);
    done.files += 1;
    done.bytes += file.bytes.length;
    options.onProgress({ ...done });
    if (failure) throw failure as Error;
  }
  if (only !== null) {
    const name = only.path.split("/").at(-1) ?? only.path;
    return { blob: new Blob([only.bytes as Uint8Array<ArrayBuffer>]), name, progress: done };
  }
  zip.end();
  return { blob: new Blob(parts, { type: "application/zip" }), name: null, progress: done };
}

/** Hands a blob to the browser's downloads. */
export function saveBlob(blob: Blob, name: string): void {
  const url = URL.createObjectURL(blob);
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/** A title as a file name that every system takes. */
export function safeFileName(title: string, extension: string): string {
  const base = title
    .normalize("NFC")
    .replace(/[\\/:*?"<>|\p{Cc}]+/gu, " ")
    .replace(/\s+/g, " ")
    .trim()
    .slice(0, 80)
    .replace(/[. ]+$/, "");
  return `${base === "" ? "memory" : base}.${extension}`;
}
