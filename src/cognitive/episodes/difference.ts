/**
 * How a near-identical text differs from its twin, sentence by sentence: what it has that the twin
 * hasn't, and the other way round. Part of showing an episode of near-identical notes.
 */

import { splitSentences } from "../../processing/content/segmentation.ts";
import { plainWords } from "./episode-text.ts";

export interface TextDifference {
  /** Sentences or lines of the text that its twin hasn't. */
  added: string[];
  /** Of the twin that the text hasn't. */
  missing: string[];
}

/** Equal but for case, spaces and marks counts as the same; repeated sentences are counted. */
export function differenceFrom(twin: string, text: string): TextDifference {
  return { added: onlyIn(text, twin), missing: onlyIn(twin, text) };
}

function onlyIn(text: string, other: string): string[] {
  const there = new Map<string, number>();
  for (const piece of piecesOf(other)) {
    const words = plainWords(piece);
    there.set(words, (there.get(words) ?? 0) + 1);
  }
  return piecesOf(text).filter((piece) => {
    const words = plainWords(piece);
    const count = there.get(words) ?? 0;
    if (words === "" || count === 0) return words !== "";
    there.set(words, count - 1);
    return false;
  });
}

/** Lines are pieces of their own: lists and forms have no sentences. */
function piecesOf(text: string): string[] {
  return text
    .split(/\r?\n/)
    .flatMap((line) => splitSentences(line).map(({ start, end }) => line.slice(start, end).trim()))
    .filter((piece) => piece !== "");
}
