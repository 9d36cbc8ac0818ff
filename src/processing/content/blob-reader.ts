/** Reads a Blob in slices, so that no file has to fit in memory. */

import { throwIfAborted } from "../../errors.ts";
import { SAMPLE_BYTES } from "./decoding.ts";

/** Size of one read; large enough that per-slice costs vanish, small enough for a phone. */
export const SLICE_BYTES = 4 * 1024 * 1024;

/** Small files are read once: recognising and parsing look at the same bytes. */
const smallFiles = new WeakMap<Blob, Uint8Array>();

/** Bytes `[start, end)`; not to be written to. */
export async function readBytes(blob: Blob, start = 0, end = blob.size): Promise<Uint8Array> {
  if (blob.size > SAMPLE_BYTES) return new Uint8Array(await blob.slice(start, end).arrayBuffer());
  let whole = smallFiles.get(blob);
  if (!whole) {
    whole = new Uint8Array(await blob.arrayBuffer());
    smallFiles.set(blob, whole);
  }
  return start === 0 && end >= whole.length ? whole : whole.subarray(start, end);
}

export function readSample(blob: Blob): Promise<Uint8Array> {
  return readBytes(blob, 0, Math.min(blob.size, SAMPLE_BYTES));
}

export async function* readSlices(blob: Blob, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < blob.size; at += SLICE_BYTES) {
    throwIfAborted(signal);
    yield await readBytes(blob, at, Math.min(blob.size, at + SLICE_BYTES));
  }
}

export function concatBytes(parts: readonly Uint8Array[]): Uint8Array {
  if (parts.length === 1) return parts[0]!;
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** A line of bytes with its line break; `tooLong` lines come without content, so that the rest goes on. */
export interface ByteLine {
  bytes: Uint8Array;
  /** Offset of its first byte in the file. */
  start: number;
  tooLong: boolean;
}

/** The lines of a file, each up to `maxLineBytes`; cut only after "\n". */
export async function* readByteLines(
  blob: Blob,
  maxLineBytes: number,
  signal?: AbortSignal,
): AsyncGenerator<ByteLine> {
  let parts: Uint8Array[] = [];
  let held = 0;
  let start = 0;
  let position = 0;
  for await (const slice of readSlices(blob, signal)) {
    let from = 0;
    for (;;) {
      const at = slice.indexOf(10, from);
      const end = at < 0 ? slice.length : at + 1;
      const length = held + (end - from);
      if (length <= maxLineBytes) parts.push(slice.subarray(from, end));
      else parts = [];
      held = length;
      if (at < 0) break;
      const tooLong = held > maxLineBytes;
      yield { bytes: tooLong ? new Uint8Array() : concatBytes(parts), start, tooLong };
      parts = [];
      held = 0;
      start = position + end;
      from = end;
    }
    position += slice.length;
  }
  if (held > 0) {
    const tooLong = held > maxLineBytes;
    yield { bytes: tooLong ? new Uint8Array() : concatBytes(parts), start, tooLong };
  }
}
