/**
 * The `.llmc` file: one compressed text with everything needed to restore and judge it.
 *
 * Byte by byte in docs/guide/file-format.md. Deterministic: the same memory gives the same bytes.
 * The ratios are not written: they follow from the file's own length.
 */

import { AppError } from "../../errors.ts";
import type { CompressedMemory } from "../../model/compressed-memory.ts";
import { ENTITY_TYPES, type Entity, type QualityVector } from "../../model/memory.ts";
import { ByteReader, ByteWriter, crc32c } from "../../storage/bytes.ts";
import { loadZstd, readFrameSize } from "../../storage/zstd.ts";
import { singleTextRatios } from "./ratios.ts";
import { DEFAULT_MAX_TEXT_BYTES, encodeText, RESIDUAL_LEVEL } from "./residual.ts";
import { EXTRACTIVE, VERBATIM } from "./summary.ts";

const MAGIC = [0x4c, 0x4c, 0x4d, 0x43]; // "LLMC"
export const CONTAINER_VERSION = 1;
const MODES = ["fast", "balanced", "high"] as const;
/** What summary, entities and reasons together may decode to. */
const MAX_DESCRIPTION_BYTES = 64 * 1024 * 1024;
/** Magic, version, flags, hash, shortest body, checksum. */
const MIN_BYTES = 4 + 1 + 1 + 32 + 3 + 4;

const FLAG_EXACT = 1;
const FLAG_PERFECT = 2; // every quality value is 1
const FLAG_PACKED = 4; // the description is a ZSTD frame
const FLAG_ENVELOPE = 32; // an envelope follows the residual
const MODE_SHIFT = 3; // bits 3–4
const FLAG_KNOWN = 0b111111;
/** Models named by one byte; 0 is followed by a name. */
const KNOWN_MODELS: readonly string[] = [VERBATIM, EXTRACTIVE];

function damaged(what: string, cause?: unknown): AppError {
  return new AppError("corrupt_data", `This is not a whole .llmc file: ${what}.`, {
    hint: "It was cut off or changed; get it again from where it came from.",
    cause,
  });
}

function hexToBytes(hex: string): Uint8Array {
  if (!/^[0-9a-f]{64}$/.test(hex))
    throw new AppError("invalid_input", "contentSha256 must be 64 lower-case hex digits.");
  return Uint8Array.from(hex.match(/../g)!, (pair) => Number.parseInt(pair, 16));
}

function writeString(writer: ByteWriter, text: string): void {
  const bytes = encodeText(text);
  writer.varint(bytes.length).bytes(bytes);
}

function readString(reader: ByteReader): string {
  try {
    const bytes = reader.bytes(reader.varint());
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    if (error instanceof TypeError) throw reader.fail("it holds text that is not UTF-8");
    throw error;
  }
}

function expectEnd(reader: ByteReader): void {
  if (reader.remaining > 0) throw reader.fail("there are bytes after its end");
}

const QUALITY_KEYS = [
  "similarity",
  "coverage",
  "entityRecall",
  "numberRecall",
  "faithfulness",
] as const;
const QUALITY_STEPS = 10_000;
const QUALITY_NULL = 0xffff;

function writeQuality(writer: ByteWriter, quality: QualityVector): void {
  for (const key of QUALITY_KEYS) {
    const value = quality[key];
    if (value !== null && !(value >= 0 && value <= 1))
      throw new AppError("invalid_input", `quality.${key} is ${value}; it must be from 0 to 1.`);
    writer.u16(value === null ? QUALITY_NULL : Math.round(value * QUALITY_STEPS));
  }
}

function readQuality(reader: ByteReader): QualityVector {
  const values = QUALITY_KEYS.map((key) => {
    const value = reader.u16();
    if (value === QUALITY_NULL && (key === "similarity" || key === "coverage")) return null;
    if (value > QUALITY_STEPS) throw damaged(`its quality.${key} is out of range`);
    return value / QUALITY_STEPS;
  });
  const [similarity, coverage, entityRecall, numberRecall, faithfulness] = values;
  return {
    similarity: similarity!,
    coverage: coverage!,
    entityRecall: entityRecall!,
    numberRecall: numberRecall!,
    faithfulness: faithfulness!,
  };
}

/** Summary first: it is the best context for the words of the entities after it. */
function describe(compressed: CompressedMemory): Uint8Array {
  const writer = new ByteWriter();
  writeString(writer, compressed.summary);
  const known = KNOWN_MODELS.indexOf(compressed.model) + 1;
  writer.u8(known);
  if (known === 0) writeString(writer, compressed.model);
  writeString(writer, compressed.keepReason ?? "");
  writer.varint(compressed.entities.length);
  for (const { text, type, confidence } of compressed.entities) {
    writeString(writer, text);
    writer.u8(ENTITY_TYPES.indexOf(type));
    writer.u8(Math.round(Math.max(0, Math.min(1, confidence)) * 100));
  }
  return writer.finish();
}

function readDescription(
  bytes: Uint8Array,
): Pick<CompressedMemory, "summary" | "model" | "entities" | "keepReason"> {
  const reader = new ByteReader(bytes, "description in the .llmc file");
  const summary = readString(reader);
  const known = reader.u8();
  const model = known === 0 ? readString(reader) : KNOWN_MODELS[known - 1];
  if (model === undefined) throw damaged("it names an unknown model");
  const keepReason = readString(reader);
  const count = reader.varint();
  const entities: Entity[] = [];
  for (let i = 0; i < count; i++) {
    const text = readString(reader);
    const type = ENTITY_TYPES[reader.u8()];
    const percent = reader.u8();
    if (type === undefined || percent > 100)
      throw damaged("an entity has an unknown type or confidence");
    entities.push({ text, type, confidence: percent / 100 });
  }
  expectEnd(reader);
  return { summary, model, entities, ...(keepReason !== "" && { keepReason }) };
}

function isPerfect(quality: QualityVector): boolean {
  return QUALITY_KEYS.every((key) => quality[key] === 1);
}

/** The dictionary of the description: the exact text, of which summary and entities are made. */
async function descriptionDictionary(
  residual: Uint8Array | null,
  maxBytes: number,
): Promise<Uint8Array | undefined> {
  if (!residual) return undefined;
  const text = (await loadZstd()).decompress(residual, { maxBytes });
  // ZSTD wants 8 bytes at least; far more would only slow it.
  return text.length < 8 ? undefined : text.subarray(0, 1 << 20);
}

/** Writes a `.llmc` file. `invalid_input` for a memory that breaks its own type. */
export async function encodeContainer(compressed: CompressedMemory): Promise<Uint8Array> {
  const mode = MODES.indexOf(compressed.mode);
  if (mode < 0) throw new AppError("invalid_input", `There is no mode “${compressed.mode}”.`);
  if ((compressed.keep === "exact") !== (compressed.residual !== null))
    throw new AppError("invalid_input", "Keep level “exact” needs a residual, “summary” has none.");
  if (compressed.envelope && !compressed.residual)
    throw new AppError("invalid_input", "An envelope goes with the exact text only.");
  const description = describe(compressed);
  const dictionary = await descriptionDictionary(compressed.residual, DEFAULT_MAX_TEXT_BYTES);
  const frame = (await loadZstd()).compress(description, RESIDUAL_LEVEL, dictionary);
  const packed = frame.length < description.length;

  const writer = new ByteWriter();
  for (const byte of MAGIC) writer.u8(byte);
  writer.u8(CONTAINER_VERSION);
  const perfect = isPerfect(compressed.quality);
  writer.u8(
    (compressed.residual ? FLAG_EXACT : 0) |
      (perfect ? FLAG_PERFECT : 0) |
      (packed ? FLAG_PACKED : 0) |
      (compressed.envelope ? FLAG_ENVELOPE : 0) |
      (mode << MODE_SHIFT),
  );
  writer.bytes(hexToBytes(compressed.contentSha256));
  writer.varint(compressed.ratios.originalBytes);
  writer.varint(Math.round(compressed.ratios.contextRatio * 100));
  if (!perfect) writeQuality(writer, compressed.quality);
  if (compressed.residual) {
    writer.varint(compressed.residual.length);
    writer.bytes(compressed.residual);
  }
  if (compressed.envelope) {
    const packedEnvelope = (await loadZstd()).compress(compressed.envelope, RESIDUAL_LEVEL);
    writer.varint(packedEnvelope.length);
    writer.bytes(packedEnvelope);
  }
  const body = packed ? frame : description;
  writer.varint(body.length);
  writer.bytes(body);
  writer.u32(crc32c(writer.finish()));
  return writer.finish();
}

/**
 * Reads a `.llmc` file. Checks the checksum before anything is decoded and the declared sizes
 * before anything is allocated.
 *
 * @throws AppError `corrupt_data`, `unsupported_version`, or `too_large` when the text would exceed `maxBytes`.
 */
export async function decodeContainer(
  bytes: Uint8Array,
  options: { maxBytes?: number } = {},
): Promise<CompressedMemory> {
  const maxBytes = options.maxBytes ?? DEFAULT_MAX_TEXT_BYTES;
  if (bytes.length < 5 || MAGIC.some((byte, index) => bytes[index] !== byte))
    throw new AppError("corrupt_data", "This is not a .llmc file: it doesn't start with “LLMC”.", {
      hint: "Give a file that `llm-compress compress` wrote.",
    });
  if (bytes[4] !== CONTAINER_VERSION)
    throw new AppError(
      "unsupported_version",
      `This .llmc file has version ${bytes[4]}; this program reads version ${CONTAINER_VERSION}.`,
      {
        hint: "Update the program.",
      },
    );
  if (bytes.length < MIN_BYTES) throw damaged("it is too short");
  const end = bytes.length - 4;
  const stored = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(
    end,
    true,
  );
  if (crc32c(bytes.subarray(0, end)) !== stored) throw damaged("its checksum doesn't match");

  const reader = new ByteReader(bytes.subarray(5, end), ".llmc file");
  const flags = reader.u8();
  const mode = MODES[(flags >> MODE_SHIFT) & 3];
  if (flags & ~FLAG_KNOWN || mode === undefined) throw damaged("it has unknown flags");
  const contentSha256 = [...reader.bytes(32)]
    .map((byte) => byte.toString(16).padStart(2, "0"))
    .join("");
  const originalBytes = reader.varint();
  const context = reader.varint() / 100;
  const quality =
    flags & FLAG_PERFECT
      ? { similarity: 1, coverage: 1, entityRecall: 1, numberRecall: 1, faithfulness: 1 }
      : readQuality(reader);
  const residual = flags & FLAG_EXACT ? reader.bytes(reader.varint()).slice() : null;
  if (flags & FLAG_ENVELOPE && !residual) throw damaged("it has an envelope without a text");
  const packedEnvelope = flags & FLAG_ENVELOPE ? reader.bytes(reader.varint()) : null;
  const body = reader.bytes(reader.varint());
  expectEnd(reader);
  const textBytes = residual ? readFrameSize(residual) : 0;
  if (textBytes > maxBytes)
    throw new AppError(
      "too_large",
      `The text has ${textBytes} bytes, more than the ${maxBytes} allowed here.`,
      { hint: "Allow more, or don't open files that you don't trust." },
    );
  const envelope = packedEnvelope && (await loadZstd()).decompress(packedEnvelope, { maxBytes });
  let description = body;
  if (flags & FLAG_PACKED) {
    const dictionary = await descriptionDictionary(residual, maxBytes);
    description = (await loadZstd()).decompress(body, {
      maxBytes: Math.min(MAX_DESCRIPTION_BYTES, maxBytes),
      ...(dictionary && { dictionary }),
    });
  }
  return {
    version: 1,
    keep: residual ? "exact" : "summary",
    mode,
    ...readDescription(description),
    quality,
    residual,
    ...(envelope && { envelope }),
    contentSha256,
    ratios: singleTextRatios(originalBytes, bytes.length, context),
  };
}
