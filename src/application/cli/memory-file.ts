/**
 * Between bytes on disk and `.llmc` files: a text compressed through the engine, or a stored memory
 * written out, with the envelope that brings back source bytes which are not plain UTF-8.
 */

import type { CompressedMemory, Engine, ReadResult } from "../../engine.ts";
import type { CompressOptions } from "../../engine.ts";
import { decodeContainer, encodeContainer } from "../../processing/compression/container.ts";
import { encodeResidual } from "../../processing/compression/residual.ts";
import { decodeEnvelope, encodeEnvelope } from "../../storage/envelope.ts";
import { decodeInput } from "./text-input.ts";

export { decodeContainer };

export interface PackedFile {
  bytes: Uint8Array;
  compressed: CompressedMemory;
}

/** Compresses the bytes of a text file; `name` stands in its errors. */
export async function packText(
  engine: Engine,
  source: Uint8Array,
  name: string,
  options: CompressOptions,
): Promise<PackedFile> {
  const { text, original } = decodeInput(source, name);
  const compressed = await engine.compress(text, options);
  // The original is the file as it was given, also where its text takes more or fewer bytes as UTF-8.
  const ratios = { ...compressed.ratios, originalBytes: source.length };
  const full = withEnvelope({ ...compressed, ratios }, text, original);
  return { bytes: await encodeContainer(full), compressed: full };
}

/** A stored memory as a `.llmc` file, at the level it is kept at. */
export async function packMemory(read: ReadResult): Promise<Uint8Array> {
  const { memory, ratios } = read;
  const exact = read.keep === "exact";
  const residual = exact ? (await encodeResidual(read.text.toWellFormed())).frame : null;
  const compressed: CompressedMemory = {
    version: 1,
    keep: exact ? "exact" : "summary",
    mode: memory.mode,
    model: memory.model,
    summary: memory.summary,
    entities: memory.entities,
    quality: memory.quality,
    residual,
    contentSha256: memory.contentSha256,
    ratios,
  };
  return encodeContainer(withEnvelope(compressed, read.text, read.original));
}

export interface UnpackedFile {
  compressed: CompressedMemory;
  text: string;
  /** The source's exact bytes at keep level `exact`, else the UTF-8 of the rebuilt text. */
  bytes: Uint8Array;
  reconstructed: boolean;
}

export async function unpackFile(engine: Engine, file: Uint8Array): Promise<UnpackedFile> {
  const compressed = await decodeContainer(file);
  const { text, reconstructed } = await engine.decompress(compressed);
  const restored = reconstructed ? {} : decodeEnvelope(text, compressed.envelope ?? null);
  return {
    compressed,
    text: restored.text ?? text,
    bytes: restored.original ?? new TextEncoder().encode(text),
    reconstructed,
  };
}

function withEnvelope(
  compressed: CompressedMemory,
  text: string,
  original: Uint8Array | undefined,
): CompressedMemory {
  const envelope = compressed.keep === "exact" ? encodeEnvelope(text, original) : null;
  return envelope === null ? compressed : { ...compressed, envelope };
}
