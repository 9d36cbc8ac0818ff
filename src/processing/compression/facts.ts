/**
 * The checkable facts of a sentence: names, numbers, and what is negated.
 *
 * Used on both sides of the faithfulness check, so it is by tokens and rules alone: the same words
 * always give the same facts, whatever a tagger would think of the sentence around them.
 */

import { canonicalStem, stemWord } from "./word-stems.ts";

export { stemWord } from "./word-stems.ts";

export interface Token {
  /** As written. */
  text: string;
  /** Lower case, without possessive or contraction of "not". */
  word: string;
  start: number;
  end: number;
  /** "name" = capitalised inside a sentence; "word" = everything else that is neither number nor negation. */
  kind: "word" | "name" | "number" | "negation";
  /** A capital at the start of a sentence: a name only if something else says so. */
  opensSentence: boolean;
  /** Canonical value: "3500.5" for "$3,500.50", "200" for "two hundred", the stem for words. */
  value: string;
  /** Content words and names: what polarity and alignment look at. */
  content: boolean;
}

const TOKEN = /[\p{L}\p{M}\p{N}]+(?:['’.,_-](?=[\p{L}\p{N}])[\p{L}\p{M}\p{N}]+)*/gu;

const set = (words: string): ReadonlySet<string> => new Set(words.split(" "));

/** English, with the commonest of German, French and Spanish (none of which is a common English word but "non"). */
const NEGATIONS = set(
  "not no never none nobody nothing nowhere neither nor without cannot cant wont dont doesnt didnt isnt arent wasnt " +
    "werent hasnt havent hadnt wouldnt shouldnt couldnt mustnt neednt hardly barely scarcely nicht kein keine keinen " +
    "keiner keinem keines niemals ohne jamais aucun aucune rien sans nunca nadie tampoco",
);
/** Verbs that turn what follows them around. */
export const NEGATIVE_VERBS =
  /^(?:fail|failed|fails|failing|refus(?:e|ed|es|ing)|den(?:y|ied|ies|ying)|lack(?:s|ed|ing)?|prevent(?:s|ed|ing)?|reject(?:s|ed|ing)?|declin(?:e|ed|es|ing)|avoid(?:s|ed|ing)?)$/;

export const STOP_WORDS = set(
  "a an the this that these those and or but if then else when while as at by for from in into of on onto to with " +
    "about above after again against all also am any are be became because been before being below between both " +
    "either rather instead gets can could did do does doing done down during each few further get got had has have having he her here hers " +
    "him his how i it its itself just let like may me might more most must my myself now off once only other ought " +
    "our ours out over own same shall she should so some such than their theirs them there they through too under " +
    "until up upon us very was we were what where which who whom whose why will would yes yet you your yours " +
    "der das und oder aber ist sind ein eine einen zu mit von auf für im den dem le la les et ou est un une " +
    "des du dans pour el los las y es en de que se con por",
);

const SMALL: Readonly<Record<string, number>> = Object.fromEntries(
  (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen " +
    "seventeen eighteen nineteen"
  )
    .split(" ")
    .map((word, value) => [word, value]),
);
/** Words that are numbers by meaning; "first" and "second" are too often something else. */
const NUMERAL: Readonly<Record<string, string>> = {
  twice: "2",
  third: "3",
  fourth: "4",
  fifth: "5",
  sixth: "6",
  seventh: "7",
  eighth: "8",
  ninth: "9",
  tenth: "10",
  half: "0.5",
};
const TENS: Readonly<Record<string, number>> = {
  twenty: 20,
  thirty: 30,
  forty: 40,
  fifty: 50,
  sixty: 60,
  seventy: 70,
  eighty: 80,
  ninety: 90,
};
const SCALES: Readonly<Record<string, number>> = {
  hundred: 1e2,
  thousand: 1e3,
  million: 1e6,
  billion: 1e9,
  trillion: 1e12,
  dozen: 12,
};
const MONTHS =
  "january february march april may june july august september october november december".split(
    " ",
  );
/** Values of the tokens that name a month. */
export const MONTH_VALUES: ReadonlySet<string> = new Set(MONTHS.map((month) => stemWord(month)));
const DAYS = "monday tuesday wednesday thursday friday saturday sunday".split(" ");
const DAY_VALUES: ReadonlySet<string> = new Set(DAYS.map((day) => stemWord(day)));

/** Whether a token of this value names a month or a day of the week. */
export function isCalendar(value: string): boolean {
  return MONTH_VALUES.has(value) || DAY_VALUES.has(value);
}

function wordNumber(word: string): number | null {
  const parts = word.split("-");
  if (parts.length === 2 && TENS[parts[0]!] !== undefined && SMALL[parts[1]!] !== undefined)
    return TENS[parts[0]!]! + SMALL[parts[1]!]!;
  return SMALL[word] ?? TENS[word] ?? null;
}

function digitValue(text: string): string {
  const plain = text
    .replace(/(?<=\d)[,’'](?=\d{3}(?!\d))/g, "")
    .replace(/(?<=\d)(?:st|nd|rd|th|s)$/i, "");
  const value = Number(plain);
  return Number.isFinite(value) && /^[\d.]+$/.test(plain) ? String(value) : plain.toLowerCase();
}

function nameValue(word: string): string {
  const bare = word.replace(/['’]s?$/u, "").replace(/\./g, "");
  if (bare.length >= 3) {
    const long = [...MONTHS, ...DAYS].find(
      (name) =>
        name.startsWith(bare) &&
        (bare.length === 3 ||
          bare === name ||
          bare === "sept" ||
          bare === "tues" ||
          bare === "thur" ||
          bare === "thurs"),
    );
    if (long) return long;
  }
  return bare;
}

/** The tokens of one sentence (or several) with their facts. */
export function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  let previousEnd = 0;
  for (const match of text.matchAll(TOKEN)) {
    const raw = match[0];
    const start = match.index;
    const end = start + raw.length;
    const lower = raw.toLowerCase().replace(/’/g, "'");
    const gap = text.slice(previousEnd, start);
    const opensSentence = tokens.length === 0 || /[.!?]["'”’)]*\s/.test(gap) || /\n/.test(gap);
    previousEnd = end;
    const token: Token = {
      text: raw,
      word: lower,
      start,
      end,
      kind: "word",
      opensSentence,
      value: lower,
      content: false,
    };
    const isAnswer = opensSentence && lower === "no" && text[end] === ",";
    if (isAnswer) token.content = false;
    else if (/n't$/.test(lower) || NEGATIONS.has(lower) || NEGATIONS.has(lower.replace("'", "")))
      token.kind = "negation";
    else if (/^\p{N}/u.test(raw) || (/\p{N}/u.test(raw) && !/^\p{L}{3,}/u.test(raw))) {
      token.kind = "number";
      token.value = digitValue(raw);
    } else if (wordNumber(lower) !== null && lower !== "one") {
      token.kind = "number";
      token.value = String(wordNumber(lower));
    } else if (NUMERAL[lower] !== undefined) {
      token.kind = "number";
      token.value = NUMERAL[lower]!;
    } else if (/^\p{Lu}/u.test(raw) && !opensSentence && lower !== "i" && !/^i'/.test(lower)) {
      token.kind = "name";
      // Stemmed like words: at the start of a sentence the same name counts as a word.
      token.value = canonicalStem(stemWord(nameValue(lower)));
      token.content = true;
    } else {
      token.value = canonicalStem(stemWord(nameValue(lower)));
      token.content = !STOP_WORDS.has(lower) && lower.length > 1;
    }
    tokens.push(token);
  }
  return mergeScales(tokens, text);
}

/** "two hundred", "3.5 million": one number token with the product; "2.5k" is left as written. */
function mergeScales(tokens: readonly Token[], text: string): Token[] {
  const merged: Token[] = [];
  for (const token of tokens) {
    const scale = SCALES[token.word.replace(/s$/, "")];
    const last = merged.at(-1);
    const adjacent = last !== undefined && /^[\s-]*$/.test(text.slice(last.end, token.start));
    if (
      scale !== undefined &&
      last?.kind === "number" &&
      adjacent &&
      Number.isFinite(Number(last.value))
    ) {
      const value = Number((Number(last.value) * scale).toPrecision(12));
      merged[merged.length - 1] = {
        ...last,
        value: String(value),
        end: token.end,
        text: text.slice(last.start, token.end),
      };
    } else merged.push(token);
  }
  return merged;
}

/** Content words, each with whether it stands under a negation. */
export interface Polarity {
  value: string;
  /** Null: behind the first word after a negation, where grammar decides whether it still reaches. */
  negated: boolean | null;
}

/** How many content words after a negation stand under it. */
const SCOPE = 3;

/** Polarity of the content words of a sentence: a negation reaches the next words up to a clause end. */
export function polarities(tokens: readonly Token[], text: string): Polarity[] {
  const result: Polarity[] = [];
  let reach = 0;
  let negated = false;
  let previousEnd = 0;
  for (const token of tokens) {
    if (
      /[,;:.!?()]/.test(text.slice(previousEnd, token.start)) ||
      /^(?:but|however|although|though|aber|mais|pero)$/.test(token.word)
    ) {
      reach = 0;
      negated = false;
    }
    previousEnd = token.end;
    if (token.kind === "negation") {
      // Two negations in one reach cancel out ("not without").
      negated = reach > 0 ? !negated : true;
      reach = SCOPE;
      continue;
    }
    if (!token.content) continue;
    result.push({
      value: token.value,
      negated: reach === SCOPE ? negated : reach > 0 && negated ? null : false,
    });
    if (reach > 0) reach--;
    if (NEGATIVE_VERBS.test(token.word)) {
      negated = !(reach > 0 && negated);
      reach = SCOPE;
    }
  }
  return result;
}
