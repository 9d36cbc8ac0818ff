/** Writes memories out: the one entry of the three export formats (docs/guide/data-format.md). */

import { throwIfAborted } from "../../errors.ts";
import { exportJsonl, type JsonlEmbeddings } from "./jsonl.ts";
import { exportMarkdown } from "./markdown-export.ts";
import { exportParquet } from "./parquet-export.ts";
import type { PortableMemory } from "./portable-memory.ts";

export interface ExportOptions {
  /** JSONL: vectors as exact INT8 codes (default), as 384 numbers, or not at all. */
  embeddings?: JsonlEmbeddings;
  /** Throws `AbortError` between batches when it fires. */
  signal?: AbortSignal;
}

/** Files of bounded size, one at a time; paths are relative, "/"-separated and safe on every system. */
export async function* exportMemories(
  format: "parquet" | "jsonl" | "markdown",
  memories: AsyncIterable<readonly PortableMemory[]>,
  options: ExportOptions = {},
): AsyncGenerator<{ path: string; bytes: Uint8Array }> {
  const source = options.signal ? abortable(memories, options.signal) : memories;
  switch (format) {
    case "parquet":
      yield* exportParquet(source);
      break;
    case "jsonl":
      yield* exportJsonl(source, options.embeddings ?? "codes");
      break;
    case "markdown":
      yield* exportMarkdown(source);
      break;
  }
}

async function* abortable<T>(batches: AsyncIterable<T>, signal: AbortSignal): AsyncGenerator<T> {
  for await (const batch of batches) {
    throwIfAborted(signal);
    yield batch;
  }
}
