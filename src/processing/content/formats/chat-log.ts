/**
 * Plain chat logs: WhatsApp exports, IRC clients, "[12:30] Ann: hello", transcripts "Ann: hello".
 *
 * One message is one item; who and when are fields, never text. A line that opens no message goes on
 * the message before it. The exact lines are the item's `original`, so the items put together are the file.
 */

import { META } from "../../../model/memory.ts";
import {
  baseMetadata,
  timestampOf,
  type ParseContext,
  type ParsedEntry,
  type SourceFile,
} from "../parsed-item.ts";
import type { Span } from "../segmentation.ts";
import { textSections, type TextSection } from "../text-sections.ts";
import { ChatCalendar, type WrittenTime } from "./chat-dates.ts";

/** How the lines of a log are written. `date` is what stands before the clock time, where there is one. */
export interface ChatPattern {
  name: "whatsapp" | "bracketed" | "irc" | "tabbed" | "transcript";
  line: RegExp;
  /** A line with a time that nobody speaks: "13/05/23, 21:31 - Carl left". */
  notice?: RegExp;
}

const DATE = String.raw`\d{1,4}[./-]\d{1,2}[./-]\d{1,4}`;
const CLOCK = String.raw`\d{1,2}[:.]\d{2}(?:[:.]\d{2})?(?:[\s\u202f\u00a0]?[ap]\.?\s?m\.?)?`;
/** A name: starts with a letter, digit, "+", "~" or "@", up to 40 characters, no colon. */
const NAME = String.raw`[\p{L}\p{Nd}+~@_][^:\t\r\n<>\[\]{}"]{0,39}?`;
const MARKS = String.raw`[\u200e\u200f\u202a-\u202e\ufeff]*`;

/** "s": a message may hold U+2028, which "." takes for the end of a line. */
const line = (source: string, flags = "isu"): RegExp => new RegExp(`^${MARKS}${source}`, flags);

const PATTERNS: readonly ChatPattern[] = [
  {
    name: "whatsapp",
    line: line(
      `\\[?(?<date>${DATE}),?\\s(?:um\\s|à\\s)?(?<clock>${CLOCK})\\]?\\s?(?:[-–]\\s)?${MARKS}(?<name>${NAME}):\\s${MARKS}(?<text>.*)$`,
    ),
    notice: line(
      `(?:\\[(?<date>${DATE}),?\\s(?<clock>${CLOCK})\\]\\s?|(?<date2>${DATE}),?\\s(?:um\\s|à\\s)?(?<clock2>${CLOCK})\\s[-–]\\s)${MARKS}(?<text>\\S.*)$`,
    ),
  },
  {
    name: "irc",
    line: line(
      `\\[?(?:(?<date>${DATE})[T ])?(?:(?<clock>${CLOCK})\\]?\\s+)?<[ @+%~&]?(?<name>[^>\\s][^>\\r\\n]{0,39})>\\s(?<text>.*)$`,
    ),
  },
  {
    name: "tabbed",
    line: line(
      `(?:(?<date>${DATE})[T ])?(?<clock>${CLOCK})\\t(?<name>[^\\t\\r\\n]{1,40})\\t(?<text>.*)$`,
    ),
  },
  {
    name: "bracketed",
    line: line(
      `[[(](?:(?<date>${DATE}),?[T ]\\s?)?(?<clock>${CLOCK})[\\])]\\s*(?<name>${NAME}):\\s(?<text>.*)$`,
    ),
  },
  {
    name: "transcript",
    line: line(`(?<name>[\\p{Lu}\\p{Lo}][^:\\t\\r\\n<>[\\]{}"/]{0,29}?):\\s+(?<text>\\S.*)$`, "su"),
  },
];

/** Words that stand before a colon in other kinds of text. */
const NOT_A_SPEAKER =
  /^(?:info|warn|warning|error|err|debug|trace|fatal|notice|critical|note|todo|fixme|hint|tip|example|from|to|cc|bcc|subject|date|sent|re|fwd|http|https|ps|p\.s\.|q|a)$/i;

/** Only the start of a line decides, so that a 10 MB line costs nothing. */
const HEAD_CHARS = 2000;

/** The pattern that a text's lines follow, or null when it isn't a chat. */
export function detectChatPattern(lines: readonly string[]): ChatPattern | null {
  const filled = lines
    .filter((text) => text.trim() !== "")
    .map((text) => text.slice(0, HEAD_CHARS));
  if (filled.length < 2) return null;
  for (const pattern of PATTERNS) {
    const speakers = new Map<string, number>();
    let count = 0;
    for (const text of filled) {
      const name = pattern.line.exec(text)?.groups?.name?.trim();
      if (!name || NOT_A_SPEAKER.test(name)) continue;
      count++;
      speakers.set(name, (speakers.get(name) ?? 0) + 1);
    }
    const share = count / filled.length;
    if (pattern.name === "transcript") {
      // Nothing but a colon marks a speaker here: ask for few names that return, none of them long.
      const returning = [...speakers.values()].filter((times) => times > 1).length;
      const short = [...speakers.keys()].every((name) => name.split(/\s+/).length <= 4);
      if (
        count >= 4 &&
        share >= 0.7 &&
        short &&
        returning >= 2 &&
        speakers.size <= Math.max(3, count / 2)
      )
        return pattern;
    } else if (count >= 2 && share >= 0.3) return pattern;
  }
  return null;
}

interface OpenedMessage extends WrittenTime {
  name?: string;
  text: string;
}

/** What the first line of a message says; null when it opens none. */
function openedBy(firstLine: string, pattern: ChatPattern): OpenedMessage | null {
  const spoken = pattern.line.exec(firstLine)?.groups;
  if (spoken)
    return {
      name: spoken.name!.trim(),
      date: spoken.date,
      clock: spoken.clock,
      text: spoken.text!,
    };
  const notice = pattern.notice?.exec(firstLine)?.groups;
  if (!notice) return null;
  return {
    date: notice.date ?? notice.date2,
    clock: notice.clock ?? notice.clock2,
    text: notice.text!,
  };
}

/** Where the line that starts at `at` ends, without and with its line break ("\n", "\r\n" or "\r"). */
function lineEnd(text: string, at: number): { end: number; next: number } {
  const lineBreak = /\r\n?|\n/g;
  lineBreak.lastIndex = at;
  const found = lineBreak.exec(text);
  return found
    ? { end: found.index, next: lineBreak.lastIndex }
    : { end: text.length, next: text.length };
}

/** Spans of messages: each starts at a line that the pattern opens. */
function messageSpans(text: string, pattern: ChatPattern): Span[] {
  const spans: Span[] = [];
  let start = 0;
  for (let at = 0; at < text.length;) {
    const { end, next } = lineEnd(text, at);
    const head = text.slice(at, Math.min(end, at + HEAD_CHARS)).trimEnd();
    if (at > start && openedBy(head, pattern)) {
      spans.push({ start, end: at });
      start = at;
    }
    at = next;
  }
  if (start < text.length) spans.push({ start, end: text.length });
  return spans;
}

/** Messages of a chat log whose pattern is known (`detectChatPattern`). */
export async function* parseChatLog(
  file: SourceFile,
  context: ParseContext,
  pattern: ChatPattern,
): AsyncGenerator<ParsedEntry> {
  const encoder = new TextEncoder();
  const calendar = new ChatCalendar(file);
  const sections = (): AsyncGenerator<TextSection> =>
    textSections(file.blob, file.path, () => (text) => messageSpans(text, pattern), context.signal);
  for await (const { text } of sections()) {
    const opened = openedBy(text.slice(0, lineEnd(text, 0).end).trimEnd(), pattern);
    if (opened) calendar.survey(opened);
  }
  let previous: number | undefined;
  for await (const section of sections()) {
    const { end } = lineEnd(section.text, 0);
    const opened = openedBy(section.text.slice(0, end).trimEnd(), pattern);
    const metadata = baseMetadata(file, "chat", "text/plain");
    metadata[META.thread] = file.path;
    let text = section.text.trim();
    if (opened) {
      if (opened.name) metadata[META.speaker] = opened.name;
      text = (opened.text + section.text.slice(end)).trim();
    }
    const timestamp = (opened && calendar.timeOf(opened)) ?? previous;
    previous = timestamp;
    // A message without words ("<empty>") still has its line to show.
    if (text === "") text = section.text.trim();
    yield {
      text,
      ...(text === section.text && !section.original
        ? {}
        : { original: section.original ?? encoder.encode(section.text) }),
      ...timestampOf(timestamp, file.lastModified),
      metadata,
      locator: `${file.path}#${section.part}`,
    };
  }
}
