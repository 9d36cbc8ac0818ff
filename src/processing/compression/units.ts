/**
 * The units of a text: groups of whole sentences that are embedded once, chosen or left out by
 * the extractive summary, and averaged to the memory's search vector.
 *
 * First step of compression. A unit is one sentence; very short neighbours of one paragraph are
 * merged ("Yes. Do it."), a sentence longer than the model's window is embedded in pieces but
 * chosen as a whole. See docs/decisions/0002-sentence-units.md for the figures.
 */

import { splitSentences, type Span } from "../content/segmentation.ts";

/** A sentence shorter than this joins its neighbour. */
export const SHORT_UNIT_CHARS = 48;
/** Merging stops here. */
const MERGED_UNIT_CHARS = 240;
/** Longest piece that is embedded at once: below 256 tokens for prose and most other text. */
export const MAX_PIECE_CHARS = 700;
/** Longer "sentences" (base64, tables without line ends) are embedded but never chosen. */
export const MAX_CHOSEN_CHARS = 2000;

export interface TextUnit extends Span {
  /** The unit's words with single spaces, without quote markers: what a summary shows. */
  text: string;
  /** What is embedded; more than one where the unit exceeds the model's window. */
  pieces: string[];
  /** Share of the text, in characters of `text`. */
  weight: number;
}

const QUOTE_MARKERS = /^(?:[ \t]*[>|])+[ \t]?/gm;
const WORD = /[\p{L}\p{N}]/u;

/** A slice as it is shown and embedded: single spaces, no quote markers at line starts. */
export function cleanSlice(text: string, { start, end }: Span): string {
  return text.slice(start, end).replace(QUOTE_MARKERS, "").replace(/\s+/gu, " ").trim();
}

/** Cuts a long unit at clause ends, else at spaces, else anywhere between code points. */
export function cutPieces(text: string, maxChars: number = MAX_PIECE_CHARS): string[] {
  const pieces: string[] = [];
  let rest = text;
  while (rest.length > maxChars) {
    const head = rest.slice(0, maxChars);
    const clause = Math.max(head.lastIndexOf("; "), head.lastIndexOf(", "), head.lastIndexOf(": "));
    const space = head.lastIndexOf(" ");
    let cut = clause > maxChars / 2 ? clause + 1 : space > maxChars / 2 ? space : maxChars;
    const before = rest.charCodeAt(cut - 1);
    if (before >= 0xd800 && before < 0xdc00) cut--;
    pieces.push(rest.slice(0, cut).trim());
    rest = rest.slice(cut).trim();
  }
  if (rest !== "") pieces.push(rest);
  return pieces;
}

function isParagraphBreak(gap: string): boolean {
  return /\n\s*\n/.test(gap);
}

/** Spans of `all` that lie (for the larger part) outside of `excluded`; both ascending. */
export function outsideOf(all: readonly Span[], excluded: readonly Span[]): Span[] {
  if (excluded.length === 0) return [...all];
  let index = 0;
  return all.filter(({ start, end }) => {
    while (index < excluded.length && excluded[index]!.end <= start) index++;
    let covered = 0;
    for (let i = index; i < excluded.length && excluded[i]!.start < end; i++)
      covered += Math.min(end, excluded[i]!.end) - Math.max(start, excluded[i]!.start);
    return covered * 2 < end - start;
  });
}

/** Groups sentences (ascending spans of `text`) to units; sentences without a letter or digit are dropped. */
export function groupUnits(text: string, sentences: readonly Span[]): TextUnit[] {
  const units: TextUnit[] = [];
  let open: { start: number; end: number; text: string } | null = null;
  const close = (): void => {
    if (open) units.push({ ...open, pieces: cutPieces(open.text), weight: open.text.length });
    open = null;
  };
  for (const sentence of sentences) {
    const words = cleanSlice(text, sentence);
    if (!WORD.test(words)) continue;
    const current: { start: number; end: number; text: string } | null = open;
    if (current !== null) {
      const { start, end, text: shown } = current as { start: number; end: number; text: string };
      const short = shown.length < SHORT_UNIT_CHARS || words.length < SHORT_UNIT_CHARS;
      const fits = shown.length + words.length < MERGED_UNIT_CHARS;
      if (short && fits && !isParagraphBreak(text.slice(end, sentence.start))) {
        open = { start, end: sentence.end, text: `${shown} ${words}` };
        continue;
      }
    }
    close();
    open = { start: sentence.start, end: sentence.end, text: words };
  }
  close();
  return units;
}

/** The units of a text, without the parts in `excluded` (quotes, signature, boilerplate). */
export function planUnits(text: string, excluded: readonly Span[] = []): TextUnit[] {
  return groupUnits(text, outsideOf(splitSentences(text), excluded));
}
