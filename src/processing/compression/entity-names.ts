/**
 * People, places and organisations of a text: compromise's tagger, run only on the sentences that
 * can hold a name, plus capitalised phrases it has no word for.
 *
 * Last step of entity extraction; works on text in which shaped entities are already blanked.
 */

import nlp from "compromise/two";
import type { EntityType } from "../../model/memory.ts";
import type { LocatedEntity } from "./entity-patterns.ts";

interface Term {
  text: string;
  pre: string;
  post: string;
  tags?: Set<string>;
}

/** A capital after a lower-case word, or two capitalised words in a row. */
const MAY_HOLD_NAME =
  /[^.!?\s]\s+["'(]?\p{Lu}[\p{L}\p{M}]|^\W{0,3}\p{Lu}[\p{L}\p{M}'-]+ ["'(]?\p{Lu}/u;
const SINGLE_WORD = /^\W{0,3}\p{Lu}[\p{L}'-]+\W{0,3}$/u;
const CAPITALISED = /^\p{Lu}/u;
/** Breaks a run of name terms: punctuation that is not part of an initial ("J. Smith"). */
const BREAKS = /[,;:!?()[\]"“”<>/|*=]|--|\s-\s|\.\s/;
const INITIAL = /^\p{Lu}\.?$/u;

/** Words that taggers take for names at the start of mail lines, and fillers of mail clients. */
const JUNK = new Set(
  (
    "re fw fwd aw wg cc bcc to from date sent subject hi hello dear hey thanks thank regards cheers best sincerely " +
    "original message forwarded mailing list spam html http www com net org edu am pm pgp signature unknown " +
    "mr mrs ms dr sir madam president king queen mom dad god i me my we you he she they it us ps nb btw imho " +
    "jan feb mar apr jun jul aug sep sept oct nov dec mon tue wed thu fri sat sun " +
    "january february march april may june july august september october november december " +
    "monday tuesday wednesday thursday friday saturday sunday today tomorrow yesterday " +
    "internet web email mail page site free click here money"
  ).split(" "),
);

const TAGS: readonly (readonly [tag: string, type: EntityType, confidence: number])[] = [
  ["Organization", "organization", 0.75],
  ["Place", "place", 0.8],
  ["Person", "person", 0.75],
];

/** Share of capitals among the letters of a sentence: shouting has no usable case. */
function isShouting(sentence: string): boolean {
  const letters = sentence.match(/\p{L}/gu)?.length ?? 0;
  const capitals = sentence.match(/\p{Lu}/gu)?.length ?? 0;
  return letters >= 12 && capitals > letters * 0.6;
}

/** Trims what is not part of a name; null when nothing usable is left. */
export function cleanName(name: string): string | null {
  const trimmed = name
    .replace(/^[^\p{L}\p{N}]+|[^\p{L}\p{N}.)]+$/gu, "")
    .replace(/['’]s?$/u, "")
    .replace(/\.$/u, (dot) => (/\b(?:\p{Lu}|Jr|Sr|Inc|Ltd|Co|Corp)\.$/u.test(name) ? dot : ""))
    .trim();
  if (trimmed.length < 2 || trimmed.length > 80) return null;
  if (!/\p{L}{2}/u.test(trimmed) || INITIAL.test(trimmed) || /[<>=@{}|\\]/.test(trimmed))
    return null;
  const words = trimmed
    .toLowerCase()
    .split(/[\s.]+/u)
    .filter(Boolean);
  if (words.every((word) => JUNK.has(word) || word.length === 1)) return null;
  return trimmed;
}

interface Run {
  type: EntityType;
  confidence: number;
  start: number;
  end: number;
  words: number;
}

/** Names of one sentence; `offset` is where the sentence starts in the whole text. */
function namesOfSentence(sentence: string, offset: number, found: LocatedEntity[]): void {
  const runs: Run[] = [];
  let cursor = 0;
  for (const terms of nlp(sentence).docs as Term[][]) {
    let run: Run | null = null;
    for (const term of terms) {
      if (term.text === "") continue;
      const start = sentence.indexOf(term.text, cursor);
      if (start < 0) continue;
      const end = start + term.text.length;
      const gap = sentence.slice(cursor, start);
      cursor = end;
      const tag = TAGS.find(([name]) => term.tags?.has(name));
      // The lexicon knows names in lower case too; those are nearly always common words.
      const isName =
        tag !== undefined &&
        (CAPITALISED.test(term.text) || /\p{Lu}/u.test(term.text) || run !== null);
      if (!isName) {
        run = null;
        continue;
      }
      const joins: boolean =
        run !== null &&
        run.type === tag[1] &&
        (!BREAKS.test(gap) || /^\.\s$/.test(gap)) &&
        gap.length <= 2;
      if (joins && run) {
        run.end = end;
        run.words++;
      } else {
        run = { type: tag[1], confidence: tag[2], start, end, words: 1 };
        runs.push(run);
      }
    }
  }
  for (const run of runs) {
    let { start, end } = run;
    const raw = sentence.slice(start, end);
    const name = cleanName(raw);
    if (name === null || !CAPITALISED.test(name.replace(/^\p{Ll}{1,3}(?=\p{Lu})/u, ""))) continue;
    start += raw.indexOf(name);
    end = start + name.length;
    const opensSentence = sentence.slice(0, start).trim().length === 0;
    const confidence = run.confidence + (run.words > 1 ? 0.15 : opensSentence ? -0.2 : 0);
    found.push({
      text: name,
      type: run.type,
      confidence,
      start: offset + start,
      end: offset + end,
    });
  }
}

/** Two or more capitalised words inside a sentence, joined by at most one small word: "Treaty of Ghent". */
const PHRASE =
  /(?<=[\p{Ll}\p{N},;:)"'’] ["'(]?)\p{Lu}[\p{L}\p{M}\p{N}'’&-]+(?: (?:(?:of|the|and|de|la|for|van|von|du) ){0,2}\p{Lu}[\p{L}\p{M}\p{N}'’&-]+){1,5}/gu;
/** Acronyms and inner capitals inside a sentence: "SQL", "OpenBSD", "McKinley". */
const ACRONYM =
  /(?<=[\p{Ll}\p{N},;:)"'’] ["'(]?)(?:\p{Lu}{2,6}\d{0,2}|\p{Lu}\p{Ll}+\p{Lu}[\p{L}\p{N}]+)(?![\p{L}\p{N}])/gu;

function phrasesOfSentence(sentence: string, offset: number, found: LocatedEntity[]): void {
  for (const [pattern, confidence] of [
    [PHRASE, 0.55],
    [ACRONYM, 0.5],
  ] as const)
    for (const match of sentence.matchAll(pattern)) {
      const name = cleanName(match[0]);
      if (name === null) continue;
      const start = offset + match.index + match[0].indexOf(name);
      found.push({ text: name, type: "other", confidence, start, end: start + name.length });
    }
}

/**
 * Names in the given sentences of `text` (spans in order). Overlaps are resolved for the tagger's
 * names over phrases, except that a longer phrase around a name replaces it ("Treaty of Ghent").
 */
export function findNames(
  text: string,
  sentences: readonly { start: number; end: number }[],
): LocatedEntity[] {
  const tagged: LocatedEntity[] = [];
  const phrases: LocatedEntity[] = [];
  for (const { start, end } of sentences) {
    const sentence = text.slice(start, end).replace(/\s/g, " ");
    if (!MAY_HOLD_NAME.test(sentence) && !SINGLE_WORD.test(sentence)) continue;
    if (isShouting(sentence)) continue;
    namesOfSentence(sentence, start, tagged);
    phrasesOfSentence(sentence, start, phrases);
  }
  const result: LocatedEntity[] = [...tagged];
  for (const phrase of phrases) {
    const overlapping = result.filter((e) => e.start < phrase.end && phrase.start < e.end);
    if (overlapping.length === 0) result.push(phrase);
    else if (
      overlapping.length === 1 &&
      phrase.start <= overlapping[0]!.start &&
      phrase.end >= overlapping[0]!.end &&
      phrase.text.length > overlapping[0]!.text.length &&
      !/ and /.test(phrase.text)
    ) {
      const inner = overlapping[0]!;
      const contained = inner.type === "place" && / of /.test(phrase.text);
      result[result.indexOf(inner)] = {
        ...phrase,
        type: contained ? "other" : inner.type,
        confidence: Math.min(0.9, inner.confidence),
      };
    }
  }
  return result.sort((a, b) => a.start - b.start);
}
