/**
 * The sentences of a source, indexed so that a claim finds those that may support it: by shared,
 * rare words; with who speaks and whom a pronoun may stand for.
 */

import { tokenize, type Token } from "./facts.ts";

export interface SourceSentence {
  index: number;
  text: string;
  tokens: Token[];
  /** Of all tokens but negations. */
  values: ReadonlySet<string>;
  /** Name values that a pronoun in it may stand for, beside those that it holds itself. */
  resolvable: ReadonlySet<string>;
}

/** One source sentence as it is handed in. */
export interface SourceText {
  text: string;
  speaker?: string | null;
}

const NAME_CONNECTORS = /^[\s.,'’"&-]*(?:(?:of|the|de|van|von|and)\s)?$/;
const FIRST_PERSON = /^(?:i|me|my|mine|myself|we|us|our|i'm|i've|i'll|i'd|we're|we've|we'll)$/;
const SECOND_PERSON = /^(?:you|your|yours|you're|you've|you'll|you'd)$/;
const THIRD_PERSON =
  /^(?:he|she|they|him|her|them|his|hers|their|it|its|he's|she's|they're|he'll|she'll|they'll|he'd|she'd|they'd)$/;
/** A pronoun looks this many sentences back. */
const ANTECEDENT_REACH = 2;
/** Supports that are tried for one claim. */
const MAX_CANDIDATES = 5;

export class SourceIndex {
  readonly sentences: readonly SourceSentence[];
  /** Name tokens anywhere in the source, each with its neighbours among names ("andrew jackson"). */
  readonly namePairs = new Set<string>();
  readonly names = new Set<string>();
  readonly #postings = new Map<string, number[]>();

  constructor(labelled: readonly SourceText[]) {
    // The label is who speaks, not a part of what is said.
    const sources = labelled.map(({ text, speaker }) => ({
      text:
        speaker && text.startsWith(`${speaker}:`) ? text.slice(speaker.length + 1).trim() : text,
      speaker,
    }));
    const tokens = sources.map(({ text }) => tokenize(text));
    tokens.forEach((list, i) => this.#collectNames(list, sources[i]!.text));
    const speakers = sources.map(({ speaker }) =>
      tokenize(speaker ?? "").map((token) => token.value),
    );
    for (const values of speakers) for (const value of values) this.names.add(value);
    this.sentences = sources.map(({ text }, index) => ({
      index,
      text,
      tokens: tokens[index]!,
      values: new Set(
        tokens[index]!.filter((token) => token.kind !== "negation").map((token) => token.value),
      ),
      resolvable: this.#resolvable(index, tokens, speakers),
    }));
    for (const { values, index } of this.sentences)
      for (const value of values) {
        const list = this.#postings.get(value);
        if (list) list.push(index);
        else this.#postings.set(value, [index]);
      }
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
        weights.set(token.value, this.rarity(token.value));
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

  /**
   * "I" is who speaks, "you" who spoke before; "he", "she", "they" the first name of the nearest
   * sentence before that has one. Others are not guessed.
   */
  #resolvable(
    index: number,
    tokens: readonly Token[][],
    speakers: readonly string[][],
  ): Set<string> {
    const found = new Set<string>();
    const words = tokens[index]!.map((token) => token.word.replace(/’/g, "'"));
    const speaker = speakers[index]!;
    if (words.some((word) => FIRST_PERSON.test(word)))
      for (const value of speaker) found.add(value);
    // A sentence without a subject ("Lost my job") is its speaker's, too.
    else if (speaker.length > 0 && !words.some((word) => SECOND_PERSON.test(word)))
      for (const value of speaker) found.add(value);
    if (speaker.length > 0 && words.some((word) => SECOND_PERSON.test(word))) {
      const other = findLast(
        speakers,
        index,
        (one) => one.join() !== speaker.join() && one.length > 0,
      );
      for (const value of other ?? []) found.add(value);
    }
    if (words.some((word) => THIRD_PERSON.test(word)))
      for (let i = index - 1; i >= Math.max(0, index - ANTECEDENT_REACH); i--) {
        const first = tokens[i]!.findIndex((token) => this.#isName(token));
        if (first < 0) continue;
        for (let t = first; t < tokens[i]!.length && this.#isName(tokens[i]![t]!); t++)
          found.add(tokens[i]![t]!.value);
        break;
      }
    return found;
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

function findLast<T>(list: readonly T[], before: number, test: (one: T) => boolean): T | null {
  for (let i = before - 1; i >= 0; i--) if (test(list[i]!)) return list[i]!;
  return null;
}
