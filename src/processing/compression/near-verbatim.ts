/**
 * A sentence that is nearly word for word one of the source differs from it on purpose: then every
 * exchanged word is looked at. Catches what no list of opposites knows ("rose" for "slid"), swapped
 * words, and quantifiers, modals and negations that were put in, taken out or exchanged.
 */

import { MONTH_VALUES, NEGATIVE_VERBS, stemWord, type Token } from "./facts.ts";
import { isUnit } from "./opposites.ts";
import { isNarrative, type SourceIndex, type SourceSentence } from "./source-index.ts";
import { mayBeAdded, standsFor } from "./stand-ins.ts";

export interface Edit {
  /** Share of the claim's words that stand in the source sentence in the same order. */
  share: number;
  /** The first exchange that changes what is said; null when there is none. */
  problem: string | null;
}

/** From this share on a claim counts as nearly word for word. */
export const NEAR_VERBATIM = 0.75;
/** Shorter claims match by chance. */
const MIN_TOKENS = 4;
const MAX_TOKENS = 160;
/** Longer stretches are rewordings, which other rules judge. */
const MAX_SAID = 4;
const MAX_STATED = 5;

const words = (list: string): ReadonlySet<string> => new Set(list.split(" "));
/** Small words that carry the statement: exchanging one for another changes it. */
const WEIGHTY = words(
  "all some every each no none any many few most several both either neither half more less fewer least only always " +
    "often sometimes rarely seldom usually before after until since without with above below over under up down " +
    "will would shall may might must should could can ought another same again against for first last next",
);
/** Put in where nothing stood, these say more. */
const STRONG = words(
  "all every only always no none must cannot everyone nobody everything nothing",
);
const PAST = words("was were had did been");
const AHEAD = words("will would shall may might must should could can");
const PRONOUN = words(
  "themselves himself herself itself yourself ourselves i me my mine myself we us our ours you your yours he him his she her hers they them their theirs it its who this that these those one",
);
/** These say the same. */
const SAME_QUANTIFIER = [
  words("each every all"),
  words("many several"),
  words("may might"),
  words("until till"),
  words("over above"),
  words("since because as"),
];
/** Wishes and words of telling, by which summaries report. */
const REPORTING = words(
  "want wants wanted plan plans planned ask asks asked offer offers offered say says said tell tells told report reports reported mention mentions mentioned add adds added explain explains explained note notes noted apply applied applying propose proposed suggest suggested hope hopes hoped like would decide decided intend intends intended",
);
/** A name may stand for its title. */
const TITLE =
  /^(?:president|mr|mrs|ms|dr|sir|madam|senator|secretary|governor|general|king|queen|prof|professor|captain|minister|chancellor|judge|uncle|aunt)$/;
const CONTRACTION = /['’](?:s|re|ve|ll|d|m)$/;

/** Longest common subsequence: pairs of matching places. */
function matches(said: readonly Token[], stated: readonly Token[]): [number, number][] {
  const width = stated.length + 1;
  const table = new Uint16Array((said.length + 1) * width);
  for (let i = said.length - 1; i >= 0; i--)
    for (let j = stated.length - 1; j >= 0; j--)
      table[i * width + j] =
        said[i]!.value === stated[j]!.value
          ? table[(i + 1) * width + j + 1]! + 1
          : Math.max(table[(i + 1) * width + j]!, table[i * width + j + 1]!);
  const pairs: [number, number][] = [];
  for (let i = 0, j = 0; i < said.length && j < stated.length;)
    if (said[i]!.value === stated[j]!.value) pairs.push([i++, j++]);
    else if (table[(i + 1) * width + j]! >= table[i * width + j + 1]!) i++;
    else j++;
  return pairs;
}

/** Compares a claim to one source sentence, word by word; `context` are the words of the whole source. */
export function compareWords(
  said: readonly Token[],
  sentence: SourceSentence,
  context: Pick<SourceIndex, "has" | "names">,
): Edit {
  const stated = sentence.tokens;
  if (said.length < MIN_TOKENS || said.length > MAX_TOKENS || stated.length > MAX_TOKENS)
    return { share: 0, problem: null };
  const pairs = matches(said, stated);
  const share = pairs.length / said.length;
  if (share < NEAR_VERBATIM) return { share, problem: null };
  const moved = movedName(said, stated, pairs);
  if (moved) return { share, problem: moved };
  const claim = new Set(said.map((token) => token.value));
  const isPassive = !hasPassive(stated) && hasPassive(said);
  let fromSaid = 0;
  let fromStated = pairs[0]![0] === 0 ? pairs[0]![1] : 0;
  for (const [i, j] of [...pairs, [said.length, stated.length] as const]) {
    const problem = exchange(said.slice(fromSaid, i), stated.slice(fromStated, j), sentence, {
      isPassive,
      claim,
      context,
      opens: fromSaid === 0,
    });
    if (problem) return { share, problem };
    fromSaid = i + 1;
    fromStated = j + 1;
  }
  return { share, problem: null };
}

function hasPassive(tokens: readonly Token[]): boolean {
  return tokens.some(
    ({ word }, i) =>
      /^(?:is|are|was|were|be|been|being)$/.test(word) &&
      tokens.slice(i + 1, i + 4).some((next) => /(?:ed|en|wn|ght|ld|de|ne|ut)$/.test(next.word)),
  );
}

/** Matched words between the old and the new place of a name that count as a swap. */
const SWAP_REACH = 3;

/** A name that stands a few words from where the source has it: "Korea of Republic". */
function movedName(
  said: readonly Token[],
  stated: readonly Token[],
  pairs: readonly (readonly [number, number])[],
): string | null {
  const saidMatched = new Set(pairs.map(([i]) => i));
  const statedMatched = new Set(pairs.map(([, j]) => j));
  for (const [i, token] of said.entries()) {
    if (saidMatched.has(i) || (token.kind !== "name" && token.kind !== "number")) continue;
    if (isDatePart(said, i)) continue;
    const before = pairs.filter(([place]) => place < i).length;
    for (const [j, other] of stated.entries()) {
      if (statedMatched.has(j) || other.value !== token.value) continue;
      const there = pairs.filter(([, place]) => place < j).length;
      const [from, to] = [Math.min(before, there), Math.max(before, there)];
      const between = pairs.slice(from, to).map(([place]) => said[place]!);
      const isList = between.some(({ word }) => word === "and" || word === "or");
      if (to > from && to - from <= SWAP_REACH && !isList)
        return `“${token.text}” stands in another place than in the source`;
    }
  }
  return null;
}

/** "November 30th" for "30 November": the parts of a date in another order, which other rules hold together. */
function isDatePart(tokens: readonly Token[], index: number): boolean {
  const isMonth = (token: Token | undefined): boolean =>
    token !== undefined && MONTH_VALUES.has(token.value);
  if (isMonth(tokens[index])) return true;
  return (
    tokens[index]!.kind === "number" && (isMonth(tokens[index - 1]) || isMonth(tokens[index + 1]))
  );
}

function isNegation({ kind }: Token): boolean {
  return kind === "negation";
}

/** What carries meaning: words of content, names, numbers, units. */
function isWeighty(token: Token): boolean {
  if (PRONOUN.has(token.word) || CONTRACTION.test(token.word)) return false;
  return token.content || token.kind === "name" || token.kind === "number" || isUnit(token.word);
}

/** What an exchange is looked at with. */
interface Around {
  isPassive: boolean;
  /** Values of the whole claim. */
  claim: ReadonlySet<string>;
  /** Values that the source knows. */
  context: Pick<SourceIndex, "has" | "names">;
  /** It is what the claim begins with. */
  opens: boolean;
}

/** One stretch of the claim that stands where the source has another. */
function exchange(
  said: readonly Token[],
  stated: readonly Token[],
  sentence: SourceSentence,
  { isPassive, claim, context, opens }: Around,
): string | null {
  const { values, resolvable } = sentence;
  if (said.length === 0) {
    const lost = stated.length <= 3 ? stated.find(isNegation) : undefined;
    return lost ? `“${lost.text}” of the source is left out` : null;
  }
  if (said.length > MAX_SAID) return null;
  const added = said.find(isNegation);
  if (added && !stated.some(isNegation)) return `“${added.text}” isn't in the source`;
  if (stated.length > MAX_STATED) return null;
  const lost = stated.find(isNegation);
  if (lost && !added) return `“${lost.text}” of the source is left out`;
  // "Ann" for "she": the pronoun is gone, and the name is one that it may stand for.
  const isOnlyMeant = ({ value }: Token): boolean => resolvable.has(value) && !values.has(value);
  const isReport = said.some(({ word }) => REPORTING.has(word));
  const replacesNothing = !stated.some((token) => isWeighty(token));
  const isStoodFor = ({ value }: Token): boolean =>
    isReport ||
    stated.some((one) => standsFor(sentence, one, value)) ||
    (replacesNothing && mayBeAdded(sentence, value));
  const foreign = said.find((token) => isOnlyMeant(token) && !isStoodFor(token));
  if (foreign) return `“${foreign.text}” isn't whom the source names there`;
  const isName = ({ kind, text, value }: Token): boolean =>
    kind === "name" || (/^\p{Lu}/u.test(text) && context.names.has(value));
  const isNew = (token: Token): boolean =>
    token.kind !== "number" &&
    !WEIGHTY.has(token.word) &&
    !values.has(token.value) &&
    !isNarrative(token.value) &&
    !mayBeAdded(sentence, token.value) &&
    (isName(token) || !context.has(token.value));
  const newWords = said.filter(
    (token) =>
      isWeighty(token) &&
      !REPORTING.has(token.word) &&
      // Turned to the passive, the object stands where the subject stood.
      !(isPassive && token.kind === "word" && values.has(token.value)) &&
      !isOnlyMeant(token),
  );
  // Where a pronoun or nothing that tells stood, a name must be whom it means, and a noun be known.
  const hasPronoun = stated.some(({ word }) => PRONOUN.has(word));
  const invented =
    replacesNothing && !isReport
      ? newWords.find((token) => isNew(token) && (isName(token) || hasPronoun || opens))
      : undefined;
  if (invented) return `The source doesn't say “${invented.text}” there`;
  const turning = said.find(({ word }) => NEGATIVE_VERBS.test(word));
  if (turning && !stated.some(({ word }) => NEGATIVE_VERBS.test(word)))
    return `“${turning.text}” isn't in the source`;
  const oldWords = stated.filter((token) => isWeighty(token) && !TITLE.test(token.word));
  for (const token of newWords) {
    // A figure may be put in where what stood there stands elsewhere in the claim.
    const gone =
      token.kind === "number" ? oldWords.filter(({ value }) => !claim.has(value)) : oldWords;
    const other = gone.find((one) => !isSameWord(token, one));
    if (other && !oldWords.some((one) => isSameWord(token, one)))
      return `“${token.text}” stands where the source says “${other.text}”`;
  }
  return smallWordProblem(said, stated);
}

function smallWordProblem(said: readonly Token[], stated: readonly Token[]): string | null {
  const has = (list: readonly Token[], word: string): boolean =>
    list.some((token) => bare(token) === word);
  for (const token of said) {
    const { text } = token;
    const word = bare(token);
    const same = SAME_QUANTIFIER.find((group) => group.has(word));
    if (same && stated.some((one) => same.has(bare(one)))) continue;
    const other = stated.find((one) => WEIGHTY.has(bare(one)) && !has(said, bare(one)));
    if (WEIGHTY.has(word) && !has(stated, word) && other)
      return `“${text}” stands where the source says “${other.text}”`;
    if (STRONG.has(word) && !has(stated, word)) return `The source doesn't say “${text}”`;
    const ahead = stated.find((one) => AHEAD.has(bare(one)));
    if (PAST.has(word) && ahead) return `“${text}” stands where the source says “${ahead.text}”`;
    if (AHEAD.has(word) && !ahead && stated.some((one) => PAST.has(bare(one))))
      return `The source doesn't say “${text}”`;
  }
  return null;
}

/** Without "'ve": "may've" is "may". */
function bare({ word }: Token): string {
  return word.replace(/['’]ve$/, "");
}

/** Who comes together, and their coming together: "the meeting agreed", "the members agreed". */
const ASSEMBLED = /^(?:members?|meeting|assembly|participants?|attendees?)$/;

/** Forms of one word: "repair", "repairing"; "Jan", "January". */
function isSameWord(a: Token, b: Token): boolean {
  if (a.value === b.value) return true;
  if (ASSEMBLED.test(a.word) && ASSEMBLED.test(b.word)) return true;
  if (a.kind === "name" || b.kind === "name" || /\p{N}/u.test(a.word + b.word)) return false;
  const [short, long] = a.word.length <= b.word.length ? [a.word, b.word] : [b.word, a.word];
  const common = Math.max(4, Math.ceil(short.length * 0.8));
  const negates = /^(?:un|in|im|ir|il|dis|non|mis)/;
  return (
    short.length >= 4 &&
    stemWord(long).slice(0, common) === stemWord(short).slice(0, common) &&
    negates.test(short) === negates.test(long)
  );
}
