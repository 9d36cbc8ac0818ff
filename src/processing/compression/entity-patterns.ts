/**
 * Entities that have a shape: mail addresses, URLs, phone numbers, code identifiers, ISO dates.
 *
 * First step of entity extraction; what is found here is blanked out for the steps after it, so
 * that a name inside an address is not found again as a person.
 */

import type { EntityType } from "../../model/memory.ts";

export interface LocatedEntity {
  text: string;
  type: EntityType;
  /** 0–1. */
  confidence: number;
  /** `[start, end)` in UTF-16 code units of the text it was found in. */
  start: number;
  end: number;
}

interface ShapePattern {
  type: EntityType;
  confidence: number;
  pattern: RegExp;
  /** Refines or refuses a match. */
  accept?: (match: string) => boolean;
}

const TRAILING = /[.,;:!?'")\]}>*_]+$/;

function digitCount(text: string): number {
  return text.replace(/\D/g, "").length;
}

/**
 * In order of precedence. Every quantifier is bounded or over a class that can't overlap its
 * neighbour, so that a match attempt is linear in the length of the text.
 */
const SHAPES: readonly ShapePattern[] = [
  {
    type: "url",
    confidence: 0.99,
    pattern: /\b(?:https?|ftp):\/\/[^\s<>"'`|\\^{}]{2,2000}/gi,
  },
  {
    type: "url",
    confidence: 0.9,
    pattern: /\bwww\.[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){1,6}(?:\/[^\s<>"'`]{0,500})?/gi,
  },
  {
    type: "email",
    confidence: 0.99,
    pattern: /(?<![\w.+-])[\w.+-]{1,64}@[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){1,6}/gi,
  },
  {
    type: "date",
    confidence: 0.97,
    pattern:
      /\b(?:1[5-9]|20)\d\d-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])(?:T[\d:.]{4,12}(?:Z|[+-]\d\d:?\d\d)?)?\b/g,
  },
  {
    type: "date",
    confidence: 0.9,
    pattern:
      /\b(?:0?[1-9]|[12]\d|3[01])[./](?:0?[1-9]|[12]\d|3[01])[./](?:1[5-9]\d\d|20\d\d|\d\d)\b/g,
  },
  {
    type: "time",
    confidence: 0.95,
    pattern: /\b(?:[01]?\d|2[0-3]):[0-5]\d(?::[0-5]\d)?(?:\s?[ap]\.?m\b\.?)?(?![\d:])/gi,
  },
  {
    type: "amount",
    confidence: 0.95,
    pattern:
      /(?:[$€£¥]|\b(?:USD|EUR|GBP|CHF)\s?)\d[\d,.]{0,20}(?:\s?(?:million|billion|thousand|k|m|bn)\b)?/gi,
  },
  {
    type: "phone",
    confidence: 0.85,
    pattern:
      /(?<![\w.+/-])(?:\+\d{1,3}[ .-]?)?(?:\(\d{2,4}\)[ .-]?)?\d{2,4}(?:[ .-]\d{2,4}){1,4}(?![\w/-]|\.\d)/g,
    accept: (match) => {
      const digits = digitCount(match);
      // Without a plus or an area code in brackets, only the 3-3-4 form is a phone number.
      return (
        digits >= 7 &&
        digits <= 15 &&
        (/^\+|\(/.test(match) || /^\d{3}[ .-]\d{3}[ .-]\d{4}$/.test(match))
      );
    },
  },
  { type: "code", confidence: 0.9, pattern: /(?<=`)[^`\n]{2,60}(?=`)/g },
  {
    type: "code",
    confidence: 0.8,
    pattern:
      /\b[\w-]{1,60}\.(?:c|cc|cpp|h|hpp|js|mjs|ts|tsx|py|rb|pl|pm|sh|java|go|rs|php|html?|css|json|ya?ml|toml|xml|sql|txt|md|csv|tar|gz|tgz|zip|rpm|deb|exe|dll|so|conf|cfg|log|patch|diff)\b/gi,
  },
  {
    type: "code",
    confidence: 0.9,
    pattern: /\b[A-Za-z_$][\w$]{1,60}(?:(?:\.|::|->)[A-Za-z_$][\w$]{0,60}){0,4}\(\)/g,
  },
  { type: "code", confidence: 0.8, pattern: /\b[a-z][a-z0-9]{1,40}(?:_[a-z0-9]{1,40}){1,6}\b/g },
  { type: "code", confidence: 0.8, pattern: /\b[A-Z][A-Z0-9]{1,30}(?:_[A-Z0-9]{1,30}){1,6}\b/g },
  { type: "code", confidence: 0.75, pattern: /\b[a-z]{2,30}(?:[A-Z][a-z0-9]{1,30}){1,5}\b/g },
  {
    type: "code",
    confidence: 0.75,
    pattern:
      /\b(?:0x[0-9a-f]{1,16}|CVE-\d{4}-\d{4,7}|v\d{1,4}(?:\.\d{1,6}){1,4}|\d{1,4}(?:\.\d{1,6}){2,4}(?:[-+][\w.]{1,20})?)\b/gi,
  },
];

/** All shaped entities, in order of their start, never overlapping. */
export function findShapedEntities(text: string): LocatedEntity[] {
  const found: LocatedEntity[] = [];
  let rest = text;
  for (const { type, confidence, pattern, accept } of SHAPES) {
    const hits: LocatedEntity[] = [];
    for (const match of rest.matchAll(pattern)) {
      const value = match[0].replace(TRAILING, (tail) =>
        tail.startsWith(")") && match[0].includes("(") ? ")" : "",
      );
      if (value.length < 2 || accept?.(value) === false) continue;
      hits.push({
        text: value,
        type,
        confidence,
        start: match.index,
        end: match.index + value.length,
      });
    }
    if (hits.length === 0) continue;
    found.push(...hits);
    rest = blankSpans(rest, hits);
  }
  return found.sort((a, b) => a.start - b.start);
}

/** The text with these spans (ascending, disjoint) replaced by spaces; every other offset stays. */
export function blankSpans(text: string, spans: readonly { start: number; end: number }[]): string {
  let result = "";
  let at = 0;
  for (const { start, end } of spans) {
    if (end <= at) continue;
    const from = Math.max(at, start);
    result += text.slice(at, from) + " ".repeat(end - from);
    at = end;
  }
  return result + text.slice(at);
}
