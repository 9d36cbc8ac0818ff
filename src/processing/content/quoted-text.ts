/**
 * Which parts of a mail body were written by others before: quoted lines, their attribution
 * ("On … wrote:"), forwarded headers, and the signature. The text itself stays whole; a summary
 * leaves these spans out.
 */

import type { Span } from "./segmentation.ts";

const QUOTE_LINE = /^\s{0,3}(?:[A-Z]{0,3}>|\|\s)/;
const ATTRIBUTION =
  /^\s*(?:on\s.{4,300}\swrote|am\s.{4,300}\sschrieb\s?.{0,100}|le\s.{4,300}\sa écrit|el\s.{4,300}\sescribió|il\s.{4,300}\sha scritto|.{2,200}\s(?:wrote|writes|said|schrieb)(?:\son\s.{4,100})?)\s?:\s*$/i;
const ATTRIBUTION_START = /^\s*(?:on|am|le|el|il)\s.*\d/i;
const DIVIDER =
  /^\s*(?:-{2,}\s*(?:original message|forwarded message|forwarded by.*|urspr[uü]ngliche nachricht|message d'origine|mensaje original|messaggio originale)\s*-{2,}|begin forwarded message:|_{10,})\s*$/i;
const OUTLOOK_FIELD =
  /^\s*\*?(?:from|von|de|da|sent|gesendet|envoyé|enviado|date|datum|to|an|à|para|cc|subject|betreff|objet|asunto|importance)\s?:\*?\s/i;
const OUTLOOK_FROM = /^\s*\*?(?:from|von|de|da)\s?:\*?\s/i;
const SIGNATURE_MARK = /^-- ?$/;
/** A signature longer than this is text after a "--". */
const MAX_SIGNATURE_LINES = 30;
const HEAD_CHARS = 400;

interface Line extends Span {
  head: string;
}

function splitLines(text: string): Line[] {
  const lines: Line[] = [];
  for (let start = 0; start < text.length;) {
    const lineBreak = text.indexOf("\n", start);
    const end = lineBreak < 0 ? text.length : lineBreak + 1;
    lines.push({
      start,
      end,
      head: text.slice(start, Math.min(end, start + HEAD_CHARS)).trimEnd(),
    });
    start = end;
  }
  return lines;
}

/** How many lines an Outlook header starting here has: "From:" and two more fields within six lines. */
function outlookHeaderLines(lines: readonly Line[], at: number): number {
  if (!OUTLOOK_FROM.test(lines[at]!.head)) return 0;
  let fields = 0;
  let last = at;
  for (let i = at; i < Math.min(lines.length, at + 8); i++) {
    if (OUTLOOK_FIELD.test(lines[i]!.head)) {
      fields++;
      last = i;
    } else if (lines[i]!.head === "") break;
  }
  return fields >= 3 ? last - at + 1 : 0;
}

/**
 * Spans of quoted text, in order, whole lines, never overlapping. An Outlook-style header or a
 * forward divider followed by one quotes everything below it.
 */
export function quotedSpans(text: string): Span[] {
  const lines = splitLines(text);
  const quoted = new Uint8Array(lines.length);
  for (let i = 0; i < lines.length; i++) {
    const { head } = lines[i]!;
    if (QUOTE_LINE.test(head)) {
      quoted[i] = 1;
      // The attribution is directly above the first quoted line, at most one empty line and one wrapped line away.
      if (i === 0 || quoted[i - 1]) continue;
      let above = i - 1;
      if (above >= 0 && lines[above]!.head === "") above--;
      if (above < 0) continue;
      const here = lines[above]!.head;
      const joined = above > 0 ? `${lines[above - 1]!.head} ${here.trim()}` : here;
      if (ATTRIBUTION.test(here) && !(above > 0 && ATTRIBUTION_START.test(lines[above - 1]!.head)))
        quoted.fill(1, above, i);
      else if (above > 0 && ATTRIBUTION.test(joined) && ATTRIBUTION_START.test(joined))
        quoted.fill(1, above - 1, i);
      else if (ATTRIBUTION.test(here)) quoted.fill(1, above, i);
      continue;
    }
    const divider = DIVIDER.test(head);
    let next = i;
    if (divider) {
      next = i + 1;
      while (next < lines.length && lines[next]!.head === "" && next < i + 3) next++;
    }
    const named = divider && !/^\s*_/.test(head);
    if ((next < lines.length && outlookHeaderLines(lines, next) > 0) || named) {
      quoted.fill(1, i);
      break;
    }
  }
  const spans: Span[] = [];
  for (let i = 0; i < lines.length; i++) {
    if (!quoted[i]) continue;
    const last = spans[spans.length - 1];
    if (last?.end === lines[i]!.start) last.end = lines[i]!.end;
    else spans.push({ start: lines[i]!.start, end: lines[i]!.end });
  }
  return spans;
}

/** The signature after the last "-- " line outside quotes (RFC 3676 §4.3), mark included; null without one. */
export function signatureSpan(text: string): Span | null {
  const lines = splitLines(text);
  const quotes = quotedSpans(text);
  const quotedFrom = quotes.find((span) => span.end >= text.trimEnd().length)?.start ?? text.length;
  let end = lines.length;
  while (end > 0 && lines[end - 1]!.start >= quotedFrom) end--;
  for (let i = end - 1; i >= Math.max(0, end - MAX_SIGNATURE_LINES - 1); i--) {
    const raw = text
      .slice(lines[i]!.start, Math.min(lines[i]!.end, lines[i]!.start + 8))
      .replace(/\r?\n$/, "");
    if (SIGNATURE_MARK.test(raw)) return { start: lines[i]!.start, end: lines[end - 1]!.end };
  }
  return null;
}
