/** Server-sent events as the HTML standard defines them, read from a byte stream. */

import { readLines } from "./line-reader.ts";

export interface StreamEvent {
  /** Name of the event; "message" where none was given. */
  event: string;
  data: string;
}

/**
 * Events in order. Comments (keep-alive lines) and the fields `id` and `retry` are skipped. An event
 * that no empty line ends is dropped, as the standard says: the stream was cut inside of it.
 */
export async function* readServerSentEvents(
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<StreamEvent> {
  let event = "";
  let data: string[] = [];
  for await (const line of readLines(chunks)) {
    if (line === "") {
      if (data.length > 0) yield { event: event || "message", data: data.join("\n") };
      event = "";
      data = [];
      continue;
    }
    const colon = line.indexOf(":");
    if (colon === 0) continue;
    const field = colon === -1 ? line : line.slice(0, colon);
    const raw = colon === -1 ? "" : line.slice(colon + 1);
    const value = raw.startsWith(" ") ? raw.slice(1) : raw;
    if (field === "data") data.push(value);
    else if (field === "event") event = value;
  }
}
