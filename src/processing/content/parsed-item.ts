/** What parsers take and yield: the seam between file formats and the pipeline that stores items. */

import type { AppError } from "../../errors.ts";
import { META, type ContentKind } from "../../model/memory.ts";
import type { ThreadIndex } from "./formats/mail-thread.ts";

/** A file whose bytes are read in slices. */
export interface SourceFile {
  /** Path inside what was given; entries of archives continue it: "export.zip/conversations.json". */
  path: string;
  blob: Blob;
  /** ms since epoch. */
  lastModified?: number;
}

/** One text to remember, cut out of a file. */
export interface ParsedItem {
  text: string;
  /** The exact source bytes where they are not just the UTF-8 of `text`. */
  original?: Uint8Array;
  /** Event time, ms since epoch. */
  timestamp?: number;
  /** Well-known keys in `META`; others as the source names them. */
  metadata: Record<string, string>;
  /** Which item of which file: "inbox.mbox#12", "log.jsonl:7". */
  locator: string;
}

/** An item that could not be read; the rest of its file goes on. */
export interface ParsedFailure {
  locator: string;
  error: AppError;
}

export type ParsedEntry = ParsedItem | ParsedFailure;

export interface ParseContext {
  signal?: AbortSignal;
  /** Files and archive entries above this are refused; also caps what an archive may unpack to per entry. */
  maxFileBytes: number;
  /** Mail threads seen so far in this import. */
  threads: ThreadIndex;
}

export type FormatParser = (file: SourceFile, context: ParseContext) => AsyncGenerator<ParsedEntry>;

export function isFailure(entry: ParsedEntry): entry is ParsedFailure {
  return "error" in entry;
}

/** The metadata every item of a file starts from. */
export function baseMetadata(
  file: SourceFile,
  kind: ContentKind,
  mediaType: string,
): Record<string, string> {
  return { [META.source]: file.path, [META.kind]: kind, [META.mediaType]: mediaType };
}

/** `{ timestamp }` when known, so that it can be spread into an item. */
export function timestampOf(...candidates: (number | undefined | null)[]): { timestamp?: number } {
  for (const value of candidates)
    if (value !== undefined && value !== null && Number.isFinite(value))
      return { timestamp: value };
  return {};
}
