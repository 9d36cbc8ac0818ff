/**
 * What a model is shown of an analysed text: its own words without quotes and signatures, whole
 * where they fit and in parts where they don't. Parts end between units; nothing is left out.
 */

import type { SourceAnalysis } from "../compression/source-analysis.ts";
import { estimateTokens } from "./token-estimate.ts";

type OwnText = Pick<SourceAnalysis, "text" | "excluded" | "units">;

/** The text's own words in order, cut where its units begin; joined they are all of it. */
export function ownSegments({ text, excluded, units }: OwnText): string[] {
  const bounds = [0, ...units.slice(1).map((unit) => unit.start), text.length];
  const segments: string[] = [];
  for (let i = 0; i + 1 < bounds.length; i++) {
    let at = bounds[i]!;
    const end = bounds[i + 1]!;
    let own = "";
    for (const span of excluded) {
      if (span.end <= at || span.start >= end) continue;
      own += text.slice(at, Math.max(at, span.start));
      at = span.end;
    }
    own += text.slice(Math.min(at, end), end);
    if (own.trim() !== "") segments.push(own);
  }
  return segments;
}

/** Joins segments to parts of at most `maxTokens` (estimated); a longer segment is cut at white space. */
export function joinParts(segments: readonly string[], maxTokens: number): string[] {
  const parts: string[] = [];
  let part = "";
  for (const segment of segments.flatMap((text) => cutToFit(text, maxTokens))) {
    if (part !== "" && estimateTokens(part + segment) > maxTokens) {
      parts.push(part);
      part = "";
    }
    part += segment;
  }
  if (part.trim() !== "") parts.push(part);
  return parts.map((text) => text.trim());
}

function cutToFit(text: string, maxTokens: number): string[] {
  const pieces: string[] = [];
  let rest = text;
  while (estimateTokens(rest) > maxTokens) {
    // Proportional, then down until it fits: an ideograph is a token, a Latin letter a quarter.
    let length = Math.max(1, Math.floor((rest.length * maxTokens) / estimateTokens(rest)));
    while (length > 1 && estimateTokens(rest.slice(0, length)) > maxTokens)
      length = Math.floor(length * 0.9);
    const space = rest.lastIndexOf(" ", length);
    let cut = space > length / 2 ? space + 1 : length;
    const before = rest.charCodeAt(cut - 1);
    if (cut > 1 && before >= 0xd800 && before < 0xdc00) cut--;
    pieces.push(rest.slice(0, cut));
    rest = rest.slice(cut);
  }
  return [...pieces, rest];
}
