/**
 * JSON files: ChatGPT and Claude exports, and any JSON with texts in it. A JSON file without texts is
 * kept as data, in sections.
 *
 * Up to `MAX_WHOLE_BYTES` a file is parsed at once; a longer one must be a list, which is read element
 * by element. When a file is malformed, the elements before the damage are still read.
 */

import { AppError } from "../../../errors.ts";
import { META } from "../../../model/memory.ts";
import { readBytes } from "../blob-reader.ts";
import { kindOfSpoken } from "../content-kind.ts";
import { decodeText } from "../decoding.ts";
import { toFailure } from "../failure.ts";
import { parseJson, readJsonArray } from "../json-text.ts";
import {
  baseMetadata,
  timestampOf,
  type ParseContext,
  type ParsedEntry,
  type SourceFile,
} from "../parsed-item.ts";
import { chatGptMessages, isChatGptConversation } from "./chatgpt.ts";
import { claudeMessages, isClaudeConversation } from "./claude.ts";
import { findRecords, type JsonRecord } from "./json-records.ts";
import { parseData } from "./plain.ts";

/** Largest file that is parsed as one value, and largest element of a longer list. */
export const MAX_WHOLE_BYTES = 64 * 1024 * 1024;

/** An item from a record of no known export. */
export function itemOfRecord(
  record: JsonRecord,
  file: SourceFile,
  locator: string,
  mediaType: string,
): ParsedEntry {
  const speaker = record.metadata[META.speaker];
  const kind = speaker === undefined ? "prose" : kindOfSpoken(record.text, speaker);
  const given = record.metadata[META.source];
  const metadata = { ...baseMetadata(file, kind, mediaType), ...record.metadata };
  if (given === undefined) metadata[META.source] = file.path;
  // `kind` is ours to say, unless the source says it in our own words.
  if (!record.metadata[META.kind]) metadata[META.kind] = kind;
  return {
    text: record.text,
    ...timestampOf(record.timestamp, file.lastModified),
    metadata,
    locator,
  };
}

/** Items of one value: a conversation of a known export, or whatever texts are in it. */
function* entriesOf(value: unknown, file: SourceFile, path: string): Generator<ParsedEntry> {
  const locator = `${file.path}#${path}`;
  try {
    if (isClaudeConversation(value)) yield* claudeMessages(value, file, locator);
    else if (isChatGptConversation(value)) yield* chatGptMessages(value, file, locator);
    else if (typeof value === "string") {
      if (value.trim() === "") return;
      const metadata = baseMetadata(file, "prose", "application/json");
      yield { text: value, ...timestampOf(file.lastModified), metadata, locator };
    } else
      for (const record of findRecords(value, path))
        yield itemOfRecord(record, file, `${file.path}#${record.path || "0"}`, "application/json");
  } catch (error) {
    yield toFailure(locator, error);
  }
}

/** Where the list lies in an export whose top level is an object: `{"conversations": […]}`. */
function conversationsOf(value: unknown): unknown[] | null {
  if (Array.isArray(value)) return value;
  const inner = (value as { conversations?: unknown } | null)?.conversations;
  return Array.isArray(inner) &&
    inner.some((one) => isChatGptConversation(one) || isClaudeConversation(one))
    ? inner
    : null;
}

function* entriesOfDocument(value: unknown, file: SourceFile): Generator<ParsedEntry> {
  const list = conversationsOf(value);
  if (list) for (const [i, element] of list.entries()) yield* entriesOf(element, file, `${i + 1}`);
  else yield* entriesOf(value, file, "");
}

async function* parseElements(
  file: SourceFile,
  context: ParseContext,
  whole: AppError | null,
): AsyncGenerator<ParsedEntry> {
  let failed = false;
  try {
    for await (const { index, text, line, column } of readJsonArray(
      file.blob,
      file.path,
      MAX_WHOLE_BYTES,
      context.signal,
    )) {
      const path = `${index + 1}`;
      let value: unknown;
      try {
        value = parseJson(text, `${file.path}#${path}`, line, column);
      } catch (error) {
        failed = true;
        yield toFailure(`${file.path}#${path}`, error);
        continue;
      }
      yield* entriesOf(value, file, path);
    }
  } catch (error) {
    failed = true;
    yield toFailure(file.path, whole ?? error);
  }
  // Damage between the elements, which none of them shows.
  if (whole && !failed) yield toFailure(file.path, whole);
}

/** A JSON file of any shape. */
export async function* parseJsonFile(
  file: SourceFile,
  context: ParseContext,
): AsyncGenerator<ParsedEntry> {
  const sample = new TextDecoder().decode(
    await readBytes(file.blob, 0, Math.min(file.blob.size, 1024)),
  );
  const isList = sample
    .replace(/^\ufeff/, "")
    .trimStart()
    .startsWith("[");
  let found = false;
  if (file.blob.size > MAX_WHOLE_BYTES) {
    if (!isList)
      throw new AppError(
        "too_large",
        `${file.path} is one JSON object of ${file.blob.size} bytes.`,
        {
          hint: `JSON above ${MAX_WHOLE_BYTES / 1024 / 1024} MB must be a list, or JSONL with one object a line.`,
        },
      );
    for await (const entry of parseElements(file, context, null)) {
      found = true;
      yield entry;
    }
  } else {
    const { text } = decodeText(await readBytes(file.blob), { name: file.path });
    let value: unknown;
    try {
      value = parseJson(text, file.path);
    } catch (error) {
      if (!isList || !(error instanceof AppError)) throw error;
      yield* parseElements(file, context, error);
      return;
    }
    for (const entry of entriesOfDocument(value, file)) {
      found = true;
      yield entry;
    }
  }
  if (!found) yield* parseData(file, context);
}
