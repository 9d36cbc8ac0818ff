/**
 * ZIP archives and gzip files: yields what is inside as files to be recognised again.
 *
 * Guarded against archive bombs: number of entries, bytes per entry, bytes in all and the ratio of
 * unpacked to packed bytes are limited, and counted while inflating, not taken from the header. A
 * truncated archive gives the entries that are whole, then an error.
 */

import { Gunzip, Inflate, Unzip, UnzipInflate } from "fflate";
import { AppError, isAbortError, throwIfAborted } from "../../../errors.ts";
import { readSlices } from "../blob-reader.ts";
import { crc32 } from "../crc32.ts";
import { toFailure } from "../failure.ts";
import type { ParseContext, ParsedFailure, SourceFile } from "../parsed-item.ts";
import { dataOffset, readZipDirectory, type ZipEntry } from "./zip-directory.ts";

/** Most entries of one archive. */
export const MAX_ARCHIVE_ENTRIES = 100_000;
/** Most bytes that one archive may unpack to. */
export const MAX_ARCHIVE_BYTES = 8 * 1024 ** 3;
/** DEFLATE can't do better than about 1032:1; text stays far below this. */
export const MAX_ARCHIVE_RATIO = 200;
/** Below this an entry of any ratio is harmless. */
const FREE_BYTES = 8 * 1024 * 1024;

export type ArchiveEntry = SourceFile | ParsedFailure;

const part = (bytes: Uint8Array): BlobPart => bytes.slice() as Uint8Array<ArrayBuffer>;

/** Counts what comes out of an archive and refuses a bomb. */
class Budget {
  #total = 0;

  check(
    name: string,
    entryBytes: number,
    packedBytes: number,
    added: number,
    maxEntryBytes: number,
  ): void {
    this.#total += added;
    if (entryBytes > maxEntryBytes)
      throw new AppError("too_large", `${name} unpacks to more than ${maxEntryBytes} bytes.`, {
        hint: "Unpack the archive yourself and add its files in smaller pieces.",
      });
    if (entryBytes > FREE_BYTES && entryBytes > packedBytes * MAX_ARCHIVE_RATIO)
      throw new AppError(
        "too_large",
        `${name} unpacks to more than ${MAX_ARCHIVE_RATIO} times its size.`,
        {
          hint: "This looks like an archive bomb. If it isn't, unpack it yourself and add its files.",
        },
      );
    if (this.#total > MAX_ARCHIVE_BYTES)
      throw new AppError(
        "too_large",
        `The archive unpacks to more than ${MAX_ARCHIVE_BYTES} bytes.`,
        {
          hint: "Unpack it yourself and add its files in smaller pieces.",
        },
      );
  }
}

function truncated(name: string, cause?: unknown): AppError {
  return new AppError("corrupt_data", `${name} is cut off or damaged.`, {
    hint: "What could be read was added. Download or export the archive again for the rest.",
    cause,
  });
}

function isIgnored(name: string): boolean {
  return (
    name.endsWith("/") ||
    /(?:^|\/)(?:__MACOSX\/|\.DS_Store$|\._|Thumbs\.db$|desktop\.ini$)/.test(name)
  );
}

/** Entry names are untrusted: no drive, no root, no way up. */
function safeName(name: string): string {
  const steps = name.replaceAll("\\", "/").replaceAll("\0", "").split("/");
  return (
    steps.filter((step) => step !== "" && step !== "." && step !== "..").join("/") || "unnamed"
  );
}

async function unpackEntry(
  archive: SourceFile,
  entry: ZipEntry,
  path: string,
  budget: Budget,
  context: ParseContext,
): Promise<Blob> {
  if (entry.encrypted)
    throw new AppError("unsupported_input", `${path} is encrypted.`, {
      hint: "Unpack the archive with its password and add the files.",
    });
  if (entry.method !== 0 && entry.method !== 8)
    throw new AppError("unsupported_input", `${path} uses compression method ${entry.method}.`, {
      hint: "Unpack the archive and add the files; only stored and deflated entries are read.",
    });
  const start = await dataOffset(archive.blob, entry);
  if (start === null || start + entry.compressedBytes > archive.blob.size) throw truncated(path);
  const packed = archive.blob.slice(start, start + entry.compressedBytes);
  const parts: BlobPart[] = [];
  let bytes = 0;
  let crc = 0;
  const take = (chunk: Uint8Array): void => {
    bytes += chunk.length;
    budget.check(path, bytes, entry.compressedBytes, chunk.length, context.maxFileBytes);
    crc = crc32(chunk, crc);
    parts.push(part(chunk));
  };
  if (entry.method === 0) for await (const slice of readSlices(packed, context.signal)) take(slice);
  else {
    let ended = false;
    const inflate = new Inflate((chunk, final) => {
      take(chunk);
      ended = final;
    });
    try {
      // Small pieces, so that the budget is checked long before a bomb has grown.
      for await (const slice of readSlices(packed, context.signal))
        for (let at = 0; at < slice.length; at += 65_536)
          inflate.push(slice.subarray(at, at + 65_536), false);
      inflate.push(new Uint8Array(), true);
    } catch (error) {
      if (error instanceof AppError || isAbortError(error)) throw error;
      throw truncated(path, error);
    }
    if (!ended) throw truncated(path);
  }
  if (crc !== entry.crc)
    throw new AppError("corrupt_data", `${path} doesn't match its checksum.`, {
      hint: "The archive is damaged; download or export it again.",
    });
  return new Blob(parts);
}

/** Reads entry after entry from the start; for archives that lost their directory. */
async function* salvage(archive: SourceFile, context: ParseContext): AsyncGenerator<ArchiveEntry> {
  const done: ArchiveEntry[] = [];
  const budget = new Budget();
  let open: string | null = null;
  let found = 0;
  const unzip = new Unzip((stream) => {
    if (++found > MAX_ARCHIVE_ENTRIES) return;
    const path = `${archive.path}/${safeName(stream.name)}`;
    const ignored = isIgnored(stream.name);
    const parts: BlobPart[] = [];
    let bytes = 0;
    let dropped = false;
    open = path;
    stream.ondata = (error, chunk, final) => {
      if (dropped) return;
      try {
        if (error) throw truncated(path, error);
        bytes += chunk.length;
        budget.check(
          path,
          bytes,
          stream.size ?? archive.blob.size,
          chunk.length,
          context.maxFileBytes,
        );
        if (!ignored) parts.push(part(chunk));
      } catch (failure) {
        dropped = true;
        done.push(toFailure(path, failure));
      }
      if (!final) return;
      open = null;
      if (!dropped && !ignored) done.push({ path, blob: new Blob(parts) });
    };
    try {
      stream.start();
    } catch (error) {
      dropped = true;
      done.push(toFailure(path, error));
    }
  });
  unzip.register(UnzipInflate);
  try {
    for await (const slice of readSlices(archive.blob, context.signal))
      for (let at = 0; at < slice.length; at += 65_536) {
        unzip.push(slice.subarray(at, at + 65_536), false);
        yield* done.splice(0);
      }
  } catch (error) {
    if (isAbortError(error)) throw error;
  }
  yield* done.splice(0);
  yield { locator: open ?? archive.path, error: truncated(open ?? archive.path) };
}

/** The files of a ZIP archive, unpacked one at a time; unreadable ones as failures. */
export async function* readZip(
  archive: SourceFile,
  context: ParseContext,
): AsyncGenerator<ArchiveEntry> {
  const entries = await readZipDirectory(archive.blob);
  if (!entries) {
    yield* salvage(archive, context);
    return;
  }
  if (entries.length > MAX_ARCHIVE_ENTRIES)
    throw new AppError("too_large", `${archive.path} holds ${entries.length} files.`, {
      hint: `Archives of up to ${MAX_ARCHIVE_ENTRIES} files are read; split it.`,
    });
  const names = entries.map((entry) => entry.name);
  if (names.includes("[Content_Types].xml") || names.includes("META-INF/manifest.xml"))
    throw new AppError("unsupported_input", `${archive.path} is an Office document, not text.`, {
      hint: "Save it as text, Markdown or HTML in its program, then add that file.",
    });
  const budget = new Budget();
  const companions = exportCompanions(names);
  for (const entry of entries) {
    throwIfAborted(context.signal);
    if (isIgnored(entry.name) || companions.has(entry.name)) continue;
    const path = `${archive.path}/${safeName(entry.name)}`;
    try {
      const blob = await unpackEntry(archive, entry, path, budget, context);
      const modified = entry.modified ?? archive.lastModified;
      yield { path, blob, ...(modified === undefined ? {} : { lastModified: modified }) };
    } catch (error) {
      yield toFailure(path, error);
    }
  }
}

/** What lies beside the conversations of a ChatGPT or Claude export and only repeats or accompanies them. */
const COMPANION =
  /^(?:chat\.html|(?:users?|user_settings|message_feedback|shared_conversations|model_comparisons|group_chats|shopping|sora|export_manifest)\.json)$/;
const MEDIA =
  /\.(?:png|jpe?g|gif|webp|heic|avif|bmp|svg|wav|mp3|m4a|ogg|opus|flac|mp4|mov|webm|dat)$/i;
/** Folders in which an export keeps its pictures and recordings. */
const MEDIA_FOLDER =
  /^(?:dalle-generations|user-[\w-]+|[\da-f-]{36}(?:\/(?:audio|video))?|audio)$/i;

/**
 * Files of a chat export that repeat or only accompany its conversations: `chat.html`, account data,
 * pictures. Without them the archive would be added twice and fill with errors. Only what lies where
 * the conversations lie is theirs; the archive may hold much else.
 */
function exportCompanions(names: readonly string[]): Set<string> {
  const folders = new Set<string>();
  for (const name of names) {
    const folder = /^(.*\/)?conversations(?:-\d+)?\.json$/.exec(name);
    if (folder) folders.add(folder[1] ?? "");
  }
  const isCompanion = (name: string): boolean => {
    for (const folder of folders) {
      if (!name.startsWith(folder)) continue;
      const inner = name.slice(folder.length);
      const slash = inner.lastIndexOf("/");
      if (slash < 0 && COMPANION.test(inner)) return true;
      if (MEDIA.test(inner) && (slash < 0 || MEDIA_FOLDER.test(inner.slice(0, slash)))) return true;
    }
    return false;
  };
  return folders.size === 0 ? new Set() : new Set(names.filter(isCompanion));
}

/** The one file inside a gzip file. */
export async function readGzip(archive: SourceFile, context: ParseContext): Promise<SourceFile> {
  const path = archive.path.replace(/\.tgz$/i, ".tar").replace(/\.gz$/i, "");
  const name = path === archive.path ? `${path}/content` : path;
  const budget = new Budget();
  const parts: BlobPart[] = [];
  let bytes = 0;
  let ended = false;
  const gunzip = new Gunzip((chunk, final) => {
    bytes += chunk.length;
    budget.check(archive.path, bytes, archive.blob.size, chunk.length, context.maxFileBytes);
    parts.push(part(chunk));
    ended = final;
  });
  try {
    for await (const slice of readSlices(archive.blob, context.signal))
      for (let at = 0; at < slice.length; at += 65_536)
        gunzip.push(slice.subarray(at, at + 65_536), false);
    gunzip.push(new Uint8Array(), true);
  } catch (error) {
    if (error instanceof AppError || isAbortError(error)) throw error;
    throw truncated(archive.path, error);
  }
  if (!ended) throw truncated(archive.path);
  const { lastModified } = archive;
  return {
    path: name,
    blob: new Blob(parts),
    ...(lastModified === undefined ? {} : { lastModified }),
  };
}
