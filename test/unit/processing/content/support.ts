/** Helpers of the content tests: files from bytes, all events of a parse. */

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import {
  parseFiles,
  type ParseOptions,
  type ParsedEvent,
  type ParsedItem,
  type SourceFile,
} from "../../../../src/processing/content/import-files.ts";

const FIXTURES = fileURLToPath(new URL("../../../fixtures/content/", import.meta.url));

export function file(
  path: string,
  content: string | Uint8Array,
  lastModified?: number,
): SourceFile {
  const part = typeof content === "string" ? content : (content.slice() as Uint8Array<ArrayBuffer>);
  return { path, blob: new Blob([part]), ...(lastModified === undefined ? {} : { lastModified }) };
}

export function fixture(name: string, lastModified?: number): SourceFile {
  return file(name, new Uint8Array(readFileSync(FIXTURES + name)), lastModified);
}

export interface Parsed {
  events: ParsedEvent[];
  items: ParsedItem[];
  errors: { locator: string; code: string; message: string; hint: string | undefined }[];
  formats: string[];
}

export async function parse(
  files: SourceFile | SourceFile[],
  options?: ParseOptions,
): Promise<Parsed> {
  const parsed: Parsed = { events: [], items: [], errors: [], formats: [] };
  for await (const event of parseFiles(Array.isArray(files) ? files : [files], options)) {
    parsed.events.push(event);
    if (event.type === "item") parsed.items.push(event.item);
    if (event.type === "file") parsed.formats.push(event.file.format);
    if (event.type === "error") {
      const { code, message, hint } = event.error;
      parsed.errors.push({ locator: event.locator, code, message, hint });
    }
  }
  return parsed;
}

/** The bytes that the items of a file stand for, put together. */
export function bytesOf(items: readonly ParsedItem[]): Uint8Array {
  const encoder = new TextEncoder();
  const parts = items.map((item) => item.original ?? encoder.encode(item.text));
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

export async function blobBytes(source: SourceFile): Promise<Uint8Array> {
  return new Uint8Array(await source.blob.arrayBuffer());
}
