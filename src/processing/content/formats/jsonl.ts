/** JSON Lines: one record a line; a malformed line is one failure and the rest goes on. */

import { AppError } from "../../../errors.ts";
import { readByteLines } from "../blob-reader.ts";
import { toFailure } from "../failure.ts";
import { parseJson } from "../json-text.ts";
import {
  baseMetadata,
  timestampOf,
  type ParseContext,
  type ParsedEntry,
  type SourceFile,
} from "../parsed-item.ts";
import { chatGptMessages, isChatGptConversation } from "./chatgpt.ts";
import { claudeMessages, isClaudeConversation } from "./claude.ts";
import { findRecords } from "./json-records.ts";
import { itemOfRecord, MAX_WHOLE_BYTES } from "./json.ts";

const MEDIA_TYPE = "application/x-ndjson";

export async function* parseJsonLines(
  file: SourceFile,
  context: ParseContext,
): AsyncGenerator<ParsedEntry> {
  const decoder = new TextDecoder();
  let lineNumber = 0;
  for await (const { bytes, tooLong } of readByteLines(
    file.blob,
    MAX_WHOLE_BYTES,
    context.signal,
  )) {
    const locator = `${file.path}:${++lineNumber}`;
    try {
      if (tooLong)
        throw new AppError("too_large", `${locator} is longer than ${MAX_WHOLE_BYTES} bytes.`, {
          hint: "Split this record into smaller ones.",
        });
      const line = decoder.decode(bytes).trim();
      if (line === "") continue;
      const value = parseJson(line, locator, lineNumber);
      if (typeof value === "string" && value.trim() !== "") {
        yield {
          text: value,
          ...timestampOf(file.lastModified),
          metadata: baseMetadata(file, "prose", MEDIA_TYPE),
          locator,
        };
        continue;
      }
      if (isClaudeConversation(value)) {
        yield* claudeMessages(value, file, locator);
        continue;
      }
      if (isChatGptConversation(value)) {
        yield* chatGptMessages(value, file, locator);
        continue;
      }
      let index = 0;
      for (const record of findRecords(value)) {
        const one = record.path === "" ? locator : `${locator}#${record.path}`;
        yield itemOfRecord(record, file, one, MEDIA_TYPE);
        index++;
      }
      if (index === 0)
        // A record without a text field is still what its owner gave: keep the line.
        yield {
          text: line,
          ...timestampOf(file.lastModified),
          metadata: baseMetadata(file, "data", MEDIA_TYPE),
          locator,
        };
    } catch (error) {
      yield toFailure(locator, error);
    }
  }
}
