/**
 * Reads safetensors by range: the header once, then one tensor at a time, so that a model larger than
 * memory can be worked on. Format: 8 bytes little-endian header size, JSON header, data; offsets are
 * relative to the data and cover it without gaps (the safetensors format description, huggingface/safetensors).
 *
 * The header comes from strangers: every number in it is checked before it is used.
 */

import { z } from "zod";
import { AppError } from "../../errors.ts";
import type { ByteSource } from "./byte-source.ts";
import { decodeFloats, FLOAT_BYTES, isFloatDtype } from "./float-formats.ts";
import { elementCount, type TensorFile, type TensorInfo } from "./tensor-file.ts";

/** The format's own limit. */
const MAX_HEADER_BYTES = 100_000_000;
const MAX_TENSORS = 1_000_000;

const DTYPE_BITS: Readonly<Record<string, number>> = {
  BOOL: 8, U8: 8, I8: 8, F8_E4M3: 8, F8_E5M2: 8, I16: 16, U16: 16, F16: 16, BF16: 16,
  I32: 32, U32: 32, F32: 32, I64: 64, U64: 64, F64: 64, C64: 64,
}; // prettier-ignore

const entrySchema = z.object({
  dtype: z.string().max(32),
  shape: z.array(z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER)).max(16),
  data_offsets: z.tuple([z.number().int().nonnegative(), z.number().int().nonnegative()]),
});
const metadataSchema = z.record(z.string(), z.string());

interface Entry extends TensorInfo {
  /** From the start of the file. */
  offset: number;
}

/** Reads and checks the header. `corrupt_data` says what is wrong with it and where. */
export async function openSafetensors(source: ByteSource): Promise<TensorFile> {
  const header = await readHeader(source);
  const dataAt = 8 + header.sizeBytes;
  const { entries, metadata } = checkHeader(source, header.json, dataAt);
  return {
    format: "safetensors",
    name: source.name,
    sizeBytes: source.sizeBytes,
    tensors: entries,
    metadata,
    async readFloats(name, rows) {
      const entry = entries.get(name);
      if (entry === undefined)
        throw new AppError("not_found", `${source.name} has no tensor "${name}".`);
      return readEntry(source, entry, rows);
    },
  };
}

async function readHeader(source: ByteSource): Promise<{ json: unknown; sizeBytes: number }> {
  if (source.sizeBytes < 10)
    throw damaged(source, `it has ${source.sizeBytes} bytes, less than a header`);
  const head = await source.read(0, 8);
  const view = new DataView(head.buffer, head.byteOffset, 8);
  const sizeBytes = view.getUint32(0, true) + view.getUint32(4, true) * 2 ** 32;
  if (sizeBytes < 2 || sizeBytes > MAX_HEADER_BYTES || sizeBytes > source.sizeBytes - 8)
    throw damaged(
      source,
      `its header claims ${sizeBytes} bytes of a file of ${source.sizeBytes}`,
      "Is it a safetensors file? If so, it was cut: fetch it again.",
    );
  const bytes = await source.read(8, sizeBytes);
  try {
    return { json: JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)), sizeBytes };
  } catch (error) {
    throw damaged(source, "its header is not JSON", undefined, error);
  }
}

function checkHeader(
  source: ByteSource,
  json: unknown,
  dataAt: number,
): { entries: Map<string, Entry>; metadata: Record<string, string> } {
  if (typeof json !== "object" || json === null || Array.isArray(json))
    throw damaged(source, "its header is not an object");
  const all = Object.entries(json);
  if (all.length > MAX_TENSORS) throw damaged(source, `its header lists ${all.length} tensors`);
  let metadata: Record<string, string> = {};
  const entries = new Map<string, Entry>();
  for (const [name, value] of all) {
    if (name === "__metadata__") {
      const parsed = metadataSchema.safeParse(value);
      if (!parsed.success) throw damaged(source, "its metadata are not text");
      metadata = parsed.data;
    } else entries.set(name, checkEntry(source, name, value, dataAt));
  }
  checkCover(source, [...entries.values()], dataAt);
  return { entries, metadata };
}

function checkEntry(source: ByteSource, name: string, value: unknown, dataAt: number): Entry {
  const where = `tensor "${name.slice(0, 200)}"`;
  const parsed = entrySchema.safeParse(value);
  if (!parsed.success)
    throw damaged(source, `${where} is described by something else than type, shape and offsets`);
  const { dtype, shape, data_offsets: offsets } = parsed.data;
  const bits = Object.hasOwn(DTYPE_BITS, dtype) ? DTYPE_BITS[dtype] : undefined;
  if (bits === undefined)
    throw new AppError(
      "unsupported_input",
      `${source.name}: ${where} has the unknown type ${dtype}.`,
      {
        hint: `Known types: ${Object.keys(DTYPE_BITS).join(", ")}.`,
      },
    );
  const [begin, end] = offsets;
  const sizeBytes = (elementCount(shape) * bits) / 8;
  if (end < begin || dataAt + end > source.sizeBytes)
    throw damaged(
      source,
      `${where} lies at ${begin}–${end}, outside of its ${source.sizeBytes - dataAt} bytes of data`,
      "The file was cut: fetch it again.",
    );
  if (!Number.isSafeInteger(sizeBytes) || end - begin !== sizeBytes)
    throw damaged(
      source,
      `${where}, ${dtype} of [${shape.join(", ")}], needs ${sizeBytes} bytes; it has ${end - begin}`,
    );
  return { name, dtype, shape, sizeBytes, offset: dataAt + begin };
}

/** The format wants the data covered once: an overlap or a gap means that offsets lie. */
function checkCover(source: ByteSource, entries: Entry[], dataAt: number): void {
  let at = dataAt;
  for (const entry of entries.sort((a, b) => a.offset - b.offset || a.sizeBytes - b.sizeBytes)) {
    if (entry.offset !== at)
      throw damaged(
        source,
        `tensor "${entry.name.slice(0, 200)}" ${entry.offset < at ? "overlaps the one before it" : "leaves a gap before it"}`,
      );
    at += entry.sizeBytes;
  }
  if (at !== source.sizeBytes)
    throw damaged(source, `${source.sizeBytes - at} bytes behind its last tensor belong to none`);
}

async function readEntry(
  source: ByteSource,
  entry: Entry,
  rows: { firstRow: number; count: number } | undefined,
): Promise<Float32Array> {
  const { dtype, shape } = entry;
  if (!isFloatDtype(dtype))
    throw new AppError(
      "unsupported_input",
      `The tensor "${entry.name}" holds ${dtype}, no floats.`,
    );
  const rowValues = elementCount(shape.slice(1));
  const rowCount = shape.length === 0 ? 1 : shape[0]!;
  const { firstRow, count } = rows ?? { firstRow: 0, count: rowCount };
  if (firstRow < 0 || count < 0 || firstRow + count > rowCount)
    throw new RangeError(`Rows ${firstRow}–${firstRow + count} of ${rowCount}.`);
  const rowBytes = rowValues * FLOAT_BYTES[dtype];
  const bytes = await source.read(entry.offset + firstRow * rowBytes, count * rowBytes);
  if (bytes.length !== count * rowBytes)
    throw damaged(source, `tensor "${entry.name}" ends early`, "It changed while it was read.");
  return decodeFloats(bytes, dtype);
}

function damaged(source: ByteSource, what: string, hint?: string, cause?: unknown): AppError {
  return new AppError("corrupt_data", `${source.name} can't be read: ${what}.`, {
    hint: hint ?? "Fetch the file again, or check it with the tool that wrote it.",
    ...(cause === undefined ? {} : { cause }),
  });
}
