/**
 * Text → token ids of the embedding model, cut at its window. Never tokenises more of a text than
 * can matter: a 10 MB line costs as much as its first page.
 */

import { Tokenizer } from "@huggingface/tokenizers";
import { AppError } from "../../errors.ts";

/** Characters looked at first per token of the window; English averages 4–5 per token. */
const CHARACTERS_PER_TOKEN = 8;
/** A text whose first this many characters do not fill the window is cut there. */
const MAX_CHARACTERS = 256 * 1024;
/** How far a cut moves right to end at a word's end. WordPiece takes a longer word for unknown anyway. */
const MAX_WORD_CHARACTERS = 100;
/** Texts are counted in pieces of about this many characters, cut at white space. */
const COUNT_PIECE_CHARACTERS = 16 * 1024;

export interface TextTokenizer {
  /** Ids with the model's start and end tokens, at most `maxTokens` of them; empty for a text without any token. */
  encode(text: string, maxTokens: number): Int32Array;
  /** Tokens of the whole text, start and end tokens included; 0 for a text without any. */
  countTokens(text: string): number;
}

/**
 * A tokenizer from the parsed content of a BERT-style `tokenizer.json`.
 * Rejects anything else with `model_failed`.
 */
export function createTextTokenizer(definition: unknown): TextTokenizer {
  let tokenizer: Tokenizer;
  try {
    // The second argument is tokenizer_config.json; what matters of it is in the first.
    tokenizer = new Tokenizer(definition as object, {});
  } catch (error) {
    throw new AppError("model_failed", "The tokenizer of the embedding model can't be read.", {
      hint: "Its file is damaged: install the embedding model again.",
      cause: error,
    });
  }
  const start = tokenizer.token_to_id("[CLS]");
  const end = tokenizer.token_to_id("[SEP]");
  if (start === undefined || end === undefined)
    throw new AppError(
      "model_failed",
      "The tokenizer of the embedding model has no [CLS] and [SEP] tokens.",
      { hint: "It belongs to another model: install the embedding model again." },
    );
  const ids = (text: string) => tokenizer.encode(text, { add_special_tokens: false }).ids;

  return {
    encode(text, maxTokens) {
      const clean = cleanText(text, MAX_CHARACTERS);
      const room = maxTokens - 2;
      let found: number[];
      for (let size = maxTokens * CHARACTERS_PER_TOKEN; ; size *= 4) {
        const cut = wordEnd(clean, size);
        found = ids(clean.slice(0, cut));
        if (found.length >= room || cut >= clean.length) break;
      }
      if (found.length === 0) return new Int32Array(0);
      return Int32Array.from([start, ...found.slice(0, room), end]);
    },
    countTokens(text) {
      const clean = cleanText(text, Infinity);
      let count = 0;
      for (let from = 0; from < clean.length;) {
        const to = wordEnd(clean, from + COUNT_PIECE_CHARACTERS);
        count += ids(clean.slice(from, to)).length;
        from = to;
      }
      return count === 0 ? 0 : count + 2;
    },
  };
}

/** What the model takes for white space; it drops the form feed, the vertical tab and the byte order mark. */
const WHITE_SPACE = /[^\S\f\v\uFEFF]/;

/**
 * What the model's own normaliser would drop anyway, dropped first so that it can't fill the cap:
 * control characters and runs of white space. Lone surrogates become U+FFFD, which it drops too.
 */
function cleanText(text: string, maxCharacters: number): string {
  let clean = "";
  const piece = 1 << 20;
  for (let from = 0; from < text.length && clean.length < maxCharacters; from += piece)
    clean += text
      .slice(from, from + piece)
      .replace(/[\p{Cc}\p{Cf}\uFFFD\s]+/gu, (run) => (WHITE_SPACE.test(run) ? " " : ""));
  return clean.replace(/\p{Surrogate}/gu, "").slice(0, maxCharacters);
}

/** The first word boundary at or behind `from`, or `from` itself where none is near; never inside a surrogate pair. */
function wordEnd(text: string, from: number): number {
  if (from >= text.length) return text.length;
  const limit = Math.min(text.length, from + MAX_WORD_CHARACTERS);
  for (let at = from; at < limit; at++) if (text.charCodeAt(at) === 32) return at;
  if (limit === text.length) return limit;
  const unit = text.charCodeAt(from);
  return unit >= 0xdc00 && unit <= 0xdfff ? from + 1 : from;
}
