/**
 * JSONL exports: one JSON object per line and memory, every field. Vectors are INT8 codes in base64
 * with their scale (or plain numbers, or left out); other bytes are base64. `JSON.stringify` writes
 * lone surrogates as escapes, so any text survives.
 */

import { AppError } from "../../errors.ts";
import { dequantizeVector } from "../../model/vector.ts";
import { fromBase64, toBase64 } from "./base64.ts";
import {
  type ExportRecord,
  INTERCHANGE_VERSION,
  type PortableMemory,
  toRecord,
} from "./portable-memory.ts";

export type JsonlEmbeddings = "codes" | "floats" | "none";

const MAX_FILE_ROWS = 50_000;
const MAX_FILE_BYTES = 64 * 1024 * 1024;
/** A line is one memory: its text, escaped, with room for its vector. */
const MAX_LINE_BYTES = 256 * 1024 * 1024;

function toLine(memory: PortableMemory, embeddings: JsonlEmbeddings): string {
  const { embedding, envelope } = memory;
  const record: ExportRecord = {
    version: INTERCHANGE_VERSION,
    ...toRecord(memory),
    envelope: envelope && toBase64(envelope),
  };
  if (embeddings === "none") delete record["embedding"];
  else if (embedding)
    record["embedding"] =
      embeddings === "floats"
        ? Array.from(dequantizeVector(embedding))
        : {
            codes: toBase64(
              new Uint8Array(
                embedding.codes.buffer,
                embedding.codes.byteOffset,
                embedding.codes.length,
              ),
            ),
            scale: embedding.scale,
            ...(embedding.fine ? { fine: toBase64(embedding.fine) } : {}),
          };
  return JSON.stringify(record);
}

/** "memories-0001.jsonl", …: at most 50,000 lines, and no line is begun after 64 MB. */
export async function* exportJsonl(
  memories: AsyncIterable<readonly PortableMemory[]>,
  embeddings: JsonlEmbeddings,
): AsyncGenerator<{ path: string; bytes: Uint8Array }> {
  const encoder = new TextEncoder();
  let parts: Uint8Array[] = [];
  let size = 0;
  let count = 0;
  const finish = async () => {
    const path = `memories-${String(++count).padStart(4, "0")}.jsonl`;
    const blob = new Blob(parts as BlobPart[]);
    parts = [];
    size = 0;
    return { path, bytes: new Uint8Array(await blob.arrayBuffer()) };
  };
  for await (const batch of memories)
    for (const memory of batch) {
      const line = encoder.encode(`${toLine(memory, embeddings)}\n`);
      parts.push(line);
      size += line.length;
      if (parts.length >= MAX_FILE_ROWS || size > MAX_FILE_BYTES) yield await finish();
    }
  if (parts.length > 0 || count === 0) yield await finish();
}

/** The lines of a file with their numbers (from 1), read in slices; a BOM and empty lines are skipped. */
export async function* readLines(
  blob: Blob,
): AsyncGenerator<{ number: number; text: string } | { number: number; error: AppError }> {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  let number = 0;
  let pieces: Uint8Array[] = [];
  let size = 0;
  const take = (last: Uint8Array) => {
    number++;
    const line = new Uint8Array(size + last.length);
    let offset = 0;
    for (const piece of [...pieces, last]) {
      line.set(piece, offset);
      offset += piece.length;
    }
    pieces = [];
    size = 0;
    try {
      const text = decoder.decode(line);
      return { number, text: number === 1 ? text.replace(/^\ufeff/, "") : text };
    } catch (cause) {
      const error = new AppError("corrupt_data", `Line ${number} is not UTF-8.`, {
        hint: "Save the file as UTF-8, or take the line from another copy.",
        cause,
      });
      return { number, error };
    }
  };
  for await (const chunk of blob.stream() as unknown as AsyncIterable<Uint8Array>) {
    let start = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      const line = take(chunk.subarray(start, end));
      if ("error" in line || line.text.trim() !== "") yield line;
      start = end + 1;
    }
    if (start < chunk.length) {
      pieces.push(chunk.slice(start));
      size += chunk.length - start;
    }
    if (size > MAX_LINE_BYTES)
      throw new AppError("too_large", `Line ${number + 1} is longer than 256 MB.`, {
        hint: "An export has one memory per line; is this file an export?",
      });
  }
  if (size > 0) {
    const line = take(new Uint8Array());
    if ("error" in line || line.text.trim() !== "") yield line;
  }
}

function bytesField(value: unknown, where: string, field: string): unknown {
  if (typeof value !== "string") return value;
  try {
    return fromBase64(value);
  } catch (cause) {
    throw new AppError("invalid_input", `${where}: ${field} is not base64.`, {
      hint: "Correct the row, or leave it out.",
      cause,
    });
  }
}

/** The record of one line, bytes decoded. `invalid_input` when it isn't JSON, `unsupported_version` when newer. */
export function parseLine(text: string, where: string): ExportRecord {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new AppError("invalid_input", `${where} is not JSON: ${(cause as Error).message}`, {
      hint: "An export has one complete JSON object per line.",
      cause,
    });
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new AppError("invalid_input", `${where} is not a JSON object.`, {
      hint: "An export has one complete JSON object per line.",
    });
  const record = { ...(value as ExportRecord) };
  checkVersion(record["version"], where);
  record["envelope"] = bytesField(record["envelope"], where, "envelope");
  const { embedding } = record as { embedding?: { codes?: unknown; fine?: unknown } | null };
  if (embedding && !Array.isArray(embedding)) {
    const codes = bytesField(embedding.codes, where, "embedding.codes");
    record["embedding"] = {
      ...embedding,
      codes: codes instanceof Uint8Array ? new Int8Array(codes.buffer) : codes,
      ...(embedding.fine === undefined
        ? {}
        : { fine: bytesField(embedding.fine, where, "embedding.fine") }),
    };
  }
  return record;
}

export function checkVersion(version: unknown, where: string): void {
  if (version !== undefined && Number(version) > INTERCHANGE_VERSION)
    throw new AppError(
      "unsupported_version",
      `${where} was written in format version ${String(version)}; this program reads up to ${INTERCHANGE_VERSION}.`,
      { hint: "Update this program, then import again." },
    );
}
