/**
 * What a text names: people, places, organisations, dates, times, amounts, numbers, addresses,
 * URLs, phone numbers and code identifiers, with their places in the text.
 *
 * Shaped entities by patterns, dates and amounts by wink-nlp, names by compromise. The work is per
 * sentence and per window, so its time is linear in the length of the text.
 */

import type { Entity } from "../../model/memory.ts";
import { splitSentences, type Span } from "../content/segmentation.ts";
import { blankSpans, findShapedEntities, type LocatedEntity } from "./entity-patterns.ts";
import { entityKey } from "./entity-key.ts";
import { findNames } from "./entity-names.ts";
import { findQuantities } from "./entity-quantities.ts";

export type { LocatedEntity } from "./entity-patterns.ts";

export interface ExtractOptions {
  /** Parts that count (own text of a mail, without quotes and signature), ascending; default the whole text. */
  spans?: readonly Span[];
  /** Sentences of the text where the caller has them. */
  sentences?: readonly Span[];
}

/** Lines that are fields of a mail, not text: "From: …", "Sent: …", "On … wrote:". */
const MAIL_LINE =
  /^[> \t]{0,40}(?:(?:from|to|cc|bcc|date|sent|subject|reply-to|message-id|in-reply-to|references|x-[\w-]{1,60}|received|content-[\w-]{1,60}|mime-version|return-path|delivered-to):[^\n]*|(?:on|le|am) .{5,120} (?:wrote|writes|a écrit|schrieb)[^:\n]{0,40}:|-{2,} ?(?:original|forwarded) message.*|begin forwarded message:.*)$/gim;
const QUOTE_MARKER = /^(?:[ \t]*[>|]){1,20}[ \t]?/gm;
const REPLY_PREFIX = /^[ \t]{0,40}(?:(?:re|fwd?|aw|wg)(?:\[\d+\])?: ?)+/gim;

/** The text with everything that is not its own words blanked; same length. */
function maskedText(text: string, spans: readonly Span[] | undefined): string {
  const blank = (match: string): string => " ".repeat(match.length);
  let masked = text
    .replace(MAIL_LINE, blank)
    .replace(QUOTE_MARKER, blank)
    .replace(REPLY_PREFIX, blank);
  if (spans) {
    const outside: Span[] = [];
    let at = 0;
    for (const { start, end } of spans) {
      if (start > at) outside.push({ start: at, end: start });
      at = Math.max(at, end);
    }
    if (at < text.length) outside.push({ start: at, end: text.length });
    masked = blankSpans(masked, outside);
  }
  return masked;
}

/** Finds the entities of texts. Stateless and deterministic; one instance serves all texts. */
export class EntityExtractor {
  /** Every mention, in order of its place, without overlaps. */
  locate(text: string, options: ExtractOptions = {}): LocatedEntity[] {
    const masked = maskedText(text, options.spans);
    const shaped = findShapedEntities(masked);
    let rest = blankSpans(masked, shaped);
    const sentences = options.sentences ?? splitSentences(text);
    // What is left of a figure of which a part was taken for something else is no figure.
    const quantities = findQuantities(rest, sentences).filter(
      ({ start, end }) => !/\d/.test(`${text[start - 1] ?? ""}${text[end] ?? ""}`),
    );
    rest = blankSpans(rest, quantities);
    const names = findNames(rest, sentences);
    return [...shaped, ...quantities, ...names].sort((a, b) => a.start - b.start);
  }

  /** Distinct entities in order of first mention; a repeated one is more certain. */
  extract(text: string, options: ExtractOptions = {}): Entity[] {
    return distinctEntities(this.locate(text, options));
  }
}

/** Distinct entities of mentions; a name that is a part of a longer one of its type is folded into it. */
export function distinctEntities(mentions: readonly LocatedEntity[]): Entity[] {
  const byKey = new Map<string, Entity & { count: number }>();
  for (const { text, type, confidence } of mentions) {
    const value = text.replace(/\s+/gu, " ");
    const key = entityKey(value);
    if (key === "") continue;
    const known = byKey.get(key);
    if (!known) byKey.set(key, { text: value, type, confidence, count: 1 });
    else {
      known.count++;
      // The same words tagged twice: the more certain reading holds.
      if (confidence > known.confidence) Object.assign(known, { type, confidence });
    }
  }
  const longer = new Set<string>();
  for (const [key, { type }] of byKey)
    if (type === "person")
      for (const word of key.includes(" ") ? key.split(" ") : []) longer.add(word);
  const result: Entity[] = [];
  for (const [key, { text, type, confidence, count }] of byKey) {
    if (type === "person" && !key.includes(" ") && longer.has(key)) continue;
    const certainty = Math.min(0.99, confidence + 0.05 * Math.min(3, count - 1));
    result.push({ text, type, confidence: Math.round(certainty * 100) / 100 });
  }
  return result;
}
