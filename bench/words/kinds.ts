/** Kinds of queries as people and programs ask them, made of the texts themselves in a fixed order. */

import { isFunctionWord, queryWords } from "../../src/search/text-analysis.ts";
import type { CorpusText } from "../search/corpus.ts";

export interface WordQuery {
  text: string;
  prefix: boolean;
}

const COMMON_PHRASES = ['"of the"', '"in the"', '"to the"', '"it is"', '"united states"'];

export function makeKinds(texts: readonly CorpusText[], count: number): Map<string, WordQuery[]> {
  const wordsOf = (i: number): string[] =>
    queryWords(texts[(i * 7919) % texts.length]!.text).map((word) => word.token);
  const contentOf = (i: number): string[] =>
    wordsOf(i).filter((word) => word.length > 3 && !isFunctionWord(word));
  const make = (one: (i: number) => string, prefix = false): WordQuery[] =>
    Array.from({ length: count }, (_, i) => ({ text: one(i), prefix }));
  return new Map([
    ["two words", make((i) => contentOf(i).slice(0, 2).join(" "))],
    ["question", make((i) => `What about the ${contentOf(i).slice(0, 6).join(" ")}?`)],
    ["whole sentence", make((i) => wordsOf(i).join(" "))],
    [
      "eight sentences",
      make((i) => Array.from({ length: 8 }, (_, k) => wordsOf(i + k * 13).join(" ")).join(" ")),
    ],
    ["one letter", make((i) => contentOf(i)[0]?.[0] ?? "a", true)],
    ["two letters", make((i) => contentOf(i)[0]?.slice(0, 2) ?? "th", true)],
    [
      "second word",
      make((i) => `${contentOf(i)[0] ?? ""} ${contentOf(i)[1]?.slice(0, 3) ?? ""}`.trim(), true),
    ],
    ["phrase", make((i) => `"${wordsOf(i).slice(2, 4).join(" ")}"`)],
    ["common phrase", make((i) => COMMON_PHRASES[i % COMMON_PHRASES.length]!)],
  ]);
}
