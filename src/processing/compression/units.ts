/**
 * The units of a text: whole sentences that are embedded once, chosen or left out by the extractive
 * summary, and averaged to the memory's search vector.
 *
 * First step of compression. A fragment ("Hey Jon!", "Yes.") is shown with its neighbour and not
 * embedded: it would cost an inference and blur the vector. A sentence longer than the model's
 * window is embedded in pieces and chosen as a whole. Figures: docs/decisions/0002-sentence-units.md.
 */

import { splitSentences, type Span } from "../content/segmentation.ts";

/** A shorter sentence is a fragment. */
export const FRAGMENT_CHARS = 25;
/** Fragments join a unit up to this length. */
const MAX_JOINED_CHARS = 240;
/** Longest piece that is embedded at once: below 256 tokens for prose and most other text. */
export const MAX_PIECE_CHARS = 700;
/** Windows are about as long as the model can see at once (256 tokens). */
export const WINDOW_CHARS = 900;
/** Longer "sentences" (base64, tables without line ends) are embedded but never chosen. */
export const MAX_CHOSEN_CHARS = 2000;

export interface TextUnit extends Span {
  /** The unit's words with single spaces, without quote markers: what a summary shows. */
  text: string;
  /** What is embedded: its sentence without fragments, in several pieces where it exceeds the model's window. */
  pieces: string[];
  /** The sentence alone, without the fragments around it: what a summary that replaces its text shows. */
  core: Span & { text: string };
  /** Share of the text, in characters that are embedded. */
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

interface OpenUnit extends Span {
  text: string;
  /** The one sentence that is no fragment; null while there are only fragments. */
  core: (Span & { text: string }) | null;
}

function closeUnit({ start, end, text, core }: OpenUnit): TextUnit {
  const said = core ?? { start, end, text };
  return { start, end, text, pieces: cutPieces(said.text), core: said, weight: said.text.length };
}

/**
 * Groups sentences (ascending spans of `text`) to units: one sentence each, with the fragments
 * after it, and before it at the start of a paragraph. Sentences without a letter or digit are
 * dropped; fragments that stand alone too, unless there is nothing else.
 */
export function groupUnits(text: string, sentences: readonly Span[]): TextUnit[] {
  const groups: OpenUnit[] = [];
  for (const { start, end } of sentences) {
    const words = cleanSlice(text, { start, end });
    if (!WORD.test(words)) continue;
    const core = words.length < FRAGMENT_CHARS ? null : { start, end, text: words };
    const last = groups.at(-1);
    const joins =
      last !== undefined &&
      (core === null || last.core === null) &&
      last.text.length + words.length < MAX_JOINED_CHARS &&
      !isParagraphBreak(text.slice(last.end, start));
    if (joins) {
      last.end = end;
      last.text += ` ${words}`;
      last.core ??= core;
    } else groups.push({ start, end, text: words, core });
  }
  const telling = groups.filter((group) => group.text.length >= FRAGMENT_CHARS);
  return (telling.length > 0 ? telling : groups).map(closeUnit);
}

/** The units of a text, without the parts in `excluded` (quotes, signature, boilerplate). */
export function planUnits(text: string, excluded: readonly Span[] = []): TextUnit[] {
  return groupUnits(text, outsideOf(splitSentences(text), excluded));
}

/** A whole text cut into windows as long as the model sees at once: the second reading of similarity. */
export function textWindows(text: string): string[] {
  const clean = cleanSlice(text, { start: 0, end: text.length });
  return clean === "" ? [] : cutPieces(clean, WINDOW_CHARS);
}
