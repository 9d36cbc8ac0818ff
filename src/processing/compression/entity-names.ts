/**
 * People, places and organisations of a text: compromise's tagger, run only on the stretches that
 * can hold a name, plus capitalised phrases it has no word for.
 *
 * Last step of entity extraction; works on text in which shaped entities are already blanked.
 */

import type { EntityType } from "../../model/memory.ts";
import type { LocatedEntity } from "./entity-patterns.ts";
import { STOP_WORDS } from "./facts.ts";
import { tagNameTerms } from "./name-tagger.ts";

/** A capital after a lower-case word, or two capitalised words in a row. */
const MAY_HOLD_NAME =
  /[^.!?\s]\s+["'(]?\p{Lu}[\p{L}\p{M}]|^\W{0,3}\p{Lu}[\p{L}\p{M}'-]+ ["'(]?\p{Lu}/u;
const SINGLE_WORD = /^\W{0,3}\p{Lu}[\p{L}'-]+\W{0,3}$/u;
const CAPITALISED = /^\p{Lu}/u;
/** A word with a capital; "I" is none. */
const HAS_CAPITAL = /\p{Lu}[\p{L}\p{M}.]|[\p{L}\p{N}]\p{Lu}/u;
/** Words around a capital that the tagger is given. */
const WORDS_BEFORE = 3;
const WORDS_AFTER = 3;
/** The tagger is called for this much text at a time. */
const BATCH_CHARS = 2000;
/** Breaks a run of name terms: punctuation that is not part of an initial ("J. Smith"). */
const BREAKS = /[,;:!?()[\]"“”<>/|*=\n]|--|\s-\s|\.\s/;
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
    "internet web email mail page site free click here money " +
    "cool sure wow yeah yep yup nope nah ok okay oh ah aw aww awww awesome amazing great nice good right same sorry " +
    "maybe woohoo yay yum haha lol lmao hmm huh oops ouch phew yikes woah whoa absolutely definitely totally exactly " +
    "congrats congratulations welcome please bye goodbye later take care morning evening night glad happy love " +
    "well so and but also then now yes no not never none all both each every some any one two three this that " +
    "these those there what when where which who why how if because while is are was were be been do does did " +
    "has have had can could will would should may might must let just only very too more most much many " +
    "i'm i'll i've i'd it's that's what's let's we're we'll you're you'll they're don't can't won't isn't " +
    "agreed true false wrong interesting lovely beautiful perfect fantastic wonderful incredible impressive"
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
    // "Hey Jo" names Jo.
    .replace(
      /^(?:(?:hey|hi|hello|dear|thanks|thx|wow|oh|congrats|yeah|sorry|bye|so|and|but) )+(?=\p{Lu})/iu,
      "",
    )
    .replace(/['’]s?$/u, "")
    .replace(/\.$/u, (dot) => (/\b(?:\p{Lu}|Jr|Sr|Inc|Ltd|Co|Corp)\.$/u.test(name) ? dot : ""))
    .trim();
  if (trimmed.length < 2 || trimmed.length > 80) return null;
  if (!/\p{L}{2}/u.test(trimmed) || INITIAL.test(trimmed) || /[<>=@{}|\\]/.test(trimmed))
    return null;
  const words = trimmed
    .toLowerCase()
    .replace(/’/g, "'")
    .split(/[\s.!?,]+/u)
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

/** A stretch of the text that the tagger reads; `sentence` is where its sentence starts. */
interface Fragment {
  start: number;
  end: number;
  sentence: number;
}

/** "The", "Monday,": a capital that by itself tells of no name. */
function isCommonWord(word: string): boolean {
  const bare = /^\W*(\p{Lu}\p{Ll}+)\W*$/u.exec(word)?.[1]?.toLowerCase();
  return bare !== undefined && (STOP_WORDS.has(bare) || JUNK.has(bare));
}

/**
 * The stretches of a sentence around its capitals: the tagger looks no further than a few words for
 * what a word is, and most words of a sentence are far from any name.
 */
function fragmentsOf(sentence: string, offset: number): Fragment[] {
  const words = Array.from(sentence.matchAll(/\S+/g), (match) => ({
    start: match.index,
    end: match.index + match[0].length,
    capital: HAS_CAPITAL.test(match[0]) && !isCommonWord(match[0]),
  }));
  const fragments: Fragment[] = [];
  words.forEach((word, index) => {
    if (!word.capital) return;
    const from = words[Math.max(0, index - WORDS_BEFORE)]!.start;
    const end = words[Math.min(words.length - 1, index + WORDS_AFTER)]!.end;
    const last = fragments.at(-1);
    if (last && from <= last.end + 1 - offset) last.end = offset + end;
    else fragments.push({ start: offset + from, end: offset + end, sentence: offset });
  });
  return fragments;
}

/** Names in fragments of `text`, which is read with every white space as a space. */
function namesOfFragments(text: string, fragments: readonly Fragment[]): LocatedEntity[] {
  const found: LocatedEntity[] = [];
  const joined = fragments.map(({ start, end }) => text.slice(start, end)).join("\n");
  let index = 0;
  let fragmentStart = 0;
  for (const run of nameRuns(joined)) {
    let length = fragments[index]!.end - fragments[index]!.start;
    while (run.start > fragmentStart + length) {
      fragmentStart += length + 1;
      index++;
      length = fragments[index]!.end - fragments[index]!.start;
    }
    const raw = joined.slice(run.start, run.end);
    const name = cleanName(raw);
    if (name === null || !CAPITALISED.test(name.replace(/^\p{Ll}{1,3}(?=\p{Lu})/u, ""))) continue;
    const fragment = fragments[index]!;
    const start = fragment.start + run.start - fragmentStart + raw.indexOf(name);
    const opensSentence = text.slice(fragment.sentence, start).trim() === "";
    const confidence = run.confidence + (run.words > 1 ? 0.15 : opensSentence ? -0.2 : 0);
    found.push({ text: name, type: run.type, confidence, start, end: start + name.length });
  }
  return found;
}

/** Words in a row that the tagger takes for one name; offsets into `joined`. */
function nameRuns(joined: string): Run[] {
  const runs: Run[] = [];
  let cursor = 0;
  for (const terms of tagNameTerms(joined)) {
    let run: Run | null = null;
    for (const term of terms) {
      if (term.text === "") continue;
      const start = joined.indexOf(term.text, cursor);
      if (start < 0) continue;
      const end = start + term.text.length;
      const gap = joined.slice(cursor, start);
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
        (!BREAKS.test(gap) || /^\. $/.test(gap)) &&
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
  return runs;
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
  const spaced = text.replace(/\s/g, " ");
  const tagged: LocatedEntity[] = [];
  const phrases: LocatedEntity[] = [];
  let fragments: Fragment[] = [];
  let chars = 0;
  const flush = (): void => {
    if (fragments.length > 0) tagged.push(...namesOfFragments(spaced, fragments));
    fragments = [];
    chars = 0;
  };
  for (const { start, end } of sentences) {
    const sentence = spaced.slice(start, end);
    if (!MAY_HOLD_NAME.test(sentence) && !SINGLE_WORD.test(sentence)) continue;
    if (isShouting(sentence)) continue;
    for (const fragment of fragmentsOf(sentence, start)) {
      fragments.push(fragment);
      chars += fragment.end - fragment.start;
    }
    if (chars >= BATCH_CHARS) flush();
    phrasesOfSentence(sentence, start, phrases);
  }
  flush();
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
