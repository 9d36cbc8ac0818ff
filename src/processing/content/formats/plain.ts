/**
 * Files that are kept as they are, in sections of at most `MAX_SECTION_CHARS`: prose, code, logs and
 * data. The sections of a file put together are the file.
 */

import { META, type ContentKind } from "../../../model/memory.ts";
import { detectDelimiter } from "../content-kind.ts";
import {
  baseMetadata,
  timestampOf,
  type FormatParser,
  type ParsedItem,
  type SourceFile,
} from "../parsed-item.ts";
import { chunkText, packSpans, type Span } from "../segmentation.ts";
import { textSections, type Cutter, type TextSection } from "../text-sections.ts";

/** UTF-16 units of a section; about 8 KB of English. */
export const MAX_SECTION_CHARS = 8000;

/** An item from one section of a file. */
export function itemOfSection(
  section: TextSection,
  file: SourceFile,
  metadata: Record<string, string>,
): ParsedItem {
  if (section.partCount > 1) metadata[META.part] = `${section.part}/${section.partCount}`;
  return {
    text: section.text,
    ...(section.original ? { original: section.original } : {}),
    ...timestampOf(file.lastModified),
    metadata,
    locator: section.partCount > 1 ? `${file.path}#${section.part}` : file.path,
  };
}

function* lineStarts(text: string): Generator<number> {
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1))
    if (at + 1 < text.length) yield at + 1;
}

/** Cuts between top-level definitions (an unindented line after an empty one), else between lines. */
export function cutCode(text: string): Span[] {
  const at: number[] = [];
  const level: number[] = [];
  for (const start of lineStarts(text)) {
    const afterEmpty = text[start - 2] === "\n" || text.startsWith("\n\r\n", start - 3);
    at.push(start);
    level.push(afterEmpty && /\S/.test(text[start]!) && !/[)}\]]/.test(text[start]!) ? 2 : 1);
  }
  return packSpans(text, { at, level }, MAX_SECTION_CHARS);
}

/** Cuts before lines that open an entry: not indented, not part of a stack trace. */
export function cutLog(text: string): Span[] {
  const at: number[] = [];
  const level: number[] = [];
  for (const start of lineStarts(text)) {
    at.push(start);
    level.push(/[\s)}\]]/.test(text[start]!) || text.startsWith("Caused by", start) ? 1 : 2);
  }
  return packSpans(text, { at, level }, MAX_SECTION_CHARS);
}

/** Cuts between rows; a line break inside quotes is part of its row. */
export function cutRows(text: string): Span[] {
  const at: number[] = [];
  const level: number[] = [];
  let quotes = 0;
  let from = 0;
  for (const start of lineStarts(text)) {
    for (let i = text.indexOf('"', from); i >= 0 && i < start; i = text.indexOf('"', i + 1))
      quotes++;
    from = start;
    at.push(start);
    level.push(quotes % 2 === 0 ? 2 : 1);
  }
  return packSpans(text, { at, level }, MAX_SECTION_CHARS);
}

function sectionParser(kind: ContentKind, mediaType: string, cut: Cutter): FormatParser {
  return async function* (file, context) {
    for await (const section of textSections(file.blob, file.path, () => cut, context.signal))
      yield itemOfSection(section, file, baseMetadata(file, kind, mediaType));
  };
}

export const parseText = sectionParser("prose", "text/plain", (text) =>
  chunkText(text, { maxChars: MAX_SECTION_CHARS }),
);
export const parseCode = sectionParser("code", "text/plain", cutCode);
export const parseLog = sectionParser("log", "text/plain", cutLog);
/** JSON without texts, XML, YAML and other data that is kept as it is. */
export const parseData = sectionParser("data", "text/plain", cutLog);

/** CSV and TSV: sections of whole rows; the header's columns are named in each. */
export const parseTable: FormatParser = async function* (file, context) {
  let columns: string | undefined;
  let mediaType = "text/csv";
  for await (const section of textSections(file.blob, file.path, () => cutRows, context.signal)) {
    if (section.part === 1) {
      const lines = section.text.split(/\r?\n/, 20);
      columns = lines[0]!.replace(/^\ufeff/, "").slice(0, 1000);
      if (detectDelimiter(lines.filter((line) => line !== "")) === "\t")
        mediaType = "text/tab-separated-values";
    }
    const metadata = baseMetadata(file, "data", mediaType);
    if (columns) metadata.columns = columns;
    yield itemOfSection(section, file, metadata);
  }
};
