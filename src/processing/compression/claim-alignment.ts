/**
 * Aligns a claim to the sentences of its source: which one, or which two together, may support it.
 * By the share of the claim's weighted words alone; whether they say the same is judged afterwards
 * (`clause-checker.ts`).
 */

import { hasValue, isFact } from "./claim-facts.ts";
import type { Token } from "./facts.ts";
import { isUnit } from "./opposites.ts";
import { isNarrative, type SourceIndex, type SourceSentence } from "./source-index.ts";

/** A source sentence with the share (0–1) of the claim's word weight that it holds. */
export interface Candidate {
  sentence: SourceSentence;
  share: number;
}

/** Below this share of shared word weight a sentence has no source. */
const MIN_ALIGNMENT = 0.5;
/** Nor below this share of the weight of what is neither name nor figure. */
const MIN_CONTENT = 0.5;
/** Two sentences together must hold more: each alone could be about something else. */
const MIN_PAIR_ALIGNMENT = 0.6;
/** From this share on a claim without its names is one sentence's alone. */
const WHOLLY_SAID = 0.9;

/** Share (0–1) of the weight of some words that sentences hold together; 0 for no words. */
export function sharedWeight(
  weights: ReadonlyMap<string, number>,
  support: readonly SourceSentence[],
): number {
  let total = 0;
  let shared = 0;
  for (const [value, weight] of weights) {
    total += weight;
    if (support.some((sentence) => hasValue(sentence, value))) shared += weight;
  }
  return total === 0 ? 0 : shared / total;
}

/** One claim aligned to one source. */
export class ClaimAlignment {
  /** The likest sentences, best first, also those that are too unlike to support it. */
  readonly candidates: readonly Candidate[];
  readonly #tokens: readonly Token[];
  readonly #index: SourceIndex;
  readonly #weights: ReadonlyMap<string, number>;
  /** Of the words that are neither names nor figures. */
  readonly #contentWeights: ReadonlyMap<string, number>;

  constructor(tokens: readonly Token[], index: SourceIndex) {
    this.#tokens = tokens;
    this.#index = index;
    this.#weights = index.weightsOf(tokens);
    this.candidates = index.candidates(this.#weights);
    this.#contentWeights = index.weightsOf(
      tokens.filter(
        ({ kind, value, word }) =>
          kind === "word" && !index.names.has(value) && !isNarrative(value) && !isUnit(word),
      ),
    );
  }

  /** Whether one sentence shares enough of the claim to support it alone. */
  isAligned({ sentence, share }: Candidate): boolean {
    return share >= MIN_ALIGNMENT && this.#sharesContent([sentence]);
  }

  /**
   * Sentences that may support the claim together, likest first: both of the likest, or one and its
   * neighbour.
   */
  *joinedSupports(): Generator<Candidate[]> {
    for (const support of this.#joined()) {
      const sentences = support.map(({ sentence }) => sentence);
      if (sharedWeight(this.#weights, sentences) < MIN_PAIR_ALIGNMENT) continue;
      if (!this.#sharesContent(sentences)) continue;
      if (support.length > 1 && !this.#mayJoin(sentences)) continue;
      yield support;
    }
  }

  /** Names and dates alone don't make a statement. */
  #sharesContent(support: readonly SourceSentence[]): boolean {
    const weights = this.#contentWeights;
    return weights.size === 0 || sharedWeight(weights, support) >= MIN_CONTENT;
  }

  #joined(): Candidate[][] {
    const { candidates } = this;
    const joined: Candidate[][] = [];
    for (const [rank, first] of candidates.slice(0, 2).entries()) {
      for (const other of candidates.slice(rank + 1)) joined.push([first, other]);
      for (const sentence of this.#index.linked(first.sentence.index))
        joined.push([{ sentence, share: first.share }]);
      for (const step of [-1, 1, -2, 2]) {
        const sentence = this.#index.sentences[first.sentence.index + step];
        if (sentence && !candidates.some((one) => one.sentence === sentence))
          joined.push([first, { sentence, share: 0 }]);
      }
    }
    return joined;
  }

  /**
   * What one sentence says nearly in full may not be said of somebody in another one; a place or
   * time may come from it with the word it belongs to ("the playground in Elm Street").
   */
  #mayJoin(support: readonly SourceSentence[]): boolean {
    const tokens = this.#tokens;
    const { names } = this.#index;
    const isFree = (token: Token): boolean =>
      token.kind === "negation" || !isFact(token, tokens, names);
    const others = new Map([...this.#weights].filter(([value]) => !names.has(value)));
    if (others.size < 2)
      return support.some((sentence) =>
        tokens.every((token) => isFree(token) || hasValue(sentence, token.value)),
      );
    const main = support.find((sentence) => sharedWeight(others, [sentence]) >= WHOLLY_SAID);
    if (!main) return true;
    return tokens.every(
      (token, at) =>
        isFree(token) ||
        hasValue(main, token.value) ||
        token.kind === "number" ||
        isImported(tokens, at, main, support),
    );
  }
}

/** Whether a name stands behind a preposition and a word that the main sentence doesn't have, both in another sentence. */
function isImported(
  tokens: readonly Token[],
  at: number,
  main: SourceSentence,
  support: readonly SourceSentence[],
): boolean {
  let i = at - 1;
  while (i >= 0 && tokens[i]!.kind === "name") i--;
  if (i < 0 || !/^(?:in|at|on|of|from|near|to)$/.test(tokens[i]!.word)) return false;
  const head = tokens.slice(0, i).findLast((token) => token.content);
  return (
    head !== undefined &&
    !main.values.has(head.value) &&
    support.some(({ values }) => values.has(tokens[at]!.value) && values.has(head.value))
  );
}
