/**
 * Single real sentences in a fixed order, drawn evenly from mails, addresses and a novel: the texts of
 * the benchmarks at 100,000 memories. Public data sets.
 */

import { createHash } from "node:crypto";
import { readCorpus, type CorpusText } from "./corpus.ts";

const MIN_UNITS = 30;
const MAX_UNITS = 240;
const SENTENCE = /[^.!?]+[.!?]+["”’)]*\s*|[^.!?]+$/g;

/** At most `count` distinct sentences with the fields of the text they are from. The same for every run; a smaller count gives a part of a larger one. */
export async function readSentences(count: number): Promise<CorpusText[]> {
  const seen = new Set<string>();
  const sentences: { order: string; text: CorpusText }[] = [];
  for (const source of await readCorpus(Infinity, 6000))
    for (const match of source.text.match(SENTENCE) ?? []) {
      const text = match.trim();
      if (text.length < MIN_UNITS || text.length > MAX_UNITS || seen.has(text)) continue;
      seen.add(text);
      const order = createHash("sha256").update(text).digest("hex").slice(0, 12);
      sentences.push({ order, text: { ...source, text } });
    }
  return sentences
    .sort((a, b) => (a.order < b.order ? -1 : 1))
    .slice(0, count)
    .map(({ text }) => text);
}
