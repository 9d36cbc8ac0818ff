/**
 * Checks one clause of a claim against its source: it is held against each sentence, or two
 * together, that may support it (`claim-alignment.ts`), and the one counts under which the fewest
 * problems are left. Its facts must be there, bound to the same words and unturned, and no part of it
 * may be new. The faithfulness check cuts claims into clauses and joins what is found.
 */

import { ClaimAlignment, sharedWeight, type Candidate } from "./claim-alignment.ts";
import { holdsFact, isFact, negationCount } from "./claim-facts.ts";
import { bindingProblem, turnedProblem } from "./claim-rules.ts";
import { cutSegments } from "./claim-segments.ts";
import { tokenize, type Token } from "./facts.ts";
import { compareWords } from "./near-verbatim.ts";
import type { SourceIndex, SourceSentence } from "./source-index.ts";

/** What was found out about one clause. */
export interface ClauseReport {
  /** Plain words; empty when it is supported. */
  problems: string[];
  /** What it was held against: the support, or the nearest to one. */
  support: Candidate[];
  /** No other reading can make up for it. */
  isFinal?: boolean;
}

interface Verdict {
  problems: string[];
  /** It states the opposite, or more or less than the source. */
  isTurned?: boolean;
  /** A fact stands beside other words than in the source. */
  isUnbound?: boolean;
}

/** Words of content that a part has at least for its absence to tell, and the share of their weight that must be there. */
const PART_WORDS = 2;
const MIN_PART_SHARE = 0.55;
/** A sentence that says so much of a claim, and more than any other, decides about its negations alone. */
const CLEARLY_SAID = 0.75;
const CLEARLY_NEARER = 0.15;
/** Above this share the likest sentence is shown for a clause that no sentence says. */
const MIN_SHOWN = 0.25;

/** Checks clauses against one indexed source. */
export class ClauseChecker {
  readonly #index: SourceIndex;

  constructor(index: SourceIndex) {
    this.#index = index;
  }

  /** The support under which a clause has the fewest problems; `words` are its tokens, with an inherited subject. */
  check(text: string, words: readonly Token[]): ClauseReport {
    const tokens = this.#withoutSpeakers(words);
    const alignment = new ClaimAlignment(tokens, this.#index);
    const { candidates } = alignment;
    const nearest = candidates
      .map((candidate) => ({
        candidate,
        edit: compareWords(tokens, candidate.sentence, this.#index),
      }))
      .sort((a, b) => b.edit.share - a.edit.share)[0];
    if (nearest?.edit.problem)
      return { problems: [nearest.edit.problem], support: [nearest.candidate], isFinal: true };
    let best: ClauseReport | null = null;
    for (const [rank, candidate] of candidates.entries()) {
      if (!alignment.isAligned(candidate)) continue;
      const { problems, isTurned, isUnbound } = this.#judge(text, tokens, [candidate.sentence]);
      const report: ClauseReport = { problems, support: [candidate] };
      if (problems.length === 0) return report;
      const isClear = rank === 0 && candidate.share >= CLEARLY_SAID;
      if (isClear && isUnbound) return { ...report, isFinal: true };
      const next = candidates[1]?.share ?? 0;
      if (isClear && isTurned && candidate.share > next + CLEARLY_NEARER) return report;
      if (!best || problems.length < best.problems.length) best = report;
    }
    // What can be cut into parts must hold part by part.
    if (cutSegments(text).length < 2)
      for (const support of alignment.joinedSupports()) {
        const sentences = support.map(({ sentence }) => sentence);
        const { problems } = this.#judge(text, tokens, sentences);
        if (problems.length === 0) return { problems, support };
      }
    return (
      best ?? {
        problems: [`No sentence of the source says “${shortenClaim(text)}”`],
        support: candidates.slice(0, 1).filter(({ share }) => share > MIN_SHOWN),
      }
    );
  }

  /** "Ann and Ben talk about …": whoever says it, both are there. */
  #withoutSpeakers(tokens: readonly Token[]): readonly Token[] {
    const { speakers } = this.#index;
    if (speakers.size === 0) return tokens;
    let at = 0;
    let count = 0;
    while (at < tokens.length) {
      if (speakers.has(tokens[at]!.value)) count++;
      else if (tokens[at]!.word !== "and") break;
      at++;
    }
    return count >= 2 ? tokens.slice(at) : tokens;
  }

  /** All missing facts; without any, the first other finding. */
  #judge(text: string, tokens: readonly Token[], support: readonly SourceSentence[]): Verdict {
    const { names, namePairs } = this.#index;
    const problems: string[] = [];
    let isTurned = false;
    let negationsLeft = Math.max(...support.map(({ tokens: list }) => negationCount(list)));
    for (const [position, token] of tokens.entries()) {
      if (!isFact(token, tokens, names)) continue;
      if (token.kind === "negation") {
        if (negationsLeft-- <= 0) {
          problems.push(`“${token.text}” negates what the source states: “${shortenClaim(text)}”`);
          isTurned = true;
        }
      } else if (!support.some((one) => holdsFact(token, position, tokens, one, namePairs)))
        problems.push(`“${token.text}” isn't in the sentence it was taken from`);
    }
    if (problems.length > 0) return { problems, isTurned };
    const unbound = bindingProblem(text, tokens, support, (token) => isFact(token, tokens, names));
    if (unbound !== null) return { problems: [unbound], isUnbound: true };
    const turned = turnedProblem(text, tokens, support);
    if (turned !== null) return { problems: [turned], isTurned: true };
    const missing = this.#missingPart(text, support);
    return { problems: missing === null ? [] : [missing] };
  }

  /** No part of a claim may be wholly new: "… and won the lottery". */
  #missingPart(text: string, support: readonly SourceSentence[]): string | null {
    const segments = cutSegments(text);
    if (segments.length < 2) return null;
    for (const { start, end } of segments) {
      const part = text.slice(start, end);
      const tokens = tokenize(part).filter(({ value }) => !this.#index.names.has(value));
      const weights = this.#index.weightsOf(tokens);
      if (weights.size < PART_WORDS) continue;
      if (sharedWeight(weights, support) < MIN_PART_SHARE)
        return `A part of “${shortenClaim(text)}” is nowhere in the source: “${shortenClaim(part)}”`;
    }
    return null;
  }
}

/** A claim as problems quote it: at most 60 characters. */
export function shortenClaim(text: string): string {
  return text.length > 60 ? `${text.slice(0, 57).trimEnd()}…` : text;
}
