/**
 * Whom the words of a sentence may stand for: pronouns, nouns that a name stands beside elsewhere, and
 * subjects that are left out. `source-index.ts` finds them; the faithfulness check asks whether a
 * name in a summary may replace the word that the source has.
 */

import type { Token } from "./facts.ts";

/**
 * Name values by what stands for them: a pronoun's key, the value of a noun, "" for a subject that is
 * left out ("Lost my job"), ":" for who says the sentence.
 */
export type StandIns = ReadonlyMap<string, ReadonlySet<string>>;

/** A sentence with its stand-ins. */
interface Standing {
  tokens: readonly Token[];
  standIns: StandIns;
}

/** Name values of who writes a letter and who is written to. */
interface Writers {
  author: readonly string[];
  addressee: readonly string[];
}

const FIRST_PERSON =
  /^(?:i|me|my|mine|myself|we|us|our|ours|i'm|i've|i'll|i'd|we're|we've|we'll|we'd)$/;
const SECOND_PERSON = /^(?:you|your|yours|you're|you've|you'll|you'd)$/;
/** Pronouns by whom they can stand for. */
export const PRONOUN_GROUPS = [
  /^(?:he|him|his|himself|he's|he'll|he'd)$/,
  /^(?:she|her|hers|herself|she's|she'll|she'd)$/,
  /^(?:they|them|their|theirs|themselves|they're|they've|they'll|they'd)$/,
  /^(?:it|its|itself|it's|it'll)$/,
];
export const PRONOUN_KEYS = ["he", "she", "they", "it"];
/** So many of them, the first ones, stand for people only. */
export const PERSONAL_GROUPS = 2;
const FIRST = "i";
const SECOND = "you";
/** A subject that is left out. */
const LEFT_OUT = "";
/** Who says the sentence. */
export const LABEL = ":";

/** "I" is who speaks, "you" who spoke before (or is addressed). */
export function correspondentsOf(
  index: number,
  tokens: readonly Token[][],
  speakers: readonly string[][],
  { author, addressee }: Writers,
): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>();
  const words = tokens[index]!.map((token) => plainWord(token));
  const speaker = speakers[index]!;
  const saysI = words.some((word) => FIRST_PERSON.test(word));
  const saysYou = words.some((word) => SECOND_PERSON.test(word));
  if (saysI) found.set(FIRST, new Set([...speaker, ...author]));
  // A sentence without a subject ("Lost my job") is its speaker's, too.
  if (speaker.length > 0 && (saysI || !saysYou)) found.set(LEFT_OUT, new Set(speaker));
  if (!saysYou) return found;
  const isOther = (one: readonly string[]): boolean =>
    one.length > 0 && one.join() !== speaker.join();
  // Who speaks first speaks to who answers.
  const other =
    speaker.length === 0
      ? null
      : (findLast(speakers, index, isOther) ?? speakers.slice(index + 1).find(isOther));
  found.set(SECOND, new Set([...(other ?? []), ...addressee]));
  return found;
}

/** Whether a word of a sentence is a pronoun or noun that may stand for a name there. */
export function standsFor({ standIns }: Standing, token: Token, name: string): boolean {
  const word = plainWord(token);
  const group = FIRST_PERSON.test(word)
    ? FIRST
    : SECOND_PERSON.test(word)
      ? SECOND
      : (PRONOUN_KEYS[PRONOUN_GROUPS.findIndex((one) => one.test(word))] ?? token.value);
  return standIns.get(group)?.has(name) ?? false;
}

/** Whether a name may be put in where nothing stands: who says it, as the subject that is left out, or beside its noun. */
export function mayBeAdded({ standIns, tokens }: Standing, name: string): boolean {
  return (
    (standIns.get(LABEL)?.has(name) ?? false) ||
    tokens.some(({ value, content }) => content && (standIns.get(value)?.has(name) ?? false))
  );
}

/** Stand-ins of several sentences that are read as one. */
export function unionOf(maps: readonly StandIns[]): Map<string, Set<string>> {
  const union = new Map<string, Set<string>>();
  for (const map of maps)
    for (const [key, values] of map)
      union.set(key, new Set([...(union.get(key) ?? []), ...values]));
  return union;
}

/** A word of a sentence with plain apostrophes. */
export function plainWord(token: Token): string {
  return token.word.replace(/’/g, "'");
}

function findLast<T>(list: readonly T[], before: number, test: (one: T) => boolean): T | null {
  for (let i = before - 1; i >= 0; i--) if (test(list[i]!)) return list[i]!;
  return null;
}
