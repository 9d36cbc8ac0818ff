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
  type ParsedFailure,
  type SourceFile,
} from "../parsed-item.ts";
import { asUtf8 } from "../text-sections.ts";
import { entriesOfValue, isConversation, MAX_WHOLE_BYTES } from "./json.ts";

const MEDIA_TYPE = "application/x-ndjson";

export async function* parseJsonLines(
  file: SourceFile,
  context: ParseContext,
): AsyncGenerator<ParsedEntry> {
  const blob = await asUtf8(file.blob, file.path, context.signal);
  const decoder = new TextDecoder();
  let lineNumber = 0;
  for await (const { bytes, tooLong } of readByteLines(blob, MAX_WHOLE_BYTES, context.signal)) {
    const locator = `${file.path}:${++lineNumber}`;
    try {
      if (tooLong)
        throw new AppError("too_large", `${locator} is longer than ${MAX_WHOLE_BYTES} bytes.`, {
          hint: "Split this record into smaller ones.",
        });
      const line = decoder.decode(bytes).trim();
      if (line === "") continue;
      const value = parseJson(line, locator, lineNumber);
      const source = {
        file: file.path,
        position: lineNumber,
        locator,
        mediaType: MEDIA_TYPE,
        locatorOf: (path: string) => (path === "" ? locator : `${locator}#${path}`),
      };
      let found = false;
      const unread: ParsedFailure[] = [];
      for (const entry of entriesOfValue(value, file, source, unread)) {
        found = true;
        yield entry;
      }
      if (found) yield* unread;
      // A record without a text field is still what its owner gave: keep the line.
      else if (!isConversation(value))
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
