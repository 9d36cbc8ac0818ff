/**
 * The sentences of a source, indexed so that a claim finds those that may support it: by shared,
 * rare words; with who speaks and whom a pronoun may stand for.
 */

import { entityKey } from "./entity-key.ts";
import { isCalendar, tokenize, type Token } from "./facts.ts";
import { isUnit } from "./opposites.ts";
import {
  correspondentsOf,
  LABEL,
  PERSONAL_GROUPS,
  plainWord,
  PRONOUN_GROUPS,
  PRONOUN_KEYS,
  unionOf,
  type StandIns,
} from "./stand-ins.ts";
import { canonicalStem, stemWord } from "./word-stems.ts";

export interface SourceSentence {
  index: number;
  text: string;
  tokens: Token[];
  /** Of all tokens but negations. */
  values: ReadonlySet<string>;
  /** Name values that a pronoun in it may stand for, beside those that it holds itself. */
  resolvable: ReadonlySet<string>;
  /**
   * The same by what stands for them: a pronoun's group, the value of a noun, "" for a subject that is
   * left out ("Lost my job"); ":" for who says it, by whom alone no claim is supported.
   */
  standIns: StandIns;
}

/** One source sentence as it is handed in. */
export interface SourceText {
  text: string;
  speaker?: string | null;
  /** Who writes and who is written to, where the text is a letter: "I" and "you". */
  author?: string | null;
  addressee?: string | null;
}

/** Names that are known, also where they only open sentences. */
export interface KnownNames {
  persons?: readonly string[];
  places?: readonly string[];
  organizations?: readonly string[];
}

const NAME_CONNECTORS = /^[\s.,'’"&-]*(?:(?:of|the|de|van|von|and)\s)?$/;
/** Words with which a summary tells of its source; the source itself need not have them. */
const NARRATIVE: ReadonlySet<string> = new Set(
  (
    "discuss talk chat conversation mention explain say said tell told add ask note report describe state recommend " +
    "suggest offer advise advice plan prepare want accord currently therefore respectively also former latter narrator " +
    "author writer speaker user topic share announce inform remind promise invite propose express option choice update around about approximately roughly " +
    "according meanwhile together both"
  )
    .split(" ")
    .map((word) => canonicalStem(stemWord(word))),
);

export function isNarrative(value: string): boolean {
  return NARRATIVE.has(value);
}
const NARRATIVE_WEIGHT = 0.15;
/** A pronoun looks this many sentences back. */
const REACH = 2;
/** Members of a family, as words or stems: who is who's may not be exchanged. */
export const KIN =
  /^(?:m[ou]m|mother|dad|father|parents?|sister|brother|son|daughter|uncle|aunt|cousin|niece|nephew|grand(?:mother|father|ma|pa|son|daughter)|wife|wiv|husband|boyfriend|girlfriend|fianc[eé]e?)s?$/;
/** A longer answer is a statement of its own. */
const ANSWER_TOKENS = 8;
const DETERMINER = /^(?:the|my|his|her|our|their|your|its|a|an)$/;
/** Supports that are tried for one claim. */
const MAX_CANDIDATES = 5;

export class SourceIndex {
  readonly sentences: readonly SourceSentence[];
  /** Name tokens anywhere in the source, each with its neighbours among names ("andrew jackson"). */
  readonly namePairs = new Set<string>();
  readonly names = new Set<string>();
  /** Names of all who speak, as values with a space between. */
  readonly speakers = new Set<string>();
  #hay: string | null = null;
  readonly #linked = new Map<number, SourceSentence[]>();
  readonly #postings = new Map<string, number[]>();
  /** Values of names that are known to be nobody's. */
  readonly #impersonal = new Set<string>();

  constructor(labelled: readonly SourceText[], known: KnownNames = {}) {
    const valuesOf = (names: readonly string[] = []): string[] => names.flatMap(nameValues);
    const persons = new Set(valuesOf(known.persons));
    for (const value of [...valuesOf(known.places), ...valuesOf(known.organizations)])
      if (!persons.has(value)) this.#impersonal.add(value);
    for (const value of [...persons, ...valuesOf(known.places)]) this.names.add(value);
    // The label is who speaks, not a part of what is said.
    const sources = labelled.map(({ text, speaker, author, addressee }) => ({
      text:
        speaker && text.startsWith(`${speaker}:`) ? text.slice(speaker.length + 1).trim() : text,
      speaker,
      author,
      addressee,
    }));
    const tokens = sources.map(({ text }) => tokenize(text));
    tokens.forEach((list, i) => this.#collectNames(list, sources[i]!.text));
    const speakers = sources.map(({ speaker }) => nameValues(speaker));
    for (const values of speakers) {
      for (const value of values) this.names.add(value);
      if (values.length > 0) this.speakers.add(values.join(" "));
    }
    const writers = sources.map(({ author, addressee }) => ({
      author: nameValues(author),
      addressee: nameValues(addressee),
    }));
    for (const { author, addressee } of writers)
      for (const value of [...author, ...addressee]) this.names.add(value);
    const aliases = this.#findAliases(tokens, sources);
    let pronouns: Set<string>[] = PRONOUN_GROUPS.map(() => new Set());
    this.sentences = sources.map(({ text }, index) => {
      const own = tokens[index]!;
      const standIns = correspondentsOf(index, tokens, speakers, writers[index]!);
      // "She" is who "she" was in the sentence before.
      const words = own.map((token) => plainWord(token));
      pronouns = PRONOUN_GROUPS.map((group, g) => {
        if (!words.some((word) => group.test(word))) {
          const named = own.some((token) => this.#isName(token));
          return named ? new Set<string>() : pronouns[g]!;
        }
        const before = this.#antecedents(index, tokens, g < PERSONAL_GROUPS);
        const found = new Set([...pronouns[g]!, ...before]);
        standIns.set(PRONOUN_KEYS[g]!, found);
        return found;
      });
      for (const { value } of own) {
        const named = aliases.get(value);
        if (named) standIns.set(value, named);
      }
      const resolvable = new Set([...standIns.values()].flatMap((values) => [...values]));
      standIns.set(LABEL, new Set(speakers[index]));
      for (const [noun, names] of aliases)
        if (KIN.test(noun) && [...names].some((name) => resolvable.has(name))) resolvable.add(noun);
      return {
        index,
        text,
        tokens: own,
        values: new Set(
          own.filter((token) => token.kind !== "negation").map((token) => token.value),
        ),
        resolvable,
        standIns,
      };
    });
    for (const { values, index } of this.sentences)
      for (const value of values) {
        const list = this.#postings.get(value);
        if (list) list.push(index);
        else this.#postings.set(value, [index]);
      }
  }

  /** Whether the source names something, word for word. */
  mentions(item: string): boolean {
    this.#hay ??= ` ${entityKey(this.sentences.map(({ text }) => text).join(" "))} `;
    const key = entityKey(item);
    for (
      let at = this.#hay.indexOf(key);
      at >= 0 && key !== "";
      at = this.#hay.indexOf(key, at + 1)
    ) {
      const [before, after] = [this.#hay[at - 1] ?? " ", this.#hay[at + key.length] ?? " "];
      if (!runsOn(before, key[0]!) && !runsOn(key.at(-1)!, after)) return true;
    }
    return [...this.speakers].some((speaker) => speaker === key);
  }

  /** Whether any sentence has a word. */
  has(value: string): boolean {
    return this.#postings.has(value);
  }

  /** How telling a word is: rare ones count more, unknown ones most. */
  rarity(value: string): number {
    const count = Math.max(1, this.sentences.length);
    return Math.log(1 + count / (1 + (this.#postings.get(value)?.length ?? 0)));
  }

  /** Weights of the words that a claim's alignment goes by. */
  weightsOf(tokens: readonly Token[]): Map<string, number> {
    const weights = new Map<string, number>();
    for (const token of tokens)
      if (token.content || token.kind === "number")
        weights.set(
          token.value,
          this.rarity(token.value) *
            (isNarrative(token.value) || isUnit(token.word) ? NARRATIVE_WEIGHT : 1),
        );
    return weights;
  }

  /** Sentences that share most of the weight, best first; of equally good ones the shortest: it holds the fewest other facts. */
  candidates(weights: ReadonlyMap<string, number>): { sentence: SourceSentence; share: number }[] {
    const scores = new Map<number, number>();
    let total = 0;
    for (const [value, weight] of weights) {
      total += weight;
      for (const index of this.#postings.get(value) ?? [])
        scores.set(index, (scores.get(index) ?? 0) + weight);
    }
    if (total === 0) return [];
    const ranked = [...scores].map(([index, score]) => {
      const sentence = this.sentences[index]!;
      let resolved = score;
      for (const [value, weight] of weights)
        if (!sentence.values.has(value) && sentence.resolvable.has(value)) resolved += weight;
      return { sentence, share: resolved / total };
    });
    return ranked
      .sort((a, b) => b.share - a.share || a.sentence.tokens.length - b.sentence.tokens.length)
      .slice(0, MAX_CANDIDATES);
  }

  /**
   * A sentence together with the ones beside it to which a pronoun ties it ("I have two tubes. I can
   * bring them."), each read as one sentence.
   */
  linked(index: number): SourceSentence[] {
    const known = this.#linked.get(index);
    if (known) return known;
    const groups: [number, number][] = [];
    if (this.#pointsBack(index)) groups.push([index - 1, index]);
    if (this.#pointsBack(index + 1)) groups.push([index, index + 1]);
    if (this.#pointsBack(index) && this.#pointsBack(index - 1)) groups.push([index - 2, index]);
    if (this.#pointsBack(index) && this.#pointsBack(index + 1)) groups.push([index - 1, index + 1]);
    if (this.#pointsBack(index + 1) && this.#pointsBack(index + 2)) groups.push([index, index + 2]);
    if (this.#answers(index)) groups.push([index - 1, index]);
    if (this.#answers(index + 1)) groups.push([index, index + 1]);
    const linked = groups.map(([from, to]): SourceSentence => {
      const members = this.sentences.slice(from, to + 1);
      const text = this.#answers(to)
        ? answered(members[0]!.text, members[1]!.text)
        : members.map((one) => one.text).join(" ");
      return {
        index,
        text,
        tokens: tokenize(text),
        values: new Set(members.flatMap((one) => [...one.values])),
        resolvable: new Set(members.flatMap((one) => [...one.resolvable])),
        standIns: unionOf(members.map((one) => one.standIns)),
      };
    });
    this.#linked.set(index, linked);
    return linked;
  }

  #pointsBack(index: number): boolean {
    const sentence = this.sentences[index];
    return (
      index > 0 &&
      sentence !== undefined &&
      sentence.tokens.some((token) => PRONOUN_GROUPS.some((group) => group.test(plainWord(token))))
    );
  }

  /** A short answer to the question before it: "Can you run again?" "Not before April." */
  #answers(index: number): boolean {
    const [question, answer] = [this.sentences[index - 1], this.sentences[index]];
    return (
      question !== undefined &&
      answer !== undefined &&
      /\?["”’)]*\s*$/.test(question.text) &&
      answer.tokens.length <= ANSWER_TOKENS &&
      answer.tokens[0]?.kind === "negation"
    );
  }

  #collectNames(tokens: readonly Token[], text: string): void {
    tokens.forEach((token, at) => {
      if (token.kind !== "name") return;
      this.names.add(token.value);
      const next = tokens[at + 1];
      if (next?.kind === "name" && NAME_CONNECTORS.test(text.slice(token.end, next.start)))
        this.namePairs.add(`${token.value} ${next.value}`);
      const previous = tokens[at - 1];
      if (
        previous?.opensSentence &&
        /^\p{Lu}/u.test(previous.text) &&
        NAME_CONNECTORS.test(text.slice(previous.end, token.start))
      )
        this.namePairs.add(`${previous.value} ${token.value}`);
    });
  }

  /** The first name of the nearest sentence before that has one. */
  #antecedents(index: number, tokens: readonly Token[][], isPerson: boolean): string[] {
    const found: string[] = [];
    const mayBe = (token: Token): boolean =>
      this.#isName(token) &&
      !isCalendar(token.value) &&
      !(isPerson && this.#impersonal.has(token.value));
    for (let i = index - 1; i >= Math.max(0, index - REACH); i--) {
      const first = tokens[i]!.findIndex(mayBe);
      if (first < 0) continue;
      for (let t = first; t < tokens[i]!.length && this.#isName(tokens[i]![t]!); t++)
        found.push(tokens[i]![t]!.value);
      break;
    }
    return found;
  }

  /** "My grandmother Ilse", "the architect, Ines Falk": the noun stands for the name elsewhere, while it stands for one only. */
  #findAliases(
    tokens: readonly Token[][],
    sources: readonly { text: string }[],
  ): Map<string, Set<string>> {
    const aliases = new Map<string, Set<string>>();
    tokens.forEach((list, index) => {
      const { text } = sources[index]!;
      list.forEach((noun, at) => {
        const name = list[at + 1];
        if (noun.kind !== "word" || !noun.content || name?.kind !== "name") return;
        if (!/^,? $/.test(text.slice(noun.end, name.start))) return;
        if (!list.slice(Math.max(0, at - 2), at).some(({ word }) => DETERMINER.test(word))) return;
        const names = aliases.get(noun.value) ?? new Set<string>();
        for (let i = at + 1; list[i]?.kind === "name"; i++) names.add(list[i]!.value);
        aliases.set(noun.value, names);
      });
    });
    for (const [noun, names] of aliases) if (names.size > 2) aliases.delete(noun);
    return aliases;
  }

  #isName(token: Token): boolean {
    return (
      token.kind === "name" ||
      (token.opensSentence &&
        token.content &&
        /^\p{Lu}/u.test(token.text) &&
        this.names.has(token.value))
    );
  }
}

/** Question and answer as one statement: what the answer denies is what was asked. */
function answered(question: string, answer: string): string {
  return `${answer.replace(/[\s.!?]+$/u, "")} ${question.replace(/[\s?"”’)]+$/u, "")}`;
}

/** Whether two characters are of one word or number: a figure ends where its unit begins ("300MB"). */
function runsOn(a: string, b: string): boolean {
  const isDigit = (one: string): boolean => /\p{N}/u.test(one);
  return /[\p{L}\p{N}]/u.test(a) && /[\p{L}\p{N}]/u.test(b) && isDigit(a) === isDigit(b);
}

function nameValues(name: string | null | undefined): string[] {
  return tokenize(name ?? "").map((token) => token.value);
}
