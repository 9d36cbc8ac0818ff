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
import { toFailure } from "../failure.ts";
import { parseJson, readJsonArray } from "../json-text.ts";
import {
  baseMetadata,
  timestampOf,
  type ParseContext,
  type ParsedEntry,
  type ParsedFailure,
  type SourceFile,
} from "../parsed-item.ts";
import { asUtf8 } from "../text-sections.ts";
import { chatGptMessages, isChatGptConversation } from "./chatgpt.ts";
import { claudeMessages, isClaudeConversation } from "./claude.ts";
import {
  findRecords,
  ownRecord,
  tooDeep,
  type JsonRecord,
  type ValuePlace,
} from "./json-records.ts";
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

/** Where a value was found and how what is in it is named. */
export interface ValueSource extends ValuePlace {
  locator: string;
  mediaType: string;
  /** Locator of a record at a JSON path inside the value. */
  locatorOf: (path: string) => string;
}

/**
 * Items of one value: a conversation of a known export, or whatever texts are in it.
 *
 * @param unread gets one failure when something lies too deep to be read
 */
export function* entriesOfValue(
  value: unknown,
  file: SourceFile,
  source: ValueSource,
  unread: ParsedFailure[],
): Generator<ParsedEntry> {
  const { locator, mediaType, locatorOf } = source;
  try {
    if (isClaudeConversation(value)) yield* claudeMessages(value, file, locator);
    else if (isChatGptConversation(value)) {
      let found = false;
      for (const message of chatGptMessages(value, file, locator)) {
        found = true;
        yield message;
      }
      // It only looked like a conversation when it says something itself.
      const own = found ? null : ownRecord(value, source);
      if (own) yield itemOfRecord(own, file, locator, mediaType);
    } else if (typeof value === "string") {
      if (value.trim() === "") return;
      const metadata = baseMetadata(file, "prose", mediaType);
      yield { text: value, ...timestampOf(file.lastModified), metadata, locator };
    } else {
      let deep: ParsedFailure | null = null;
      const onTooDeep = (path: string): void => {
        const at = locatorOf(path);
        deep ??= { locator: at, error: tooDeep(at) };
      };
      for (const record of findRecords(value, source, onTooDeep))
        yield itemOfRecord(record, file, locatorOf(record.path), mediaType);
      if (deep) unread.push(deep);
    }
  } catch (error) {
    yield toFailure(locator, error);
  }
}

function entriesOf(
  value: unknown,
  file: SourceFile,
  path: string,
  unread: ParsedFailure[],
): Generator<ParsedEntry> {
  const source = {
    file: file.path,
    path,
    locator: `${file.path}#${path}`,
    mediaType: "application/json",
    locatorOf: (inner: string) => `${file.path}#${inner || "0"}`,
    ...(path === "" ? {} : { position: Number(path) }),
  };
  return entriesOfValue(value, file, source, unread);
}

export function isConversation(value: unknown): boolean {
  return isChatGptConversation(value) || isClaudeConversation(value);
}

/** Where the list lies in an export whose top level is an object: `{"conversations": […]}`. */
function conversationsOf(value: unknown): unknown[] | null {
  if (Array.isArray(value)) return value;
  const inner = (value as { conversations?: unknown } | null)?.conversations;
  return Array.isArray(inner) && inner.some(isConversation) ? inner : null;
}

function* entriesOfDocument(
  value: unknown,
  file: SourceFile,
  unread: ParsedFailure[],
): Generator<ParsedEntry> {
  const list = conversationsOf(value);
  if (list)
    for (const [i, element] of list.entries()) yield* entriesOf(element, file, `${i + 1}`, unread);
  else yield* entriesOf(value, file, "", unread);
}

async function* parseElements(
  file: SourceFile,
  context: ParseContext,
  whole: AppError | null,
  unread: ParsedFailure[],
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
      yield* entriesOf(value, file, path, unread);
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
  const blob = await asUtf8(file.blob, file.path, context.signal);
  const sample = new TextDecoder().decode(await readBytes(blob, 0, Math.min(blob.size, 1024)));
  const isList = sample.trimStart().startsWith("[");
  let found = false;
  const unread: ParsedFailure[] = [];
  if (blob.size > MAX_WHOLE_BYTES) {
    if (!isList)
      throw new AppError("too_large", `${file.path} is one JSON object of ${blob.size} bytes.`, {
        hint: `JSON above ${MAX_WHOLE_BYTES / 1024 / 1024} MB must be a list, or JSONL with one object a line.`,
      });
    for await (const entry of parseElements({ ...file, blob }, context, null, unread)) {
      found = true;
      yield entry;
    }
  } else {
    let value: unknown;
    try {
      value = parseJson(new TextDecoder().decode(await readBytes(blob)), file.path);
    } catch (error) {
      if (!isList || !(error instanceof AppError)) throw error;
      yield* parseElements({ ...file, blob }, context, error, unread);
      yield* unread;
      return;
    }
    for (const entry of entriesOfDocument(value, file, unread)) {
      found = true;
      yield entry;
    }
  }
  // As data it is kept whole, with what lies too deep.
  if (found) yield* unread;
  else yield* parseData(file, context);
}
