/**
 * ZSTD (RFC 8878) for everything that is stored: segment pages, journal frames, derived data,
 * `.llmc` payloads. One WebAssembly module per thread, loaded once.
 *
 * Decoding is bounded before it starts: the frame's declared size is read from its header and the
 * chain of block headers is walked, so a truncated frame, a frame without a size, or one that
 * claims more than the caller allows never reaches the decoder.
 */

import * as wasm from "@bokuweb/zstd-wasm";
import { AppError } from "../errors.ts";

export interface Zstd {
  /**
   * One frame with its content size in the header. `level` 1–22 (−7…−1 are faster and larger).
   * `dictionary` is raw content: text that resembles `bytes`; the frame doesn't name it, so the
   * caller must know which one to decode with.
   */
  compress(bytes: Uint8Array, level: number, dictionary?: Uint8Array): Uint8Array;
  /**
   * Decodes exactly one frame. `too_large` when it declares more than `maxBytes`, `corrupt_data`
   * when it is truncated, has no declared size, has bytes after its end, or doesn't decode.
   */
  decompress(bytes: Uint8Array, options: { maxBytes: number; dictionary?: Uint8Array }): Uint8Array;
}

/** The 32-bit heap holds input, output and tables at once: longer input is refused, never tried. */
const MAX_INPUT_BYTES = 256 * 1024 * 1024;
const FRAME_MAGIC = 0xfd2fb528;
const DICTIONARY_MAGIC = 0xec30a437;

let loading: Promise<Zstd> | undefined;

/** Loads the WebAssembly module on the first call; later calls share it. `internal` when it can't be loaded. */
export function loadZstd(): Promise<Zstd> {
  loading ??= wasm.init().then(
    () => ({ compress, decompress }),
    (cause: unknown) => {
      loading = undefined;
      throw new AppError("internal", "The ZSTD module could not be loaded.", {
        hint: "Reload; when it stays, the installation is incomplete: run `npm run setup`.",
        retryable: true,
        cause,
      });
    },
  );
  return loading;
}

function corrupt(what: string, cause?: unknown): AppError {
  return new AppError("corrupt_data", `The compressed data is damaged: ${what}.`, {
    hint: "Restore this file from a copy; what it holds can't be decoded.",
    cause,
  });
}

/** The size that a frame declares, after its block chain was found complete (RFC 8878 §3.1.1). */
export function readFrameSize(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 5 || view.getUint32(0, true) !== FRAME_MAGIC)
    throw corrupt("it doesn't start with a ZSTD frame");
  const descriptor = bytes[4]!;
  const sizeFlag = descriptor >> 6;
  const singleSegment = (descriptor & 0x20) !== 0;
  if ((descriptor & 0x08) !== 0) throw corrupt("a reserved bit of the frame header is set");
  const dictionaryIdBytes = [0, 1, 2, 4][descriptor & 3]!;
  let offset = 5 + (singleSegment ? 0 : 1) + dictionaryIdBytes;
  const sizeBytes = sizeFlag === 0 ? (singleSegment ? 1 : 0) : 1 << sizeFlag;
  if (sizeBytes === 0) throw corrupt("the frame doesn't declare its size");
  if (offset + sizeBytes > bytes.length) throw corrupt("the frame header is cut off");
  const size =
    sizeBytes === 1
      ? bytes[offset]!
      : sizeBytes === 2
        ? view.getUint16(offset, true) + 256
        : sizeBytes === 4
          ? view.getUint32(offset, true)
          : Number(view.getBigUint64(offset, true));
  offset += sizeBytes;
  for (let last = false; !last;) {
    if (offset + 3 > bytes.length) throw corrupt("the frame is cut off");
    const header = bytes[offset]! | (bytes[offset + 1]! << 8) | (bytes[offset + 2]! << 16);
    last = (header & 1) === 1;
    const type = (header >> 1) & 3;
    if (type === 3) throw corrupt("a block has a reserved type");
    offset += 3 + (type === 1 ? 1 : header >> 3);
  }
  if ((descriptor & 0x04) !== 0) offset += 4;
  if (offset > bytes.length) throw corrupt("the frame is cut off");
  if (offset < bytes.length) throw corrupt("there are bytes after the end of the frame");
  return size;
}

function compress(bytes: Uint8Array, level: number, dictionary?: Uint8Array): Uint8Array {
  if (bytes.length > MAX_INPUT_BYTES)
    throw new AppError("too_large", `${bytes.length} bytes are too many for one ZSTD frame.`, {
      hint: `Cut the input into parts of at most ${MAX_INPUT_BYTES} bytes.`,
    });
  if (!Number.isInteger(level) || level < -7 || level > 22 || level === 0)
    throw new AppError("invalid_input", `ZSTD has no level ${level}.`, {
      hint: "Levels are 1 to 22, or -7 to -1.",
    });
  try {
    if (!dictionary?.length) return wasm.compress(bytes, level);
    checkDictionary(dictionary);
    // A context is made and freed per call: the wrapper's are never freed by themselves.
    const context = wasm.createCCtx();
    try {
      return wasm.compressUsingDict(context, bytes, dictionary, level);
    } finally {
      wasm.freeCCtx(context);
    }
  } catch (error) {
    if (error instanceof AppError) throw error;
    throw new AppError("internal", "ZSTD could not compress.", { cause: error });
  }
}

function decompress(
  bytes: Uint8Array,
  options: { maxBytes: number; dictionary?: Uint8Array },
): Uint8Array {
  const size = readFrameSize(bytes);
  if (size > Math.min(options.maxBytes, MAX_INPUT_BYTES))
    throw new AppError(
      "too_large",
      `The compressed data declares ${size} bytes, more than the ${options.maxBytes} allowed here.`,
      { hint: "It is damaged, or made to exhaust memory; it was not decoded." },
    );
  const { dictionary } = options;
  let result: Uint8Array;
  try {
    if (!dictionary?.length) result = wasm.decompress(bytes);
    else {
      checkDictionary(dictionary);
      const context = wasm.createDCtx();
      try {
        result = wasm.decompressUsingDict(context, bytes, dictionary);
      } finally {
        wasm.freeDCtx(context);
      }
    }
  } catch (error) {
    if (error instanceof AppError) throw error;
    throw corrupt("the decoder refused it", error);
  }
  if (result.length !== size) throw corrupt(`${result.length} of ${size} bytes came out`);
  return result;
}

/** A dictionary that began with the magic of trained ones would be parsed as such instead of used as text. */
function checkDictionary(dictionary: Uint8Array): void {
  const view = new DataView(dictionary.buffer, dictionary.byteOffset, dictionary.byteLength);
  if (dictionary.length < 8 || view.getUint32(0, true) === DICTIONARY_MAGIC)
    throw new AppError("invalid_input", "This is not a raw-content dictionary.", {
      hint: "Give at least 8 bytes of plain sample content.",
    });
}
