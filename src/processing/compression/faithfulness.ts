/**
 * Whether each sentence of a summary says only what its source says.
 *
 * A claim is aligned to the source sentences (one, or two together) that share most of its rare
 * words; its names, numbers and negations must be found there, bound to the same words. A sentence
 * that is in the source word for word is supported; a part of one is not exempt, since a part can
 * turn the meaning ("[He did not say that] we should go"). What counts as turned: `claim-rules.ts`.
 */

import { bindingProblem, turnedProblem } from "./claim-rules.ts";
import { tokenize, type Token } from "./facts.ts";
import { isUnit } from "./opposites.ts";
import { compareWords } from "./near-verbatim.ts";
import {
  isNarrative,
  KIN,
  SourceIndex,
  type SourceSentence,
  type SourceText,
} from "./source-index.ts";

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
/** Nor below this share of the weight of what is neither name nor figure. */
const MIN_CONTENT = 0.5;
/** Two sentences together must hold more: each alone could be about something else. */
const MIN_PAIR_ALIGNMENT = 0.6;
/** From this share on a claim without its names is one sentence's alone. */
const WHOLLY_SAID = 0.9;
const LABEL = /^(\p{Lu}[\p{L}\p{M}\p{N}.'’-]*(?: \p{Lu}[\p{L}\p{M}.'’-]*){0,2}):\s+(?=\S)/u;
/** How a summary is shown with what is kept beside it (`reconstructText`). */
const LISTED = /^(?:Also mentioned|Dates, amounts and numbers):\s+/;
/** Where a sentence can be cut into parts that state something each. */
const SEGMENT_END =
  /;\s+|:\s+|\s[–—-]+\s|,\s+|\s+(?=(?:and|but|because|since|although|though|while|whereas|so|after|when|once|whose|which|who|und|aber|et|mais|y|pero)\s)/gu;
/** A part has at least so many words of content. */
const SEGMENT_WORDS = 2;
const MAX_JOINED_SEGMENTS = 3;
/** Words of content that a part has at least for its absence to tell, and the share of their weight that must be there. */
const PART_WORDS = 2;
const MIN_PART_SHARE = 0.55;
/** A sentence that says so much of a claim, and more than any other, decides about its negations alone. */
const CLEARLY_SAID = 0.75;
const CLEARLY_NEARER = 0.15;
/** Word for word the same, whatever the spacing, quotes and end punctuation. */
function sentenceKey(text: string): string {
  return text.replace(/\s+/gu, " ").replace(/^[\s"'“”]+|[\s"'“”.!?;:]+$/gu, "");
}

interface TextRange {
  start: number;
  end: number;
}

interface Candidate {
  sentence: SourceSentence;
  share: number;
}

interface ClauseReport {
  problems: string[];
  support: Candidate[];
  /** No other reading can make up for it. */
  isFinal?: boolean;
}

/** The sentences of one source, indexed for alignment. Build once, check many summaries. */
export class FaithfulnessChecker {
  readonly #index: SourceIndex;
  /** Sentences by their words, each with where it is and who says it. */
  readonly #keys = new Map<string, { index: number; speakers: Set<string> }>();

  /**
   * `verbatim` are further texts that count as sentences of the source (merged units); `names` those
   * that are known, also where they only open sentences.
   */
  constructor(
    sentences: readonly (string | SourceText)[],
    verbatim: readonly (string | (SourceText & { index: number }))[] = [],
    names: readonly string[] = [],
  ) {
    const sources = sentences.map((one) => (typeof one === "string" ? { text: one } : one));
    this.#index = new SourceIndex(sources, names);
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
    const list = LISTED.exec(sentence);
    if (list) return this.#checkList(sentence, sentence.slice(list[0].length));
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
    const statements = sentence.split(/;\s+/).filter((part) => /\p{L}/u.test(part));
    if (statements.length < 2) return this.#checkClaims(sentence, report);
    // What a semicolon joins are statements of their own.
    const parts = statements.map((part) =>
      this.#checkSentence(part.charAt(0).toUpperCase() + part.slice(1)),
    );
    return report(
      parts.flatMap(({ problems }) => problems).slice(0, 1),
      parts.flatMap(({ sources }) => sources),
    );
  }

  /** "Also mentioned: Ann; Oslo.": each must stand somewhere in the source, and no more is claimed. */
  #checkList(text: string, items: string): ClaimReport {
    const listed = items
      .replace(/\.\s*$/, "")
      .split("; ")
      .filter((item) => item.trim() !== "");
    const problems = listed.flatMap((item) =>
      this.#index.mentions(item) ? [] : [`“${item}” is nowhere in the source`],
    );
    return { text, verbatim: false, sources: [], problems, claimCount: 1 + listed.length };
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
    const segments = cutSegments(sentence);
    const whole = this.#checkClause(sentence, tokenize(sentence));
    if (whole.problems.length === 0) return report([], sourcesOf([whole]));
    // A sentence may join several of the source: then each part must hold by its own.
    if (segments.length >= 2 && !whole.isFinal) {
      const parts = this.#checkSegments(sentence, segments);
      if (parts.every((part) => part.problems.length === 0)) return report([], sourcesOf(parts));
      const wrong = parts.find((part) => part.problems.length > 0)!;
      return report(wrong.problems, sourcesOf(parts));
    }
    return report(whole.problems, sourcesOf([whole]));
  }

  /** The fewest stretches of neighbouring segments that all hold; else each segment by itself. */
  #checkSegments(sentence: string, segments: readonly TextRange[]): ClauseReport[] {
    const subjects = this.#subjects(sentence, segments);
    const check = (from: number, to: number): ClauseReport => {
      const text = sentence.slice(segments[from]!.start, segments[to - 1]!.end);
      const tokens = tokenize(text);
      const first = tokens[0];
      // Inside a sentence a capital is a name's.
      if (from > 0 && first?.kind === "word" && /^\p{Lu}/u.test(first.text)) first.kind = "name";
      const inherits = from > 0 && startsWithoutSubject(tokens);
      return this.#checkClause(text, inherits ? [...subjects[from]!, ...tokens] : tokens);
    };
    const best: (ClauseReport[] | null)[] = [[]];
    for (let to = 1; to <= segments.length; to++) {
      let found: ClauseReport[] | null = null;
      for (let from = Math.max(0, to - MAX_JOINED_SEGMENTS); from < to; from++) {
        const before = best[from];
        if (!before || (from === 0 && to === segments.length)) continue;
        if (found && found.length <= before.length + 1) continue;
        const here = check(from, to);
        if (here.problems.length === 0) found = [...before, here];
      }
      best.push(found);
    }
    return best[segments.length] ?? segments.map((_, i) => check(i, i + 1));
  }

  /** For each segment the name that the nearest one before it begins with. */
  #subjects(sentence: string, segments: readonly TextRange[]): Token[][] {
    let subject: Token[] = [];
    return segments.map(({ start, end }) => {
      const inherited = subject;
      const tokens = tokenize(sentence.slice(start, end));
      const own = leadingName(tokens, this.#index.names);
      if (own.length > 0) subject = own;
      return inherited;
    });
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

  /** The support under which a clause has the fewest problems. */
  #checkClause(text: string, all: readonly Token[]): ClauseReport {
    const tokens = this.#withoutSpeakers(all);
    const weights = this.#index.weightsOf(tokens);
    const candidates = this.#index.candidates(weights);
    const nearest = candidates
      .map((candidate) => ({ candidate, edit: compareWords(tokens, candidate.sentence) }))
      .sort((a, b) => b.edit.share - a.edit.share)[0];
    if (nearest?.edit.problem)
      return { problems: [nearest.edit.problem], support: [nearest.candidate], isFinal: true };
    let best: ClauseReport | null = null;
    const content = this.#contentWeights(tokens);
    for (const [rank, candidate] of candidates.entries()) {
      if (candidate.share < MIN_ALIGNMENT) break;
      // Names and dates alone don't make a statement.
      if (content.size > 0 && sharedWeight(content, [candidate]) < MIN_CONTENT) continue;
      const { problems, isTurned, isUnbound } = this.#problems(text, tokens, [candidate.sentence]);
      const report: ClauseReport = { problems, support: [candidate] };
      if (problems.length === 0) return report;
      const next = candidates[1]?.share ?? 0;
      if (rank === 0 && isUnbound && candidate.share >= CLEARLY_SAID)
        return { ...report, isFinal: true };
      if (
        rank === 0 &&
        isTurned &&
        candidate.share >= CLEARLY_SAID &&
        candidate.share > next + CLEARLY_NEARER
      )
        return report;
      if (!best || problems.length < best.problems.length) best = report;
    }
    // What can be cut into parts must hold part by part.
    const isWhole = cutSegments(text).length < 2;
    for (const support of isWhole ? this.#joinedSupports(candidates) : []) {
      if (sharedWeight(weights, support) < MIN_PAIR_ALIGNMENT) continue;
      if (content.size > 0 && sharedWeight(content, support) < MIN_CONTENT) continue;
      const sentences = support.map(({ sentence }) => sentence);
      if (support.length > 1 && !this.#mayJoin(tokens, weights, sentences)) continue;
      const { problems } = this.#problems(text, tokens, sentences);
      if (problems.length === 0) return { problems, support };
    }
    return (
      best ?? {
        problems: [`No sentence of the source says “${shorten(text)}”`],
        support: candidates.slice(0, 1).filter(({ share }) => share > 0.25),
      }
    );
  }

  /** Of the words that are neither names nor figures. */
  #contentWeights(tokens: readonly Token[]): Map<string, number> {
    const { names } = this.#index;
    return this.#index.weightsOf(
      tokens.filter(
        ({ kind, value, word }) =>
          kind === "word" && !names.has(value) && !isNarrative(value) && !isUnit(word),
      ),
    );
  }

  /** Two sentences that may support a claim together: both of the likest, or one and its neighbour. */
  #joinedSupports(candidates: readonly Candidate[]): Candidate[][] {
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
  #mayJoin(
    tokens: readonly Token[],
    weights: ReadonlyMap<string, number>,
    support: readonly SourceSentence[],
  ): boolean {
    const others = new Map([...weights].filter(([value]) => !this.#index.names.has(value)));
    if (others.size < 2)
      return support.some((sentence) =>
        tokens.every(
          (token) =>
            token.kind === "negation" || !this.#isFact(token, tokens) || has(sentence, token),
        ),
      );
    const main = support.find((sentence) => sharedWeight(others, [{ sentence }]) >= WHOLLY_SAID);
    if (!main) return true;
    return tokens.every((token, at) => {
      if (token.kind === "negation" || !this.#isFact(token, tokens)) return true;
      if (has(main, token)) return true;
      if (token.kind === "number") return true;
      return isImported(tokens, at, main, support);
    });
  }

  #problems(
    text: string,
    tokens: readonly Token[],
    support: readonly SourceSentence[],
  ): { problems: string[]; isTurned?: boolean; isUnbound?: boolean } {
    const problems: string[] = [];
    let isTurned = false;
    let negationsLeft = Math.max(...support.map(({ tokens: list }) => negationCount(list)));
    for (const [position, token] of tokens.entries()) {
      if (!this.#isFact(token, tokens)) continue;
      if (token.kind === "negation") {
        if (negationsLeft-- <= 0) {
          problems.push(`“${token.text}” negates what the source states: “${shorten(text)}”`);
          isTurned = true;
        }
      } else if (!this.#holdsFact(token, position, tokens, support))
        problems.push(`“${token.text}” isn't in the sentence it was taken from`);
    }
    if (problems.length > 0) return { problems, isTurned };
    const unbound = bindingProblem(text, tokens, support, (token) => this.#isFact(token, tokens));
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
      const share = sharedWeight(
        weights,
        support.map((sentence) => ({ sentence })),
      );
      if (share < MIN_PART_SHARE)
        return `A part of “${shorten(text)}” is nowhere in the source: “${shorten(part)}”`;
    }
    return null;
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
    if (token.kind === "number") return !isTheTwo(token, tokens);
    if (token.kind !== "word" || KIN.test(token.word)) return true;
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

/** Parts of a sentence, each with some words of content. */
function cutSegments(sentence: string): TextRange[] {
  const segments: TextRange[] = [];
  let start = 0;
  const close = (end: number): void => {
    if (end <= start) return;
    const words = tokenize(sentence.slice(start, end)).filter(
      (token) => token.content || token.kind === "negation",
    ).length;
    const last = segments.at(-1);
    if (words < SEGMENT_WORDS && last) last.end = end;
    else segments.push({ start, end });
  };
  for (const match of sentence.matchAll(SEGMENT_END)) {
    close(match.index);
    start = match.index + match[0].length;
  }
  close(sentence.length);
  const [first, second] = segments;
  // A short opening ("In May, …") belongs to what follows.
  if (first && second) {
    const words = tokenize(sentence.slice(first.start, first.end)).filter((token) => token.content);
    if (words.length < SEGMENT_WORDS)
      segments.splice(0, 2, { start: first.start, end: second.end });
  }
  return segments;
}

/** "The two married": a pronoun. */
function isTheTwo(token: Token, tokens: readonly Token[]): boolean {
  return token.value === "2" && tokens[tokens.indexOf(token) - 1]?.word === "the";
}

function has({ values, resolvable }: SourceSentence, { value }: Token): boolean {
  return values.has(value) || resolvable.has(value);
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

/** A clause that begins with a verb has the subject of the one before it. */
function startsWithoutSubject(tokens: readonly Token[]): boolean {
  const first = tokens.find(
    ({ word }) =>
      !/^(?:and|but|because|since|so|when|after|although|though|while|once)$/.test(word),
  );
  if (!first || first.kind !== "word") return false;
  return !/^(?:no|nobody|none|nothing|everyone|everybody|somebody|someone|students?|people|i|he|she|they|we|you|it|the|a|an|this|that|these|those|his|her|their|my|our|your|its|there|some|many|all|both)\b/.test(
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
