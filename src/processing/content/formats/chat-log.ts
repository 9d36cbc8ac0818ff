/**
 * Plain chat logs: WhatsApp exports, IRC clients, "[12:30] Ann: hello", transcripts "Ann: hello".
 *
 * One message is one item; who and when are fields, never text. A line that opens no message goes on
 * the message before it. The exact lines are the item's `original`, so the items put together are the file.
 */

import { META } from "../../../model/memory.ts";
import { fullYear, localTime, parseClock, saneTimestamp } from "../dates.ts";
import {
  baseMetadata,
  timestampOf,
  type ParseContext,
  type ParsedEntry,
  type SourceFile,
} from "../parsed-item.ts";
import type { Span } from "../segmentation.ts";
import { textSections } from "../text-sections.ts";

/** How the lines of a log are written. `date` is what stands before the clock time, where there is one. */
export interface ChatPattern {
  name: "whatsapp" | "bracketed" | "irc" | "tabbed" | "transcript";
  line: RegExp;
}

const DATE = String.raw`\d{1,4}[./-]\d{1,2}[./-]\d{1,4}`;
const CLOCK = String.raw`\d{1,2}[:.]\d{2}(?:[:.]\d{2})?(?:[\s\u202f\u00a0]?[ap]\.?\s?m\.?)?`;
/** A name: starts with a letter, digit, "+", "~" or "@", up to 40 characters, no colon. */
const NAME = String.raw`[\p{L}\p{Nd}+~@_][^:\t\r\n<>\[\]{}"]{0,39}?`;
const MARKS = String.raw`[\u200e\u200f\u202a-\u202e\ufeff]*`;

const line = (source: string, flags = "iu"): RegExp => new RegExp(`^${MARKS}${source}`, flags);

const PATTERNS: readonly ChatPattern[] = [
  {
    name: "whatsapp",
    line: line(
      `\\[?(?<date>${DATE}),?\\s(?:um\\s|à\\s)?(?<clock>${CLOCK})\\]?\\s?(?:[-–]\\s)?${MARKS}(?<name>${NAME}):\\s${MARKS}(?<text>.*)$`,
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
    line: line(`(?<name>[\\p{Lu}\\p{Lo}][^:\\t\\r\\n<>[\\]{}"/]{0,29}?):\\s+(?<text>\\S.*)$`, "u"),
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

/** Spans of messages: each starts at a line that the pattern opens. */
function messageSpans(text: string, pattern: ChatPattern): Span[] {
  const spans: Span[] = [];
  let start = 0;
  for (let at = 0; at < text.length;) {
    const lineBreak = text.indexOf("\n", at);
    const next = lineBreak < 0 ? text.length : lineBreak + 1;
    const head = text.slice(at, Math.min(next, at + HEAD_CHARS)).trimEnd();
    if (at > start && pattern.line.test(head)) {
      spans.push({ start, end: at });
      start = at;
    }
    at = next;
  }
  if (start < text.length) spans.push({ start, end: text.length });
  return spans;
}

type DateOrder = "ymd" | "dmy" | "mdy";

/** Reads day and month in the order that the whole file allows; a clock with am/pm suggests month first. */
function dateOrder(lines: readonly string[], pattern: ChatPattern): DateOrder {
  let usesHalfDays = false;
  for (const text of lines) {
    const groups = pattern.line.exec(text.slice(0, HEAD_CHARS))?.groups;
    const parts = groups?.date?.split(/[./-]/);
    if (!parts) continue;
    if (parts[0]!.length === 4) return "ymd";
    if (Number(parts[0]) > 12) return "dmy";
    if (Number(parts[1]) > 12) return "mdy";
    if (groups?.date?.includes(".")) return "dmy";
    usesHalfDays ||= /[ap]\.?\s?m/i.test(groups?.clock ?? "");
  }
  return usesHalfDays ? "mdy" : "dmy";
}

function parseDate(value: string, order: DateOrder): [number, number, number] {
  const parts = value.split(/[./-]/) as [string, string, string];
  if (order === "ymd") return [fullYear(parts[0]), Number(parts[1]), Number(parts[2])];
  const year = fullYear(parts[2]);
  return order === "dmy"
    ? [year, Number(parts[1]), Number(parts[0])]
    : [year, Number(parts[0]), Number(parts[1])];
}

/** The day on which a log without dates starts: named in its path, else the file's own day. */
function startDay(file: SourceFile): Date | null {
  const named = /(\d{4})-?(\d{2})-?(\d{2})/.exec(file.path);
  if (named) {
    const at = localTime(Number(named[1]), Number(named[2]), Number(named[3]));
    if (saneTimestamp(at) !== undefined) return new Date(at);
  }
  return file.lastModified === undefined ? null : new Date(file.lastModified);
}

/** Messages of a chat log whose pattern is known (`detectChatPattern`). */
export async function* parseChatLog(
  file: SourceFile,
  context: ParseContext,
  pattern: ChatPattern,
  sampleLines: readonly string[],
): AsyncGenerator<ParsedEntry> {
  const order = dateOrder(sampleLines, pattern);
  const encoder = new TextEncoder();
  let day = startDay(file);
  let previousMinutes = -1;
  let previous: number | undefined;
  const sections = textSections(
    file.blob,
    file.path,
    () => (text) => messageSpans(text, pattern),
    context.signal,
  );
  for await (const section of sections) {
    const lineBreak = section.text.indexOf("\n");
    const firstLine = (lineBreak < 0 ? section.text : section.text.slice(0, lineBreak)).trimEnd();
    const groups = pattern.line.exec(firstLine)?.groups;
    const metadata = baseMetadata(file, "chat", "text/plain");
    metadata[META.thread] = file.path;
    let text = section.text.trim();
    let timestamp: number | undefined;
    if (groups) {
      metadata[META.speaker] = groups.name!.trim();
      const rest = lineBreak < 0 ? "" : section.text.slice(lineBreak);
      text = (groups.text! + rest).trim();
      const clock = groups.clock ? parseClock(groups.clock) : null;
      if (groups.date)
        timestamp = saneTimestamp(localTime(...parseDate(groups.date, order), clock));
      else if (clock && day) {
        const minutes = clock.hours * 60 + clock.minutes;
        // A clock that jumps back by half a day has passed midnight.
        if (previousMinutes - minutes > 720)
          day = new Date(day.getFullYear(), day.getMonth(), day.getDate() + 1);
        previousMinutes = minutes;
        timestamp = localTime(day.getFullYear(), day.getMonth() + 1, day.getDate(), clock);
      }
    }
    timestamp ??= previous;
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
