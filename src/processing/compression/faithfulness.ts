/**
 * Whether each sentence of a summary says only what its source says.
 *
 * A summary sentence is aligned to the source sentence that shares most of its (rare) words; its
 * names, numbers and negations must be found there, in the same order and with the same polarity.
 * A sentence that is in the source word for word is supported; a part of one is not exempt, since
 * a part can turn the meaning ("[He did not say that] we should go").
 */

import { polarities, tokenize, type Token } from "./facts.ts";

export interface SourceSentence {
  text: string;
  tokens: Token[];
  values: Set<string>;
}

export interface FaithfulnessReport {
  /** Supported claims / claims, 0–1; 1 for a summary without sentences. */
  score: number;
  claimCount: number;
  /** Plain words, one per unsupported claim: `“1845” isn't in the sentence it was taken from`. */
  unsupported: string[];
}

/** Below this share of shared word weight a sentence has no source. */
const MIN_ALIGNMENT = 0.5;
const NAME_CONNECTORS = /^[\s.,'’"&-]*(?:(?:of|the|de|van|von|and)\s)?$/;

/** Word for word the same, whatever the spacing, quotes and end punctuation. */
function sentenceKey(text: string): string {
  return text.replace(/\s+/gu, " ").replace(/^[\s"'“”]+|[\s"'“”.!?;:]+$/gu, "");
}

/** The sentences of one source, indexed for alignment. Build once, check many summaries. */
export class FaithfulnessChecker {
  readonly #sentences: SourceSentence[];
  readonly #keys: Set<string>;
  readonly #postings = new Map<string, number[]>();
  /** Name tokens anywhere in the source, each with its neighbours among names ("andrew jackson"). */
  readonly #namePairs = new Set<string>();
  readonly #names = new Set<string>();
  readonly #rarity: (value: string) => number;

  /** `verbatim` are further texts that count as sentences of the source (merged units). */
  constructor(sentences: readonly string[], verbatim: readonly string[] = []) {
    this.#keys = new Set([...sentences, ...verbatim].map(sentenceKey));
    this.#sentences = sentences.map((text) => {
      const tokens = tokenize(text);
      return {
        text,
        tokens,
        values: new Set(tokens.filter((t) => t.kind !== "negation").map((t) => t.value)),
      };
    });
    this.#sentences.forEach(({ tokens, text, values }, index) => {
      for (const value of values) {
        const list = this.#postings.get(value);
        if (list) list.push(index);
        else this.#postings.set(value, [index]);
      }
      tokens.forEach((token, at) => {
        if (token.kind !== "name") return;
        this.#names.add(token.value);
        const next = tokens[at + 1];
        if (next?.kind === "name" && NAME_CONNECTORS.test(text.slice(token.end, next.start)))
          this.#namePairs.add(`${token.value} ${next.value}`);
        const previous = tokens[at - 1];
        if (
          previous?.opensSentence &&
          /^\p{Lu}/u.test(previous.text) &&
          NAME_CONNECTORS.test(text.slice(previous.end, token.start))
        )
          this.#namePairs.add(`${previous.value} ${token.value}`);
      });
    });
    const count = Math.max(1, this.#sentences.length);
    this.#rarity = (value) => Math.log(1 + count / (1 + (this.#postings.get(value)?.length ?? 0)));
  }

  /** Checks the sentences of a summary, each on its own. */
  check(summarySentences: readonly string[]): FaithfulnessReport {
    let claims = 0;
    let supported = 0;
    const unsupported: string[] = [];
    for (const sentence of summarySentences) {
      const report = this.#checkSentence(sentence);
      claims += report.claims;
      supported += report.claims - report.problems.length;
      unsupported.push(...report.problems);
    }
    return {
      score: claims === 0 ? 1 : Math.max(0, supported / claims),
      claimCount: claims,
      unsupported,
    };
  }

  #checkSentence(sentence: string): { claims: number; problems: string[] } {
    const tokens = tokenize(sentence);
    if (tokens.length === 0) return { claims: 0, problems: [] };
    const facts = tokens.filter((t) => t.kind !== "word");
    if (this.#keys.has(sentenceKey(sentence))) return { claims: 1 + facts.length, problems: [] };
    const whole = this.#checkClause(sentence, tokens);
    if (whole.problems.length === 0) return whole;
    // A sentence may join two of the source: each clause must then hold on its own, by its own one.
    const clauses = sentence.split(
      /;\s+|,\s+(?:and|but|while|so|und|aber|et|mais|y|pero)\s+|\s+(?:and|but|while)\s+(?=\p{Lu}|\w+ \w+)/u,
    );
    if (clauses.length < 2) return whole;
    const parts = clauses.map((clause, index) =>
      this.#checkClause(clause, tokenize(clause), index > 0),
    );
    const problems = parts.flatMap((part) => part.problems);
    const sources = new Set(parts.map((part) => part.aligned));
    return problems.length === 0 && sources.size === parts.length
      ? { claims: whole.claims, problems }
      : whole;
  }

  #checkClause(
    text: string,
    tokens: Token[],
    continues = false,
  ): { claims: number; problems: string[]; aligned: SourceSentence | null } {
    if (continues && tokens[0] && /^\p{Lu}/u.test(tokens[0].text)) {
      tokens[0].kind = tokens[0].kind === "word" ? "name" : tokens[0].kind;
    }
    const facts = tokens.filter((token) => this.#isFact(token, tokens));
    const claims = 1 + facts.length;
    const aligned = this.#align(tokens);
    if (!aligned)
      return {
        claims,
        problems: [`No sentence of the source says “${shorten(text)}”`],
        aligned,
      };
    const problems: string[] = [];
    let negationsLeft = negationCount(aligned.tokens);
    for (const fact of facts) {
      if (fact.kind === "negation") {
        if (negationsLeft-- <= 0)
          problems.push(`“${fact.text}” negates what the source states: “${shorten(text)}”`);
      } else if (!aligned.values.has(fact.value) && !this.#isFullName(fact, tokens, aligned))
        problems.push(`“${fact.text}” isn't in the sentence it was taken from`);
    }
    if (problems.length === 0) {
      const order = this.#orderProblem(facts, aligned, text);
      if (order) problems.push(order);
      else {
        const turned = turnedWord(tokens, text, aligned);
        if (turned) problems.push(`“${turned}” is negated in only one of summary and source`);
      }
    }
    return { claims, problems, aligned };
  }

  /** Names inside a sentence, numbers, negations; a capital at its start when the source knows that name. */
  #isFact(token: Token, tokens: readonly Token[]): boolean {
    if (token.kind !== "word") return true;
    if (!token.opensSentence || !/^\p{Lu}/u.test(token.text) || !token.content) return false;
    if (this.#names.has(token.value)) return true;
    const next = tokens[tokens.indexOf(token) + 1];
    return next?.kind === "name" && next.start - token.end <= 2;
  }

  /** The source sentence with the largest share of the clause's word weight; null when none has enough. */
  #align(tokens: readonly Token[]): SourceSentence | null {
    const scores = new Map<number, number>();
    let total = 0;
    for (const value of new Set(
      tokens.filter((t) => t.content || t.kind === "number").map((t) => t.value),
    )) {
      const weight = this.#rarity(value);
      total += weight;
      for (const index of this.#postings.get(value) ?? [])
        scores.set(index, (scores.get(index) ?? 0) + weight);
    }
    let best = -1;
    let bestScore = 0;
    for (const [index, score] of scores) {
      // Of equally good ones the shortest: it holds the fewest other facts.
      const better = score > bestScore + 1e-9;
      const tie = Math.abs(score - bestScore) <= 1e-9 && best >= 0;
      if (
        better ||
        (tie && this.#sentences[index]!.tokens.length < this.#sentences[best]!.tokens.length)
      ) {
        best = index;
        bestScore = score;
      }
    }
    return best >= 0 && total > 0 && bestScore / total >= MIN_ALIGNMENT
      ? this.#sentences[best]!
      : null;
  }

  /** "Andrew" before "Jackson" is supported where the aligned sentence has "Jackson" and the source "Andrew Jackson". */
  #isFullName(fact: Token, tokens: readonly Token[], aligned: SourceSentence): boolean {
    if (fact.kind === "number" || fact.kind === "negation") return false;
    const at = tokens.indexOf(fact);
    const next = tokens[at + 1];
    const previous = tokens[at - 1];
    return (
      (next !== undefined &&
        aligned.values.has(next.value) &&
        this.#namePairs.has(`${fact.value} ${next.value}`)) ||
      (previous !== undefined &&
        aligned.values.has(previous.value) &&
        this.#namePairs.has(`${previous.value} ${fact.value}`))
    );
  }

  /** Names and numbers must stand in the source's order: "Ann paid Bob" is not "Bob paid Ann". */
  #orderProblem(facts: readonly Token[], aligned: SourceSentence, text: string): string | null {
    const passive = (t: string): boolean => /\bby\b/i.test(t);
    if (passive(text) !== passive(aligned.text)) return null;
    let cursor = -1;
    for (const fact of facts) {
      if (fact.kind === "negation") continue;
      const places = aligned.tokens.flatMap((token, index) =>
        token.value === fact.value ? [index] : [],
      );
      if (places.length === 0) continue;
      const next = places.find((place) => place > cursor);
      if (next === undefined) return `“${fact.text}” stands in another place than in the source`;
      cursor = next;
    }
    return null;
  }
}

/**
 * A content word that summary and source share and that only one of them negates; null when there
 * is none. Where it is uncertain how far a negation reaches, as many on both sides are taken for the same.
 */
function turnedWord(
  tokens: readonly Token[],
  text: string,
  aligned: SourceSentence,
): string | null {
  const source = new Map<string, Set<boolean | null>>();
  const said = polarities(tokens, text);
  const stated = polarities(aligned.tokens, aligned.text);
  for (const { value, negated } of stated) {
    const known = source.get(value);
    if (known) known.add(negated);
    else source.set(value, new Set([negated]));
  }
  const count = negationCount(tokens);
  const bothNegate = count > 0 && count === negationCount(aligned.tokens);
  for (const { value, negated } of said) {
    const known = source.get(value);
    if (!known || known.has(negated)) continue;
    const uncertain = negated === null || known.has(null);
    if (!(uncertain && bothNegate)) return value;
  }
  return null;
}

function negationCount(tokens: readonly Token[]): number {
  return tokens.filter((token) => token.kind === "negation").length;
}

function shorten(text: string): string {
  return text.length > 60 ? `${text.slice(0, 57).trimEnd()}…` : text;
}
