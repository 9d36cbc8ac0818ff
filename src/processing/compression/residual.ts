/**
 * What restores the exact text: a ZSTD frame of it, verified when it is made.
 *
 * For a text outside any store. Coding it against its own summary saves ~6 % of the frame and
 * costs the summary, so the text is coded by itself; stores code many texts together.
 */

import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import { AppError } from "../../errors.ts";
import { loadZstd } from "../../storage/zstd.ts";

/** Highest level whose memory stays small; a single text is coded once and read often. */
export const RESIDUAL_LEVEL = 19;
/** What decoding may produce unless the caller allows more. */
export const DEFAULT_MAX_TEXT_BYTES = 256 * 1024 * 1024;

const LONE_SURROGATE = /\p{Surrogate}/u;

/** UTF-8 of a text. `invalid_input` for a lone surrogate: UTF-8 has no form for it, so it could not be restored. */
export function encodeText(text: string): Uint8Array {
  const lone = LONE_SURROGATE.exec(text);
  if (lone)
    throw new AppError(
      "invalid_input",
      `The text holds half of a surrogate pair at position ${lone.index}, which UTF-8 can't represent.`,
      { hint: "Replace it (text.toWellFormed()), or give the source's bytes." },
    );
  return new TextEncoder().encode(text);
}

/** SHA-256 of bytes, lower-case hex. */
export function sha256Hex(bytes: Uint8Array): string {
  return bytesToHex(sha256(bytes));
}

export interface Residual {
  frame: Uint8Array;
  contentSha256: string;
  originalBytes: number;
}

/** Codes a text and decodes it again to prove that the frame restores it. `dictionary` is raw content. */
export async function encodeResidual(text: string, dictionary?: Uint8Array): Promise<Residual> {
  const bytes = encodeText(text);
  const contentSha256 = sha256Hex(bytes);
  const zstd = await loadZstd();
  const frame = zstd.compress(bytes, RESIDUAL_LEVEL, dictionary);
  const restored = zstd.decompress(frame, {
    maxBytes: bytes.length,
    ...(dictionary && { dictionary }),
  });
  if (sha256Hex(restored) !== contentSha256)
    throw new AppError(
      "internal",
      "The compressed text didn't decode to its original; nothing was kept of it.",
    );
  return { frame, contentSha256, originalBytes: bytes.length };
}

/** The exact text. `corrupt_data` when it doesn't have the hash, `too_large` beyond `maxBytes`. */
export async function decodeResidual(
  frame: Uint8Array,
  options: { contentSha256: string; maxBytes?: number; dictionary?: Uint8Array },
): Promise<string> {
  const zstd = await loadZstd();
  const bytes = zstd.decompress(frame, {
    maxBytes: options.maxBytes ?? DEFAULT_MAX_TEXT_BYTES,
    ...(options.dictionary && { dictionary: options.dictionary }),
  });
  if (sha256Hex(bytes) !== options.contentSha256)
    throw new AppError("corrupt_data", "The restored text doesn't have the hash of the original.", {
      hint: "The data was damaged or mixed up; restore it from a copy.",
    });
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
}
