/**
 * HTML files: the readable text, in sections; the file's bytes are the first section's `original`,
 * so that the page can be had back.
 */

import { AppError } from "../../../errors.ts";
import { META } from "../../../model/memory.ts";
import { readBytes } from "../blob-reader.ts";
import { decodeText, SAMPLE_BYTES } from "../decoding.ts";
import { htmlToText } from "../html-text.ts";
import { baseMetadata, timestampOf, type FormatParser } from "../parsed-item.ts";
import { chunkText } from "../segmentation.ts";
import { MAX_SECTION_CHARS } from "./plain.ts";

/** A page is parsed in memory. */
export const MAX_HTML_BYTES = 64 * 1024 * 1024;

export function startsLikeHtml(sample: string): boolean {
  return /^\s*(?:<!--[\s\S]{0,2000}?-->\s*)*(?:<\?xml[^>]{0,200}\?>\s*)?(?:<!doctype\s+html|<html[\s>]|<head[\s>]|<body[\s>])/i.test(
    sample.slice(0, 4096).replace(/^\ufeff/, ""),
  );
}

export const parseHtml: FormatParser = async function* (file) {
  if (file.blob.size > MAX_HTML_BYTES)
    throw new AppError("too_large", `${file.path} is ${file.blob.size} bytes of HTML.`, {
      hint: `Pages up to ${MAX_HTML_BYTES / 1024 / 1024} MB can be read; save it as plain text instead.`,
    });
  const bytes = await readBytes(file.blob);
  const head = new TextDecoder("latin1").decode(bytes.subarray(0, Math.min(SAMPLE_BYTES, 4096)));
  const charset = /<meta[^>]{0,200}charset\s*=\s*["']?([\w-]{2,40})/i.exec(head)?.[1];
  const { text: html } = decodeText(bytes, { charset, name: file.path });
  const { text, title } = htmlToText(html);
  if (text === "" && !title)
    throw new AppError("invalid_input", `${file.path} holds no readable text.`, {
      hint: "The page may build its text by script; save what you see as text.",
    });
  const readable = text === "" ? (title ?? "") : text;
  const spans = chunkText(readable, { maxChars: MAX_SECTION_CHARS });
  for (const [i, { start, end }] of spans.entries()) {
    const metadata = baseMetadata(file, "prose", "text/html");
    if (title) metadata[META.title] = title;
    if (spans.length > 1) metadata[META.part] = `${i + 1}/${spans.length}`;
    yield {
      text: readable.slice(start, end),
      ...(i === 0 ? { original: bytes } : {}),
      ...timestampOf(file.lastModified),
      metadata,
      locator: spans.length > 1 ? `${file.path}#${i + 1}` : file.path,
    };
  }
};
