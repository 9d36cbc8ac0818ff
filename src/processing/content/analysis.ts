/**
 * What a text is: kind, language, size and complexity. First stage of the compression pipeline; its
 * figures steer the choice of model and are kept as metadata.
 *
 * Bounded: kind, language and complexity come from samples, so a 100 MB text costs what its byte and
 * word counts cost.
 */

import type { ContentKind } from "../../model/memory.ts";
import { detectKind, type KindHint } from "./content-kind.ts";
import { detectLanguage, sampleOf } from "./language.ts";
import { splitSentences } from "./segmentation.ts";

export interface ContentAnalysis {
  kind: ContentKind;
  /** ISO 639-1, "und" when it can't be told. */
  language: string;
  /** UTF-16 code units. */
  characters: number;
  /** Of the UTF-8 form. */
  bytes: number;
  /** Estimated from the sample when the text is longer than it. */
  words: number;
  /** Estimated from the sample when the text is longer than it. */
  sentences: number;
  /** Tokens of a language model, estimated from bytes and script. */
  estimatedTokens: number;
  /**
   * 0–1, how much of the text resists being shortened: the mean of four densities, each cut at 1:
   * distinct words (moving window of 50), sentence length / 40 words, numbers and names / 0.3 per
   * word, long words (≥ 7 letters) / 0.4 per word.
   */
  complexity: number;
}

const COMPLEXITY_SAMPLE_CHARS = 32_768;

const WORD = /[\p{L}\p{M}\p{Nd}]+(?:['’.-][\p{L}\p{M}\p{Nd}]+)*/gu;
const NO_SPACE_SCRIPT =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}]/gu;

/** Bytes of the UTF-8 form, without making it; a lone surrogate counts as U+FFFD. */
export function utf8Length(text: string): number {
  let bytes = text.length;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 0x80) continue;
    if (code < 0x800) bytes += 1;
    else if (code >= 0xd800 && code < 0xdc00 && i + 1 < text.length) {
      const next = text.charCodeAt(i + 1);
      bytes += 2;
      if (next >= 0xdc00 && next < 0xe000) i++;
    } else bytes += 2;
  }
  return bytes;
}

function countOf(text: string, pattern: RegExp): number {
  return text.match(pattern)?.length ?? 0;
}

/** Tokens of common byte-pair vocabularies: about 4 characters of Latin text, 1.5 of Han or kana, 2.5 of others. */
function estimateTokens(text: string): number {
  const sample = sampleOf(text, COMPLEXITY_SAMPLE_CHARS);
  if (sample.length === 0) return 0;
  const dense = countOf(sample, NO_SPACE_SCRIPT);
  const other = countOf(sample, /[^\p{ASCII}]/gu) - dense;
  const ascii = sample.length - dense - Math.max(0, other);
  const tokens = ascii / 4 + dense / 1.5 + Math.max(0, other) / 2.5;
  return Math.max(1, Math.round((tokens * text.length) / sample.length));
}

/** Mean share of distinct words in windows of 50; unlike a plain ratio it doesn't fall with length. */
function lexicalDiversity(words: readonly string[]): number {
  const window = Math.min(50, words.length);
  if (window === 0) return 0;
  let total = 0;
  let windows = 0;
  for (let start = 0; start + window <= words.length; start += window) {
    total += new Set(words.slice(start, start + window)).size / window;
    windows++;
  }
  return total / windows;
}

function complexityOf(sample: string, words: readonly string[], sentences: number): number {
  if (words.length === 0) return 0;
  const cut = (value: number): number => Math.min(1, Math.max(0, value));
  const lower = words.map((word) => word.toLowerCase());
  const numbers = words.filter((word) => /\d/.test(word)).length;
  const names = countOf(sample, /(?<=[\p{L},;:)]\s)\p{Lu}[\p{L}\p{M}]+/gu);
  const long = words.filter((word) => word.length >= 7).length;
  const parts = [
    lexicalDiversity(lower),
    cut(words.length / Math.max(1, sentences) / 40),
    cut((numbers + names) / words.length / 0.3),
    cut(long / words.length / 0.4),
  ];
  return parts.reduce((sum, part) => sum + part, 0) / parts.length;
}

/** Words of a text; characters of scripts without spaces count as one word each two. */
function countWords(sample: string, words: readonly string[]): number {
  const dense = countOf(sample, NO_SPACE_SCRIPT);
  if (dense === 0) return words.length;
  const spaced = sample.replaceAll(NO_SPACE_SCRIPT, " ").match(WORD)?.length ?? 0;
  return spaced + Math.ceil(dense / 2);
}

/** Analyses a text; the hint is what is known from outside (file name, media type). */
export function analyzeContent(text: string, hint: KindHint = {}): ContentAnalysis {
  const sample = sampleOf(text, COMPLEXITY_SAMPLE_CHARS);
  const scale = sample.length === 0 ? 0 : text.length / sample.length;
  const words = sample.match(WORD) ?? [];
  const sentences = splitSentences(sample).length;
  return {
    kind: detectKind(text, hint),
    language: detectLanguage(text),
    characters: text.length,
    bytes: utf8Length(text),
    words: Math.round(countWords(sample, words) * scale),
    sentences: Math.round(sentences * scale),
    estimatedTokens: estimateTokens(text),
    complexity: complexityOf(sample, words, sentences),
  };
}
