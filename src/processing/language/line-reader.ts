/**
 * Cuts a byte stream into lines of text, whatever way the network cut it: a chunk may end inside of
 * a character or between CR and LF. Both stream formats (`sse.ts`, `ndjson.ts`) stand on it.
 */

import { AppError } from "../../errors.ts";

/** A line of a stream is one token or one event; longer than this it is not what we asked for. */
export const MAX_LINE_CHARS = 8 * 1024 * 1024;

/** Lines without their ends (LF, CRLF or CR); the last one also where no end follows, if it isn't empty. */
export async function* readLines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder(); // drops a byte order mark at the start
  let rest = "";
  /** The last chunk ended with a CR: an LF at the start of the next one belongs to it. */
  let afterReturn = false;

  function* cut(decoded: string): Generator<string> {
    const text = afterReturn && decoded.startsWith("\n") ? decoded.slice(1) : decoded;
    if (decoded !== "") afterReturn = decoded.endsWith("\r");
    let from = 0;
    for (const end of text.matchAll(/\r\n?|\n/g)) {
      yield rest + text.slice(from, end.index);
      rest = "";
      from = end.index + end[0].length;
    }
    rest += text.slice(from);
  }

  for await (const chunk of chunks) {
    yield* cut(decoder.decode(chunk, { stream: true }));
    if (rest.length > MAX_LINE_CHARS)
      throw new AppError(
        "model_failed",
        `A line of the answer's stream is longer than ${MAX_LINE_CHARS / 1024 / 1024} MB.`,
        { hint: "Check that the address is that of a language model's server." },
      );
  }
  yield* cut(decoder.decode());
  if (rest !== "") yield rest;
}
