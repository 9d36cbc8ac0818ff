/**
 * mbox files of any size: cuts them into mails while reading slices (RFC 4155; variants mboxo,
 * mboxrd, mboxcl, mboxcl2).
 *
 * A mail starts at a "From " line with a time in it, at the start of the file or after an empty line.
 * Lines that were quoted as ">From " get one ">" taken away (mboxrd; right for mboxo too, but for
 * lines that began with ">From " before). Where a Content-Length header leads exactly to the next
 * "From " line (mboxcl2), it decides, and nothing is unquoted.
 */

import { AppError } from "../../../errors.ts";
import { concatBytes, readSlices } from "../blob-reader.ts";
import type { ParseContext, ParsedEntry, SourceFile } from "../parsed-item.ts";
import { toFailure } from "../failure.ts";
import { parseMailBytes } from "./mail.ts";

const NEWLINE = 10;
const FROM = [0x46, 0x72, 0x6f, 0x6d, 0x20];
const MAX_FROM_LINE = 400;
const MAX_HEADER_BYTES = 256 * 1024;

function startsWithFrom(bytes: Uint8Array, at: number): boolean {
  return FROM.every((byte, i) => bytes[at + i] === byte);
}

/** Whether the bytes at `at` are a whole separator line; null when its end isn't there yet. */
function isSeparator(bytes: Uint8Array, at: number, atEnd: boolean): boolean | null {
  if (bytes.length - at < FROM.length) return atEnd ? false : null;
  if (!startsWithFrom(bytes, at)) return false;
  let end = bytes.indexOf(NEWLINE, at);
  if (end < 0) {
    if (!atEnd && bytes.length - at <= MAX_FROM_LINE) return null;
    end = bytes.length;
  }
  if (end - at > MAX_FROM_LINE) return false;
  const line = new TextDecoder("latin1").decode(bytes.subarray(at, end));
  return /^From \S.*\d{1,2}:\d{2}.*\d{4}|^From \S.*\d{4}.*\d{1,2}:\d{2}/.test(line);
}

/** Whether the line before `at` is empty (or the file starts there). */
function afterEmptyLine(bytes: Uint8Array, at: number): boolean {
  if (at < 2) return at === 0;
  return (
    bytes[at - 2] === NEWLINE || (bytes[at - 2] === 13 && (at < 3 || bytes[at - 3] === NEWLINE))
  );
}

/**
 * Where a mail ends by its Content-Length (offset into `mail`); null when it states none, undefined
 * while its header isn't complete.
 */
function statedEnd(mail: Uint8Array, atEnd: boolean): number | null | undefined {
  const bound = Math.min(mail.length, MAX_HEADER_BYTES);
  for (let at = mail.indexOf(NEWLINE); at >= 0 && at < bound; at = mail.indexOf(NEWLINE, at + 1)) {
    const next = mail[at + 1] === 13 ? at + 2 : at + 1;
    if (mail[next] !== NEWLINE) continue;
    const header = new TextDecoder("latin1").decode(mail.subarray(0, next));
    const stated = /^content-length:[ \t]*(\d{1,12})[ \t]*\r?$/im.exec(header)?.[1];
    return stated === undefined ? null : next + 1 + Number(stated);
  }
  return atEnd || mail.length >= MAX_HEADER_BYTES ? null : undefined;
}

/** Up to two bytes of line break may stand between the stated end and the next separator. */
const MAX_GAP = 2;

/** Takes one ">" from every line that is ">…>From ". */
export function unquoteFromLines(mail: Uint8Array): Uint8Array {
  const parts: Uint8Array[] = [];
  let copied = 0;
  for (let at = 0; at < mail.length;) {
    if (mail[at] === 0x3e) {
      let after = at;
      while (mail[after] === 0x3e) after++;
      if (startsWithFrom(mail, after)) {
        parts.push(mail.subarray(copied, at));
        copied = at + 1;
      }
    }
    const lineBreak = mail.indexOf(NEWLINE, at);
    if (lineBreak < 0) break;
    at = lineBreak + 1;
  }
  if (parts.length === 0) return mail;
  parts.push(mail.subarray(copied));
  return concatBytes(parts);
}

/** A mail without its separator line and without the empty line that ends it. */
function mailOf(raw: Uint8Array): Uint8Array {
  const start = raw.indexOf(NEWLINE) + 1;
  if (start === 0) return raw.subarray(raw.length);
  const stated = statedEnd(raw.subarray(start), true);
  const rest = stated === null || stated === undefined ? -1 : raw.length - start - stated;
  let end = raw.length;
  if (rest !== 0 && raw[end - 1] === NEWLINE && end - 1 > start) {
    if (raw[end - 2] === NEWLINE) end -= 1;
    else if (raw[end - 2] === 13 && raw[end - 3] === NEWLINE) end -= 2;
  }
  const mail = raw.slice(start, end);
  return rest >= 0 && rest <= MAX_GAP ? mail : unquoteFromLines(mail);
}

/** Finds the mails in a buffer that grows at its end and is cut at its start. */
class MboxScanner {
  #buffer: Uint8Array = new Uint8Array();
  /** Where the search for the next separator goes on. */
  #scanned = 1;
  /** Stated end of the current mail; undefined until its header was seen. */
  #stated: number | null | undefined = undefined;
  #skipping = false;
  readonly #maxMailBytes: number;

  constructor(maxMailBytes: number) {
    this.#maxMailBytes = maxMailBytes;
  }

  *push(slice: Uint8Array, atEnd: boolean): Generator<Uint8Array | null> {
    this.#buffer = this.#buffer.length === 0 ? slice : concatBytes([this.#buffer, slice]);
    for (let end = this.#nextMailEnd(atEnd); end !== null; end = this.#nextMailEnd(atEnd)) {
      yield this.#take(end);
      this.#buffer = this.#buffer.subarray(end);
      this.#scanned = 1;
      this.#stated = undefined;
    }
    if (atEnd) {
      if (this.#buffer.length > 0) yield this.#take(this.#buffer.length);
    } else if (this.#buffer.length > this.#maxMailBytes) {
      // Keep just enough to recognise the next separator.
      this.#skipping = true;
      this.#buffer = this.#buffer.slice(-MAX_FROM_LINE);
      this.#scanned = 1;
      this.#stated = null;
    }
  }

  #take(end: number): Uint8Array | null {
    const skipped = this.#skipping || end > this.#maxMailBytes;
    this.#skipping = false;
    return skipped ? null : mailOf(this.#buffer.subarray(0, end));
  }

  /** Offset of the separator that ends the current mail; null when more bytes are needed. */
  #nextMailEnd(atEnd: boolean): number | null {
    const buffer = this.#buffer;
    if (this.#stated === undefined) {
      const start = buffer.indexOf(NEWLINE) + 1;
      const stated = start === 0 ? undefined : statedEnd(buffer.subarray(start), atEnd);
      if (stated === undefined && !atEnd) return null;
      this.#stated = stated === undefined || stated === null ? null : start + stated;
    }
    if (this.#stated !== null && this.#stated <= this.#maxMailBytes) {
      const stated = this.#stated;
      if (!atEnd && buffer.length < stated + MAX_FROM_LINE) return null;
      this.#stated = null;
      for (let gap = 0; gap <= MAX_GAP; gap++)
        if (buffer[stated + gap - 1] === NEWLINE && isSeparator(buffer, stated + gap, atEnd))
          return stated + gap;
      if (stated <= buffer.length && stated + MAX_GAP >= buffer.length && atEnd) return null;
    }
    for (;;) {
      const lineBreak = buffer.indexOf(NEWLINE, this.#scanned - 1);
      if (lineBreak < 0) {
        this.#scanned = buffer.length + 1;
        return null;
      }
      const at = lineBreak + 1;
      const separator = isSeparator(buffer, at, atEnd);
      this.#scanned = at;
      if (separator === null) return null;
      if (separator && afterEmptyLine(buffer, at)) return at;
      this.#scanned = at + 1;
    }
  }
}

/** The raw mails of an mbox, in order; `null` for one that is longer than `maxMailBytes`. */
export async function* readMboxMails(
  blob: Blob,
  maxMailBytes: number,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array | null> {
  const scanner = new MboxScanner(maxMailBytes);
  let readTotal = 0;
  for await (const slice of readSlices(blob, signal)) {
    readTotal += slice.length;
    yield* scanner.push(slice, readTotal >= blob.size);
  }
}

export async function* parseMbox(
  file: SourceFile,
  context: ParseContext,
): AsyncGenerator<ParsedEntry> {
  let index = 0;
  for await (const mail of readMboxMails(file.blob, context.maxFileBytes, context.signal)) {
    const locator = `${file.path}#${++index}`;
    try {
      if (mail === null)
        throw new AppError(
          "too_large",
          `${locator} is longer than ${context.maxFileBytes} bytes.`,
          {
            hint: "Save its attachments elsewhere and export the mail again without them.",
          },
        );
      yield await parseMailBytes(mail, file, locator, context);
    } catch (error) {
      yield toFailure(locator, error);
    }
  }
}
