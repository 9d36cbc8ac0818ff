/** JSON documents one a line, as Ollama streams them; handed out in the shape of an event. */

import { readLines } from "./line-reader.ts";
import type { StreamEvent } from "./sse.ts";

export async function* readJsonLines(
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<StreamEvent> {
  for await (const line of readLines(chunks))
    if (line.trim() !== "") yield { event: "message", data: line };
}
