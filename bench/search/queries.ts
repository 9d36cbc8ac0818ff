/** Queries made of the texts themselves: two words, a question of words, a word being typed, a person's name and words. */

import { isFunctionWord, queryWords } from "../../src/search/text-analysis.ts";
import type { CorpusText } from "./corpus.ts";

export interface BenchQuery {
  query: string;
  prefix: boolean;
}

/** `count` of them, evenly over the texts and the four kinds; the same for every run. */
export function makeQueries(texts: readonly CorpusText[], count: number): BenchQuery[] {
  return Array.from({ length: count }, (_, i) => {
    const { text, speaker } = texts[(i * 7919) % texts.length]!;
    const words = queryWords(text)
      .map((word) => word.token)
      .filter((word) => word.length > 3 && !isFunctionWord(word));
    const at = (i * 31) % Math.max(1, words.length - 5);
    if (i % 4 === 0) return { query: words.slice(at, at + 2).join(" "), prefix: false };
    if (i % 4 === 1)
      return { query: `what about the ${words.slice(at, at + 5).join(" ")}?`, prefix: false };
    if (i % 4 === 2)
      return {
        query: `${words[at] ?? "and"} ${words[at + 1]?.slice(0, 3) ?? ""}`.trim(),
        prefix: true,
      };
    const name = speaker.replace(/<.*>/, "").trim().split(" ").at(-1) ?? "";
    return { query: `when did ${name} say ${words.slice(at, at + 3).join(" ")}`, prefix: false };
  });
}
