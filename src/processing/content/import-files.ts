/**
 * The way in: files of any recognised format → a stream of items and per-item errors.
 *
 * Reads lazily (nothing is read before the consumer asks for it) and in slices; one bad file or item
 * never stops the rest. Archives are opened and their entries recognised again.
 *
 * Limits: `maxFileBytes` per file and per archive entry (default 4 GB); one JSON object, one element
 * of a JSON list and one JSON line 64 MB; one HTML page 64 MB; one mail `maxFileBytes`, at most 256 MB;
 * archives 100,000 entries, 8 GB and a ratio of 200 unpacked; archives inside archives three deep.
 */

import { AppError, throwIfAborted } from "../../errors.ts";
import { toFailure } from "./failure.ts";
import { readGzip, readZip, type ArchiveEntry } from "./formats/archive.ts";
import { detectChatPattern, parseChatLog } from "./formats/chat-log.ts";
import { parseHtml } from "./formats/html.ts";
import { parseJsonFile } from "./formats/json.ts";
import { parseJsonLines } from "./formats/jsonl.ts";
import { ThreadIndex } from "./formats/mail-thread.ts";
import { parseMail } from "./formats/mail.ts";
import { parseMarkdown } from "./formats/markdown.ts";
import { parseMbox } from "./formats/mbox.ts";
import { parseCode, parseData, parseLog, parseTable, parseText } from "./formats/plain.ts";
import {
  isFailure,
  type FormatParser,
  type ParseContext,
  type ParsedEntry,
  type ParsedItem,
  type SourceFile,
} from "./parsed-item.ts";
import { recognizeFile, type FileFormat, type Recognition } from "./recognize.ts";

export type { ParsedItem, SourceFile } from "./parsed-item.ts";

export const DEFAULT_MAX_FILE_BYTES = 4 * 1024 ** 3;
export const MAX_MAIL_BYTES = 256 * 1024 * 1024;
const MAX_ARCHIVE_DEPTH = 3;

export interface ParseOptions {
  signal?: AbortSignal;
  /** Files above this are refused. Default 4 GB. */
  maxFileBytes?: number;
}

/** What a file was recognised as; "unknown" when it could not be read. */
export interface ParsedFile {
  path: string;
  format: FileFormat | "unknown";
  sizeBytes: number;
}

/**
 * Every file gives one "file", then its items and errors, then one "file-end". The files inside an
 * archive come between its own "file" and "file-end" ("a.zip/b.txt").
 */
export type ParsedEvent =
  | { type: "file"; file: ParsedFile }
  | { type: "item"; item: ParsedItem }
  | { type: "error"; locator: string; error: AppError }
  | { type: "file-end"; path: string; items: number };

type ParserFormat = Exclude<FileFormat, "zip" | "gzip" | "chat">;

const PARSERS: Record<ParserFormat, FormatParser> = {
  mail: parseMail,
  mbox: parseMbox,
  "chatgpt-export": parseJsonFile,
  "claude-export": parseJsonFile,
  "llm-compression-export": parseJsonLines,
  json: parseJsonFile,
  jsonl: parseJsonLines,
  markdown: parseMarkdown,
  html: parseHtml,
  table: parseTable,
  data: parseData,
  code: parseCode,
  log: parseLog,
  text: parseText,
};

function entriesOf(
  file: SourceFile,
  found: Recognition,
  context: ParseContext,
): AsyncGenerator<ParsedEntry> {
  if (found.format === "chat") {
    const pattern = detectChatPattern(found.sampleLines);
    return pattern ? parseChatLog(file, context, pattern) : parseText(file, context);
  }
  if (found.format === "mail" || found.format === "mbox")
    return PARSERS[found.format](file, {
      ...context,
      maxFileBytes: Math.min(context.maxFileBytes, MAX_MAIL_BYTES),
    });
  return PARSERS[found.format as ParserFormat](file, context);
}

async function* archiveEntries(
  file: SourceFile,
  format: "zip" | "gzip",
  context: ParseContext,
): AsyncGenerator<ArchiveEntry> {
  if (format === "zip") yield* readZip(file, context);
  else yield await readGzip(file, context);
}

function checkSize(file: SourceFile, limit: number): void {
  if (file.blob.size === 0)
    throw new AppError("invalid_input", `${file.path} is empty.`, {
      hint: "There is nothing to remember in it; leave it out.",
    });
  if (file.blob.size > limit)
    throw new AppError(
      "too_large",
      `${file.path} has ${file.blob.size} bytes; the limit is ${limit}.`,
      {
        hint: "Split the file and add the parts.",
      },
    );
}

async function* parseFile(
  file: SourceFile,
  context: ParseContext,
  depth: number,
): AsyncGenerator<ParsedEvent> {
  let announced = false;
  let items = 0;
  const announce = (format: FileFormat | "unknown"): ParsedEvent => {
    announced = true;
    return { type: "file", file: { path: file.path, format, sizeBytes: file.blob.size } };
  };
  try {
    checkSize(file, context.maxFileBytes);
    const found = await recognizeFile(file);
    yield announce(found.format);
    if (found.format === "zip" || found.format === "gzip") {
      if (depth >= MAX_ARCHIVE_DEPTH)
        throw new AppError(
          "unsupported_input",
          `${file.path} is an archive inside ${depth} others.`,
          {
            hint: "Unpack it yourself and add its files.",
          },
        );
      for await (const entry of archiveEntries(file, found.format, context)) {
        if ("error" in entry) {
          yield { type: "error", ...entry };
          continue;
        }
        for await (const event of parseFile(entry, context, depth + 1)) {
          if (event.type === "item") items++;
          yield event;
        }
      }
    } else {
      if (found.format === "mail") checkSize(file, MAX_MAIL_BYTES);
      for await (const entry of entriesOf(file, found, context)) {
        throwIfAborted(context.signal);
        if (isFailure(entry)) yield { type: "error", ...entry };
        else {
          items++;
          yield { type: "item", item: entry };
        }
      }
    }
  } catch (error) {
    const failure = toFailure(file.path, error);
    if (!announced) yield announce("unknown");
    yield { type: "error", ...failure };
  }
  yield { type: "file-end", path: file.path, items };
}

/**
 * Parses files one after the other.
 *
 * @throws `AbortError` when the signal fires; every other problem is an "error" event
 */
export async function* parseFiles(
  files: AsyncIterable<SourceFile> | Iterable<SourceFile>,
  options: ParseOptions = {},
): AsyncGenerator<ParsedEvent> {
  const context: ParseContext = {
    maxFileBytes: options.maxFileBytes ?? DEFAULT_MAX_FILE_BYTES,
    threads: new ThreadIndex(),
    ...(options.signal ? { signal: options.signal } : {}),
  };
  for await (const file of files) {
    throwIfAborted(options.signal);
    yield* parseFile(file, context, 0);
  }
}
