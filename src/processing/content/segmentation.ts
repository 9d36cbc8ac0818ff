/**
 * Cuts text into sentences (the units of summaries) and chunks (the units of embedding and of long
 * documents). Everything is offsets into the given string, so nothing is copied, lost or changed.
 *
 * Linear in the length of the text; a single line of 10 MB, NULs and lone surrogates are fine.
 */

import { AppError } from "../../errors.ts";
import { sentenceEnds } from "./sentence-rules.ts";
import { codeLines, textBlocks } from "./text-blocks.ts";

/** `[start, end)` in UTF-16 code units. */
export interface Span {
  start: number;
  end: number;
}

/** A run without any sentence end (a base64 line, an unpunctuated log) is cut at a word at this length. */
export const MAX_SENTENCE_CHARS = 4000;

function isWhiteSpace(code: number): boolean {
  if (code < 128) return code === 32 || (code >= 9 && code <= 13);
  return code >= 0xa0 && String.fromCharCode(code).trim() === "";
}

/** Moves `at` left when it would split a surrogate pair. */
function codePointBoundary(text: string, at: number): number {
  const before = text.charCodeAt(at - 1);
  const after = text.charCodeAt(at);
  const splits = before >= 0xd800 && before < 0xdc00 && after >= 0xdc00 && after < 0xe000;
  return splits ? at - 1 : at;
}

/** The last cut in (from, limit] that follows white space, else the last code point boundary. */
function wordCut(text: string, from: number, limit: number): number {
  const lowest = from + Math.floor((limit - from) / 2);
  for (let at = limit; at > lowest; at--) if (isWhiteSpace(text.charCodeAt(at - 1))) return at;
  const cut = codePointBoundary(text, limit);
  return cut > from ? cut : limit;
}

/** Yields `[start, end)` without the white space around it, in pieces of at most `MAX_SENTENCE_CHARS`. */
function* trimmedPieces(text: string, start: number, end: number): Generator<Span> {
  while (start < end) {
    while (start < end && isWhiteSpace(text.charCodeAt(start))) start++;
    while (end > start && isWhiteSpace(text.charCodeAt(end - 1))) end--;
    if (start >= end) return;
    if (end - start <= MAX_SENTENCE_CHARS) {
      yield { start, end };
      return;
    }
    const cut = wordCut(text, start, start + MAX_SENTENCE_CHARS);
    let pieceEnd = cut;
    while (isWhiteSpace(text.charCodeAt(pieceEnd - 1))) pieceEnd--;
    yield { start, end: pieceEnd };
    start = cut;
  }
}

function* sentences(text: string): Generator<Span> {
  for (const block of textBlocks(text)) {
    if (block.kind === "rule") continue;
    if (block.kind === "heading") yield* trimmedPieces(text, block.start, block.end);
    else if (block.kind === "code")
      for (const line of codeLines(text, block)) yield* trimmedPieces(text, line.start, line.end);
    else {
      let start = block.start;
      for (const end of sentenceEnds(text, block.start, block.end)) {
        yield* trimmedPieces(text, start, end);
        start = end;
      }
    }
  }
}

/**
 * The sentences of a text: trimmed, in order, never overlapping. A heading, a list item and a line
 * of code are each one; every character but white space and drawn rules ("-----") is in one.
 */
export function splitSentences(text: string): Span[] {
  return [...sentences(text)];
}

export interface ChunkOptions {
  /** Most UTF-16 code units of a chunk, ≥ 2. */
  maxChars: number;
}

const SECTION = 3;
const PARAGRAPH = 2;
const SENTENCE = 1;
const CODE_LINE = 0;

/** Places where a text may be cut: ascending offsets, and how good each is (0 only when it must be). */
export interface CutPlaces {
  at: number[];
  level: number[];
}

function cutPlaces(text: string): CutPlaces {
  const at: number[] = [];
  const level: number[] = [];
  const push = (offset: number, value: number): void => {
    const last = at.length - 1;
    if (last >= 0 && at[last] === offset) level[last] = Math.max(level[last]!, value);
    else {
      at.push(offset);
      level.push(value);
    }
  };
  let afterHeading = false;
  for (const block of textBlocks(text)) {
    // A heading stays with what it announces.
    const value = block.opensParagraph ? PARAGRAPH : SENTENCE;
    if (block.kind === "heading") push(block.start, afterHeading ? SENTENCE : SECTION);
    else push(block.start, afterHeading ? SENTENCE : value);
    afterHeading = block.kind === "heading";
    if (block.kind === "code")
      for (const line of codeLines(text, block)) push(line.start, CODE_LINE);
    else if (block.kind === "text")
      for (const end of sentenceEnds(text, block.start, block.end)) {
        let next = end;
        while (next < block.end && isWhiteSpace(text.charCodeAt(next))) next++;
        if (next < block.end) push(next, SENTENCE);
      }
  }
  return { at, level };
}

/**
 * Spans of at most `maxChars` that together are the whole text, without gap or overlap. Cut at
 * section > paragraph > sentence > line of code > word > code point: a lesser cut is taken only
 * when no better one leaves the chunk at least a third full.
 *
 * @throws AppError `invalid_input` when `maxChars` is not an integer ≥ 2.
 */
export function chunkText(text: string, options: ChunkOptions): Span[] {
  const { maxChars } = options;
  if (!Number.isInteger(maxChars) || maxChars < 2)
    throw new AppError(
      "invalid_input",
      `maxChars must be an integer of at least 2, not ${maxChars}.`,
    );
  if (text.length <= maxChars) return packSpans(text, { at: [], level: [] }, maxChars);
  return packSpans(text, cutPlaces(text), maxChars);
}

/**
 * Packs a text into spans of at most `maxChars`, cut at the given places; where none is in reach, at
 * a word or a code point. The spans are the whole text.
 */
export function packSpans(text: string, places: CutPlaces, maxChars: number): Span[] {
  if (text.length === 0) return [];
  const chunks: Span[] = [];
  let start = 0;
  let index = 0;
  while (text.length - start > maxChars) {
    const limit = start + maxChars;
    const wellFilled = start + maxChars / 3;
    while (index < places.at.length && places.at[index]! <= start) index++;
    let cut = -1;
    let best = -1;
    for (let i = index; i < places.at.length && places.at[i]! <= limit; i++) {
      // Well filled: the better level, then the later place. Else: the later place outside of code.
      const level = places.level[i]!;
      const score = level === CODE_LINE ? 0 : places.at[i]! < wellFilled ? 1 : 1 + level;
      if (score >= best) {
        best = score;
        cut = places.at[i]!;
      }
    }
    if (cut < 0) cut = wordCut(text, start, limit);
    chunks.push({ start, end: cut });
    start = cut;
  }
  chunks.push({ start, end: text.length });
  return chunks;
}
