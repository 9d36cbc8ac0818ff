/**
 * Mails whose parts hold 8-bit text and don't say in which charset: the bytes that a mail parser takes
 * for UTF-8 are made UTF-8 before it sees them.
 */

import { concatBytes } from "../blob-reader.ts";
import { decodeBytes, detectEncoding } from "../decoding.ts";

const BOUNDARY = /\bboundary\s*=\s*(?:"([^"\r\n]{1,200})"|([^\s";]{1,200}))/gi;
const CHARSET = /^content-type:[^\r\n]*(?:\r?\n[ \t][^\r\n]*)*\bcharset\s*=/im;
const OTHER_TYPE = /^content-type:(?!\s*text\/)/im;

function isUtf8(bytes: Uint8Array): boolean {
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return true;
  } catch {
    return false;
  }
}

function toUtf8(bytes: Uint8Array): Uint8Array {
  if (bytes.includes(0) || isUtf8(bytes)) return bytes;
  const { encoding } = detectEncoding(bytes, { complete: true });
  return new TextEncoder().encode(decodeBytes(bytes, encoding));
}

/** Offsets at which parts start, by the boundaries that the mail names; the first is 0. */
function partStarts(mail: string): number[] {
  const boundaries = new Set<string>();
  for (const [, quoted, plain] of mail.matchAll(BOUNDARY)) boundaries.add(quoted ?? plain!);
  const starts = [0];
  if (boundaries.size === 0) return starts;
  for (let at = mail.indexOf("\n--"); at >= 0; at = mail.indexOf("\n--", at + 1)) {
    const lineEnd = mail.indexOf("\n", at + 1);
    const line = mail.slice(at + 3, lineEnd < 0 ? mail.length : lineEnd).trimEnd();
    if (boundaries.has(line) || boundaries.has(line.replace(/--$/, ""))) starts.push(at + 1);
  }
  return starts;
}

/** The mail with header lines and undeclared text parts in UTF-8; the same bytes where they already are. */
export function withCharsets(mail: Uint8Array): Uint8Array {
  if (isUtf8(mail)) return mail;
  // One character a byte: offsets are those of the bytes.
  let latin1 = "";
  for (let at = 0; at < mail.length; at += 8192)
    latin1 += String.fromCharCode(...mail.subarray(at, at + 8192));
  const starts = partStarts(latin1);
  const parts: Uint8Array[] = [];
  for (const [i, start] of starts.entries()) {
    const end = starts[i + 1] ?? mail.length;
    const part = latin1.slice(start, end);
    const emptyLine = /\r?\n\r?\n/.exec(part);
    const bodyAt = emptyLine ? start + emptyLine.index + emptyLine[0].length : end;
    const header = latin1.slice(start, bodyAt);
    const body = mail.subarray(bodyAt, end);
    parts.push(toUtf8(mail.subarray(start, bodyAt)));
    // A mail inside the part may name the charset too.
    parts.push(CHARSET.test(part) || OTHER_TYPE.test(header) ? body : toUtf8(body));
  }
  return concatBytes(parts);
}
