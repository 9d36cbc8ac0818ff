/**
 * Markdown: one section per heading, with the path of headings above it as its title; front matter
 * as metadata. Long sections are cut further; the sections put together are the file.
 */

import { META } from "../../../model/memory.ts";
import { parseDateValue } from "../dates.ts";
import { baseMetadata, timestampOf, type FormatParser } from "../parsed-item.ts";
import { chunkText, type Span } from "../segmentation.ts";
import { textBlocks } from "../text-blocks.ts";
import { textSections } from "../text-sections.ts";
import { itemOfSection, MAX_SECTION_CHARS } from "./plain.ts";

interface Heading {
  start: number;
  /** End of its line. */
  end: number;
  level: number;
  title: string;
}

function headingsOf(text: string): Heading[] {
  const headings: Heading[] = [];
  for (const block of textBlocks(text)) {
    if (block.kind !== "heading") continue;
    const line = text.slice(block.start, Math.min(block.end, block.start + 400));
    const marks = /^ {0,3}(#{1,6})(?:\s+(.*?))?(?:\s+#+)?\s*$/s.exec(line);
    const after = text.slice(block.end, block.end + 12);
    const underline = /^\r?\n {0,3}([=-])/.exec(after)?.[1];
    if (marks) headings.push({ ...block, level: marks[1]!.length, title: marks[2] ?? "" });
    else if (underline)
      headings.push({ ...block, level: underline === "=" ? 1 : 2, title: line.trim() });
  }
  return headings;
}

/** Spans by heading; a heading without a body stays with the next one. */
function cutAtHeadings(text: string): Span[] {
  const spans: Span[] = [];
  let start = 0;
  let bodyFrom = 0;
  const add = (end: number): void => {
    if (end <= start) return;
    for (const span of chunkText(text.slice(start, end), { maxChars: MAX_SECTION_CHARS }))
      spans.push({ start: start + span.start, end: start + span.end });
    start = end;
  };
  for (const heading of headingsOf(text)) {
    if (/[^\s=-]/.test(text.slice(bodyFrom, heading.start))) add(heading.start);
    bodyFrom = heading.end;
  }
  add(text.length);
  return spans;
}

const FRONT_MATTER = /^---[ \t]*\r?\n([\s\S]{0,16000}?)\r?\n(?:---|\.\.\.)[ \t]*(?:\r?\n|$)/;
const FIELD = /^([A-Za-z][\w -]{0,39}):[ \t]*(.*)$/;

/** The plain `key: value` and list fields of YAML front matter; nested values are left in the text. */
export function parseFrontMatter(text: string): { length: number; fields: Record<string, string> } {
  const match = FRONT_MATTER.exec(text.slice(0, 17_000));
  const fields: Record<string, string> = {};
  if (!match) return { length: 0, fields };
  let listKey: string | null = null;
  for (const line of match[1]!.split(/\r?\n/)) {
    const item = /^\s+-\s+(.*)$|^-\s+(.*)$/.exec(line);
    if (item && listKey) {
      const value = unquote(item[1] ?? item[2] ?? "");
      fields[listKey] = fields[listKey] ? `${fields[listKey]}, ${value}` : value;
      continue;
    }
    const field = FIELD.exec(line);
    if (!field) continue;
    const key = field[1]!.trim().toLowerCase().replaceAll(/[ -]/g, "_");
    const value = unquote(field[2]!.replace(/^\[(.*)\]$/, "$1"));
    listKey = value === "" ? key : null;
    if (value !== "") fields[key] = value.slice(0, 1000);
  }
  return { length: match[0].length, fields };
}

function unquote(value: string): string {
  return value.trim().replace(/^(["'])(.*)\1$/, "$2");
}

export const parseMarkdown: FormatParser = async function* (file, context) {
  let front: Record<string, string> = {};
  let titles: string[] = [];
  const sections = textSections(file.blob, file.path, () => cutAtHeadings, context.signal);
  for await (const section of sections) {
    const metadata = baseMetadata(file, "markdown", "text/markdown");
    let body = section.text;
    if (section.part === 1) {
      const matter = parseFrontMatter(section.text);
      front = matter.fields;
      body = section.text.slice(matter.length);
    }
    const headings = headingsOf(body);
    for (const { level, title } of headings) titles = [...titles.slice(0, level - 1), title];
    const path = titles.filter(Boolean).join(" › ");
    const { title: documentTitle, date, created, author, ...others } = front;
    for (const [key, value] of Object.entries(others)) metadata[key] ??= value;
    if (author) metadata[META.speaker] = author;
    const title = [documentTitle, path]
      .filter((part, i, all) => part && all.indexOf(part) === i)
      .join(" › ");
    if (title) metadata[META.title] = title;
    const item = itemOfSection(section, file, metadata);
    const written = parseDateValue(date) ?? parseDateValue(created);
    yield { ...item, ...timestampOf(written, item.timestamp) };
  }
};
