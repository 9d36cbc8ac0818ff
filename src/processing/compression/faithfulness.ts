/**
 * Whether each sentence of a summary says only what its source says.
 *
 * A claim is aligned to the source sentences (one, or two together) that share most of its rare
 * words; its names, numbers and negations must be found there, bound to the same words. A sentence
 * that is in the source word for word is supported; a part of one is not exempt, since a part can
 * turn the meaning ("[He did not say that] we should go"). What counts as turned: `claim-rules.ts`.
 */

import { bindingProblem, isSupportedPart, turnedProblem } from "./claim-rules.ts";
import { tokenize, type Token } from "./facts.ts";
import { compareWords } from "./near-verbatim.ts";
import { SourceIndex, type SourceSentence, type SourceText } from "./source-index.ts";

/** What was found out about one sentence of a summary. */
export interface ClaimReport {
  text: string;
  /** Word for word in the source. */
  verbatim: boolean;
  /** Supporting source sentences, by index, best first, with their share of the claim's words. */
  sources: { index: number; score: number }[];
  /** Plain words; empty when it is supported. */
  problems: string[];
  /** One, and one more per name, number and negation. */
  claimCount: number;
}

export interface FaithfulnessReport {
  /** Supported claims / claims, 0–1; 1 for a summary without sentences. */
  score: number;
  claimCount: number;
  /** Plain words, one per unsupported claim: `“1845” isn't in the sentence it was taken from`. */
  unsupported: string[];
  /** One per sentence given. */
  sentences: ClaimReport[];
}

/** Below this share of shared word weight a sentence has no source. */
const MIN_ALIGNMENT = 0.5;
/** Two sentences together must hold more: each alone could be about something else. */
const MIN_PAIR_ALIGNMENT = 0.6;
/** From this share on a claim without its names is one sentence's alone. */
const WHOLLY_SAID = 0.9;
const LABEL = /^(\p{Lu}[\p{L}\p{M}\p{N}.'’-]*(?: \p{Lu}[\p{L}\p{M}.'’-]*){0,2}):\s+(?=\S)/u;
const CLAUSE_END =
  /;\s+|,\s+(?:and|but|while|so|und|aber|et|mais|y|pero)\s+|\s+(?:and|but|while)\s+(?=\p{Lu}|\w+ \w+)/u;

/** Word for word the same, whatever the spacing, quotes and end punctuation. */
function sentenceKey(text: string): string {
  return text.replace(/\s+/gu, " ").replace(/^[\s"'“”]+|[\s"'“”.!?;:]+$/gu, "");
}

interface ClauseReport {
  problems: string[];
  support: { sentence: SourceSentence; share: number }[];
  /** No other reading can make up for it. */
  isFinal?: boolean;
}

/** The sentences of one source, indexed for alignment. Build once, check many summaries. */
export class FaithfulnessChecker {
  readonly #index: SourceIndex;
  /** Sentences by their words, each with where it is and who says it. */
  readonly #keys = new Map<string, { index: number; speakers: Set<string> }>();

  /** `verbatim` are further texts that count as sentences of the source (merged units). */
  constructor(
    sentences: readonly (string | SourceText)[],
    verbatim: readonly (string | (SourceText & { index: number }))[] = [],
  ) {
    const sources = sentences.map((one) => (typeof one === "string" ? { text: one } : one));
    this.#index = new SourceIndex(sources);
    sources.forEach((source, index) => this.#addKey(source, index));
    for (const one of verbatim)
      if (typeof one === "string") this.#addKey({ text: one }, -1);
      else this.#addKey(one, one.index);
  }

  #addKey({ text, speaker }: SourceText, index: number): void {
    const key = sentenceKey(text);
    const known = this.#keys.get(key);
    const entry = known ?? { index, speakers: new Set<string>() };
    if (speaker) entry.speakers.add(speaker);
    if (!known) this.#keys.set(key, entry);
  }

  /** Checks the sentences of a summary, each on its own. */
  check(summarySentences: readonly string[]): FaithfulnessReport {
    const sentences = summarySentences.map((sentence) => this.#checkSentence(sentence));
    const claims = sentences.reduce((sum, one) => sum + one.claimCount, 0);
    const unsupported = sentences.flatMap((one) => one.problems);
    return {
      score: claims === 0 ? 1 : Math.max(0, (claims - unsupported.length) / claims),
      claimCount: claims,
      unsupported,
      sentences,
    };
  }

  #checkSentence(sentence: string): ClaimReport {
    const label = LABEL.exec(sentence);
    const speaker = label?.[1] ?? null;
    const said = label ? sentence.slice(label[0].length) : sentence;
    const tokens = tokenize(said);
    const report = (
      problems: string[],
      sources: ClaimReport["sources"],
      verbatim = false,
    ): ClaimReport => ({
      text: sentence,
      verbatim,
      sources,
      problems,
      claimCount: tokens.length === 0 ? 0 : 1 + tokens.filter((t) => t.kind !== "word").length,
    });
    if (tokens.length === 0) return report([], []);
    const whole = this.#keys.get(sentenceKey(sentence));
    if (whole) return report([], whole.index < 0 ? [] : [{ index: whole.index, score: 1 }], true);
    const known = this.#keys.get(sentenceKey(said));
    if (known) {
      const sources = known.index < 0 ? [] : [{ index: known.index, score: 1 }];
      if (speaker === null) return report([], sources, true);
      if (known.speakers.has(speaker)) return report([], sources, true);
      return report([`“${speaker}” isn't who says “${shorten(said)}”`], sources);
    }
    return this.#checkClaims(sentence, report);
  }

  #checkClaims(
    sentence: string,
    report: (problems: string[], sources: ClaimReport["sources"]) => ClaimReport,
  ): ClaimReport {
    const sourcesOf = (clauses: readonly ClauseReport[]): ClaimReport["sources"] => {
      const best = new Map<number, number>();
      for (const { support } of clauses)
        for (const { sentence: one, share } of support)
          best.set(one.index, Math.max(best.get(one.index) ?? 0, Math.round(share * 100) / 100));
      return [...best]
        .map(([index, score]) => ({ index, score }))
        .sort((a, b) => b.score - a.score);
    };
    const whole = this.#checkClause(sentence, tokenize(sentence));
    if (whole.problems.length === 0) return report([], sourcesOf([whole]));
    // A sentence may join two of the source: each clause must then hold on its own, by its own one.
    const texts = sentence.split(CLAUSE_END).filter((text) => /\p{L}/u.test(text));
    if (texts.length >= 2 && !whole.isFinal) {
      const clauses: ClauseReport[] = [];
      let subject: Token[] = [];
      for (const [position, text] of texts.entries()) {
        const tokens = tokenize(text);
        const first = tokens[0];
        if (position > 0 && first?.kind === "word" && /^\p{Lu}/u.test(first.text))
          first.kind = "name";
        const inherits = position > 0 && startsWithoutSubject(tokens);
        clauses.push(this.#checkClause(text, inherits ? [...subject, ...tokens] : tokens));
        if (!inherits) subject = leadingName(tokens, this.#index.names);
      }
      if (clauses.every((clause) => clause.problems.length === 0))
        return report([], sourcesOf(clauses));
    }
    return report(whole.problems, sourcesOf([whole]));
  }

  /** The support under which a clause has the fewest problems. */
  #checkClause(text: string, tokens: readonly Token[]): ClauseReport {
    const weights = this.#index.weightsOf(tokens);
    const candidates = this.#index.candidates(weights);
    const nearest = candidates
      .map((candidate) => ({ candidate, edit: compareWords(tokens, candidate.sentence) }))
      .sort((a, b) => b.edit.share - a.edit.share)[0];
    if (nearest?.edit.problem)
      return { problems: [nearest.edit.problem], support: [nearest.candidate], isFinal: true };
    let best: ClauseReport | null = null;
    for (const candidate of candidates) {
      if (candidate.share < MIN_ALIGNMENT) break;
      const problems = this.#problems(text, tokens, [candidate.sentence]);
      const report = { problems, support: [candidate] };
      if (problems.length === 0) return report;
      if (!best || problems.length < best.problems.length) best = report;
    }
    // What one sentence says nearly in full may not be said of somebody in another one.
    const others = new Map([...weights].filter(([value]) => !this.#index.names.has(value)));
    const isSaidBy = (sentence: SourceSentence): boolean =>
      sharedWeight(others, [{ sentence }]) >= WHOLLY_SAID;
    const joins = others.size > 1 && candidates.some(({ sentence }) => isSaidBy(sentence));
    for (const other of joins ? [] : candidates.slice(1)) {
      const pair = [candidates[0]!, other];
      if (sharedWeight(weights, pair) < MIN_PAIR_ALIGNMENT) continue;
      const problems = this.#problems(
        text,
        tokens,
        pair.map(({ sentence }) => sentence),
      );
      if (problems.length === 0) return { problems, support: pair };
    }
    return (
      best ?? {
        problems: [`No sentence of the source says “${shorten(text)}”`],
        support: candidates.slice(0, 1).filter(({ share }) => share > 0.25),
      }
    );
  }

  #problems(text: string, tokens: readonly Token[], support: readonly SourceSentence[]): string[] {
    const problems: string[] = [];
    let negationsLeft = Math.max(...support.map(({ tokens: list }) => negationCount(list)));
    for (const [position, token] of tokens.entries()) {
      if (!this.#isFact(token, tokens)) continue;
      if (token.kind === "negation") {
        if (negationsLeft-- <= 0)
          problems.push(`“${token.text}” negates what the source states: “${shorten(text)}”`);
      } else if (!this.#holdsFact(token, position, tokens, support))
        problems.push(`“${token.text}” isn't in the sentence it was taken from`);
    }
    if (problems.length > 0) return problems;
    const turned =
      bindingProblem(text, tokens, support, (token) => this.#isFact(token, tokens)) ??
      turnedProblem(text, tokens, support) ??
      (isSupportedPart(text, support, (value) => this.#index.names.has(value))
        ? null
        : `A part of “${shorten(text)}” is nowhere in the source`);
    return turned === null ? [] : [turned];
  }

  #holdsFact(
    fact: Token,
    position: number,
    tokens: readonly Token[],
    support: readonly SourceSentence[],
  ): boolean {
    return support.some(
      (sentence) =>
        sentence.values.has(fact.value) ||
        (fact.kind !== "number" && sentence.resolvable.has(fact.value)) ||
        this.#isFullName(fact, position, tokens, sentence),
    );
  }

  /** Names inside a sentence, numbers, negations; a capital at its start when the source knows that name. */
  #isFact(token: Token, tokens: readonly Token[]): boolean {
    if (token.kind !== "word") return true;
    if (!token.opensSentence || !/^\p{Lu}/u.test(token.text) || !token.content) return false;
    if (this.#index.names.has(token.value)) return true;
    const next = tokens[tokens.indexOf(token) + 1];
    return next?.kind === "name" && next.start - token.end <= 2 && next.start >= token.end;
  }

  /** "Andrew" before "Jackson" is supported where the aligned sentence has "Jackson" and the source "Andrew Jackson". */
  #isFullName(
    fact: Token,
    at: number,
    tokens: readonly Token[],
    { values, resolvable }: SourceSentence,
  ): boolean {
    if (fact.kind === "number" || fact.kind === "negation") return false;
    const has = (token: Token): boolean => values.has(token.value) || resolvable.has(token.value);
    const next = tokens[at + 1];
    const previous = tokens[at - 1];
    const { namePairs } = this.#index;
    return (
      (next !== undefined && has(next) && namePairs.has(`${fact.value} ${next.value}`)) ||
      (previous !== undefined && has(previous) && namePairs.has(`${previous.value} ${fact.value}`))
    );
  }
}

function sharedWeight(
  weights: ReadonlyMap<string, number>,
  support: readonly { sentence: SourceSentence }[],
): number {
  let total = 0;
  let shared = 0;
  for (const [value, weight] of weights) {
    total += weight;
    if (
      support.some(({ sentence }) => sentence.values.has(value) || sentence.resolvable.has(value))
    )
      shared += weight;
  }
  return total === 0 ? 0 : shared / total;
}

/** A clause that begins with a verb has the subject of the one before it. */
function startsWithoutSubject(tokens: readonly Token[]): boolean {
  const first = tokens[0];
  if (!first || first.kind !== "word") return false;
  return !/^(?:i|he|she|they|we|you|it|the|a|an|this|that|these|those|his|her|their|my|our|your|its|there|some|many|all|both)\b/.test(
    first.word,
  );
}

/** The name that a clause begins with. */
function leadingName(tokens: readonly Token[], names: ReadonlySet<string>): Token[] {
  const found: Token[] = [];
  for (const token of tokens) {
    const isName = token.kind === "name" || (/^\p{Lu}/u.test(token.text) && names.has(token.value));
    if (isName) found.push({ ...token, kind: "name" });
    else if (found.length > 0) break;
    else if (token.content) break;
  }
  return found;
}

function negationCount(tokens: readonly Token[]): number {
  return tokens.filter((token) => token.kind === "negation").length;
}

function shorten(text: string): string {
  return text.length > 60 ? `${text.slice(0, 57).trimEnd()}…` : text;
}
