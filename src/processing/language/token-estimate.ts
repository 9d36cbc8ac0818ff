/**
 * Counts tokens roughly where no tokenizer is at hand: for limits before a call and for usage that a
 * provider doesn't tell. Meant to be a little high rather than low for prose.
 */

import type { ChatMessage } from "../../ports/language-model.ts";

/** Role marks and separators that a chat template puts around each message. */
const TOKENS_PER_MESSAGE = 6;

/**
 * Byte-pair vocabularies spend about one token on four characters of Latin text, one on about two
 * characters of other alphabets, and at least one on each ideograph, kana, hangul or emoji.
 */
export function estimateTokens(text: string): number {
  let ascii = 0;
  let alphabetic = 0;
  let wide = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code < 0x80) ascii++;
    else if (code < 0x2e80) alphabetic++;
    else if (code < 0xdc00 || code > 0xdfff) wide++; // a surrogate pair counts once
  }
  return Math.ceil(ascii / 4 + alphabetic / 2 + wide * 1.2);
}

export function estimateMessageTokens(messages: readonly ChatMessage[]): number {
  return messages.reduce(
    (sum, message) => sum + estimateTokens(message.content) + TOKENS_PER_MESSAGE,
    0,
  );
}

/** The most tokens that a text can be: no vocabulary spends more than one on a byte. */
export function mostTokens(text: string): number {
  return new TextEncoder().encode(text).length;
}
