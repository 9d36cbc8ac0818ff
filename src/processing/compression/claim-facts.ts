/**
 * The facts of a claim (names, numbers, negations), and whether source sentences hold them. Used by
 * the faithfulness check to find what supports a claim and what is missing there; whether a fact that
 * is held also stands beside the same words: `claim-rules.ts`.
 */

import type { Token } from "./facts.ts";
import { KIN, type SourceIndex, type SourceSentence } from "./source-index.ts";

/** Names inside a sentence, numbers, negations; a capital at its start when the source knows that name. */
export function isFact(
  token: Token,
  tokens: readonly Token[],
  names: ReadonlySet<string>,
): boolean {
  if (token.kind === "number") return !isTheTwo(token, tokens);
  if (token.kind !== "word" || KIN.test(token.word)) return true;
  if (!token.opensSentence || !/^\p{Lu}/u.test(token.text) || !token.content) return false;
  if (names.has(token.value)) return true;
  const next = tokens[tokens.indexOf(token) + 1];
  return next?.kind === "name" && next.start - token.end <= 2 && next.start >= token.end;
}

/** Whether a sentence holds a name or number of a claim, or a part of that name (`at`: its place). */
export function holdsFact(
  fact: Token,
  at: number,
  tokens: readonly Token[],
  sentence: SourceSentence,
  namePairs: SourceIndex["namePairs"],
): boolean {
  return (
    sentence.values.has(fact.value) ||
    (fact.kind !== "number" && sentence.resolvable.has(fact.value)) ||
    isFullName(fact, at, tokens, sentence, namePairs)
  );
}

/** Whether a sentence has a word, or a pronoun that may stand for it. */
export function hasValue({ values, resolvable }: SourceSentence, value: string): boolean {
  return values.has(value) || resolvable.has(value);
}

/** How often words negate. */
export function negationCount(tokens: readonly Token[]): number {
  return tokens.filter((token) => token.kind === "negation").length;
}

/** "Andrew" before "Jackson" is supported where the aligned sentence has "Jackson" and the source "Andrew Jackson". */
function isFullName(
  fact: Token,
  at: number,
  tokens: readonly Token[],
  sentence: SourceSentence,
  namePairs: SourceIndex["namePairs"],
): boolean {
  if (fact.kind === "number" || fact.kind === "negation") return false;
  const next = tokens[at + 1];
  const previous = tokens[at - 1];
  return (
    (next !== undefined &&
      hasValue(sentence, next.value) &&
      namePairs.has(`${fact.value} ${next.value}`)) ||
    (previous !== undefined &&
      hasValue(sentence, previous.value) &&
      namePairs.has(`${previous.value} ${fact.value}`))
  );
}

/** "The two married": a pronoun. */
function isTheTwo(token: Token, tokens: readonly Token[]): boolean {
  return token.value === "2" && tokens[tokens.indexOf(token) - 1]?.word === "the";
}
