/**
 * Bytes → text, for files whose encoding nobody states reliably.
 *
 * Order of trust: byte order mark, strict UTF-8, zero-byte pattern of UTF-16, the declared charset,
 * a statistical guess (chardet), windows-1252. Nothing is lost: `exact` says whether the UTF-8 of the
 * text is the given bytes, and a caller that keeps the text also keeps the bytes when it isn't.
 */

import { analyse } from "chardet";
import { AppError } from "../../errors.ts";

export interface DecodedText {
  text: string;
  /** WHATWG name: "utf-8", "utf-16le", "windows-1252"… */
  encoding: string;
  /** True when `new TextEncoder().encode(text)` gives the bytes back. */
  exact: boolean;
}

export interface FileEncoding {
  encoding: string;
  /** Length of the byte order mark, 0–3. */
  bomBytes: number;
  /** Whether decoding met no malformed sequence in what was looked at. */
  strict: boolean;
}

/** How many bytes at the start of a file are looked at to recognise it. */
export const SAMPLE_BYTES = 65_536;

/** windows-1252 0x80–0x9F; some engines decode it as ISO 8859-1 and leave control characters there. */
const WINDOWS_1252 = "€\x81‚ƒ„…†‡ˆ‰Š‹Œ\x8dŽ\x8f\x90‘’“”•–—˜™š›œ\x9džŸ";

/** Puts the characters of windows-1252 in place of C1 control characters. */
export function fixWindows1252(text: string): string {
  return text.replaceAll(/[\x80-\x9f]/g, (char) => WINDOWS_1252[char.charCodeAt(0) - 0x80]!);
}

/** `bytes` as text; a byte order mark is kept. */
export function decodeBytes(bytes: Uint8Array, encoding: string): string {
  const text = new TextDecoder(encoding, { ignoreBOM: true }).decode(bytes);
  return encoding === "windows-1252" ? fixWindows1252(text) : text;
}

/** Signatures of files that hold no readable text. */
const SIGNATURES: readonly [name: string, offset: number, bytes: readonly number[]][] = [
  ["a PNG image", 0, [0x89, 0x50, 0x4e, 0x47]],
  ["a JPEG image", 0, [0xff, 0xd8, 0xff]],
  ["a GIF image", 0, [0x47, 0x49, 0x46, 0x38]],
  ["a WebP, WAV or AVI file", 0, [0x52, 0x49, 0x46, 0x46]],
  ["a PDF document", 0, [0x25, 0x50, 0x44, 0x46, 0x2d]],
  ["a Windows program", 0, [0x4d, 0x5a, 0x90]],
  ["a program (ELF)", 0, [0x7f, 0x45, 0x4c, 0x46]],
  ["a program (Mach-O)", 0, [0xcf, 0xfa, 0xed, 0xfe]],
  ["a WebAssembly module", 0, [0x00, 0x61, 0x73, 0x6d]],
  ["an Office document of the old binary kind", 0, [0xd0, 0xcf, 0x11, 0xe0]],
  ["a 7-Zip archive", 0, [0x37, 0x7a, 0xbc, 0xaf]],
  ["a RAR archive", 0, [0x52, 0x61, 0x72, 0x21, 0x1a]],
  ["an xz archive", 0, [0xfd, 0x37, 0x7a, 0x58, 0x5a]],
  ["a bzip2 archive", 0, [0x42, 0x5a, 0x68]],
  ["a Zstandard file", 0, [0x28, 0xb5, 0x2f, 0xfd]],
  ["a SQLite database", 0, [0x53, 0x51, 0x4c, 0x69, 0x74, 0x65, 0x20, 0x66]],
  ["a Parquet file", 0, [0x50, 0x41, 0x52, 0x31]],
  ["an MP4 video", 4, [0x66, 0x74, 0x79, 0x70]],
  ["an MP3 file", 0, [0x49, 0x44, 0x33]],
  ["an Ogg file", 0, [0x4f, 0x67, 0x67, 0x53]],
  ["a TAR archive", 257, [0x75, 0x73, 0x74, 0x61, 0x72]],
];

/** Share of control characters above which bytes aren't text. */
const MAX_CONTROL_SHARE = 0.1;

function controlShare(sample: Uint8Array): { controls: number; zeros: number } {
  let controls = 0;
  let zeros = 0;
  for (const byte of sample) {
    if (byte === 0) zeros++;
    else if (byte < 32 && byte !== 9 && byte !== 10 && byte !== 12 && byte !== 13 && byte !== 27)
      controls++;
  }
  const length = Math.max(1, sample.length);
  return { controls: controls / length, zeros: zeros / length };
}

/** "utf-16le" or "utf-16be" when every other byte is zero far more often than its neighbour. */
function utf16ByZeros(sample: Uint8Array): string | null {
  const length = sample.length & ~1;
  if (length < 4) return null;
  let even = 0;
  let odd = 0;
  for (let i = 0; i < length; i += 2) {
    if (sample[i] === 0) even++;
    if (sample[i + 1] === 0) odd++;
  }
  const pairs = length / 2;
  if (odd > pairs * 0.4 && even < pairs * 0.05) return "utf-16le";
  if (even > pairs * 0.4 && odd < pairs * 0.05) return "utf-16be";
  return null;
}

function isStrict(bytes: Uint8Array, encoding: string, complete: boolean): boolean {
  try {
    new TextDecoder(encoding, { fatal: true }).decode(bytes, { stream: !complete });
    return true;
  } catch {
    return false;
  }
}

function knownLabel(label: string | undefined): string | null {
  if (!label) return null;
  try {
    const { encoding } = new TextDecoder(label.trim());
    return encoding === "replacement" ? null : encoding;
  } catch {
    return null;
  }
}

/** UTF-8 with a few broken bytes (a cut or patched file) is still UTF-8. */
function isMostlyUtf8(sample: Uint8Array): boolean {
  const text = new TextDecoder("utf-8").decode(sample);
  let broken = 0;
  let multiByte = 0;
  for (const char of text) {
    if (char === "\ufffd") broken++;
    else if (char > "\x7f") multiByte++;
  }
  return multiByte >= 4 && broken * 10 <= multiByte;
}

/** Names what a binary file is, or null for text. */
export function describeBinary(sample: Uint8Array): string | null {
  for (const [name, offset, bytes] of SIGNATURES)
    if (bytes.every((byte, i) => sample[offset + i] === byte)) return name;
  if (sample[0] === 0xff && sample[1] === 0xfe) return null;
  if (sample[0] === 0xfe && sample[1] === 0xff) return null;
  if (utf16ByZeros(sample)) return null;
  const { controls, zeros } = controlShare(sample);
  if (isStrict(sample, "utf-8", false))
    return controls + zeros > MAX_CONTROL_SHARE * 3 ? "binary data" : null;
  return zeros > 0.001 || controls > MAX_CONTROL_SHARE / 5 ? "binary data" : null;
}

/**
 * The encoding of a text from its first bytes.
 *
 * @param complete whether `sample` is the whole text (then a cut character at its end is an error)
 */
export function detectEncoding(
  sample: Uint8Array,
  options: { complete: boolean; charset?: string | undefined },
): FileEncoding {
  const { complete } = options;
  const found = (encoding: string, bomBytes = 0): FileEncoding => ({
    encoding,
    bomBytes,
    strict: isStrict(sample.subarray(bomBytes), encoding, complete),
  });
  if (sample[0] === 0xef && sample[1] === 0xbb && sample[2] === 0xbf) return found("utf-8", 3);
  if (sample[0] === 0xff && sample[1] === 0xfe) return found("utf-16le", 2);
  if (sample[0] === 0xfe && sample[1] === 0xff) return found("utf-16be", 2);
  const utf16 = utf16ByZeros(sample);
  if (utf16) return found(utf16);
  if (isStrict(sample, "utf-8", complete)) return found("utf-8");
  const declared = knownLabel(options.charset);
  if (declared && declared !== "utf-8" && isStrict(sample, declared, complete))
    return found(declared);
  if (isMostlyUtf8(sample)) return found("utf-8");
  for (const guess of analyse(sample.subarray(0, SAMPLE_BYTES))) {
    if (guess.confidence < 20) break;
    const encoding = knownLabel(guess.name);
    if (!encoding || encoding.startsWith("utf-") || encoding.startsWith("iso-2022")) continue;
    if (isStrict(sample, encoding, complete)) return found(encoding);
  }
  return found("windows-1252");
}

/** Throws what a person needs to know about bytes that hold no text. */
export function assertText(sample: Uint8Array, name: string): void {
  if (sample.length === 0)
    throw new AppError("invalid_input", `${name} is empty.`, {
      hint: "There is nothing to remember in it; leave it out.",
    });
  const binary = describeBinary(sample);
  if (binary)
    throw new AppError("unsupported_input", `${name} is ${binary}, not text.`, {
      hint: "Export or convert it to text, Markdown, HTML, mail or JSON, then add that file.",
    });
}

/**
 * A whole text in memory.
 *
 * @throws AppError `invalid_input` when empty, `unsupported_input` when binary.
 */
export function decodeText(
  bytes: Uint8Array,
  options: { charset?: string | undefined; name?: string } = {},
): DecodedText {
  assertText(bytes.subarray(0, SAMPLE_BYTES), options.name ?? "The input");
  const { encoding, bomBytes, strict } = detectEncoding(bytes, {
    complete: true,
    charset: options.charset,
  });
  const text = decodeBytes(bytes.subarray(bomBytes), encoding);
  const isUtf8 = encoding === "utf-8" && strict && bomBytes === 0;
  return { text, encoding, exact: isUtf8 || sameAsUtf8(text, bytes) };
}

/** Whether the UTF-8 of `text` is exactly `bytes`. */
export function sameAsUtf8(text: string, bytes: Uint8Array): boolean {
  if (text.length > bytes.length) return false;
  const encoded = new TextEncoder().encode(text);
  return encoded.length === bytes.length && encoded.every((byte, i) => byte === bytes[i]);
}
