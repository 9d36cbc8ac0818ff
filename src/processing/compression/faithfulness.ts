/**
 * Whether each sentence of a summary says only what its source says: the check behind the quality
 * vector's faithfulness and the links from a summary's sentences to their sources.
 *
 * A sentence that is in the source word for word is supported; a part of one is not exempt, since a
 * part can turn the meaning ("[He did not say that] we should go"). Any other is a claim: it is cut
 * into its parts (`claim-segments.ts`) where it doesn't hold as a whole, and each is held against
 * the sentences that share most of its rare words (`clause-checker.ts`).
 */

import { cutSegments, readSegments, segmentSubjects, type TextRange } from "./claim-segments.ts";
import { ClauseChecker, shortenClaim, type ClauseReport } from "./clause-checker.ts";
import { tokenize } from "./facts.ts";
import { SourceIndex, type KnownNames, type SourceText } from "./source-index.ts";

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

/** Who says it, before what is said. */
const LABEL = /^(\p{Lu}[\p{L}\p{M}\p{N}.'’-]*(?: \p{Lu}[\p{L}\p{M}.'’-]*){0,2}):\s+(?=\S)/u;
/** How a summary is shown with what is kept beside it (`reconstructText`). */
const LISTED = /^(?:Also mentioned|Dates, amounts and numbers):\s+/;
/** Neighbouring parts that may be supported as one. */
const MAX_JOINED_SEGMENTS = 3;

/** The sentences of one source, indexed for alignment. Build once, check many summaries. */
export class FaithfulnessChecker {
  readonly #index: SourceIndex;
  readonly #clauses: ClauseChecker;
  /** Sentences by their words, each with where it is and who says it. */
  readonly #keys = new Map<string, { index: number; speakers: Set<string> }>();

  /**
   * `verbatim` are further texts that count as sentences of the source (merged units); `names`
   * those that are known.
   */
  constructor(
    sentences: readonly (string | SourceText)[],
    verbatim: readonly (string | (SourceText & { index: number }))[] = [],
    names: KnownNames = {},
  ) {
    const sources = sentences.map((one) => (typeof one === "string" ? { text: one } : one));
    this.#index = new SourceIndex(sources, names);
    this.#clauses = new ClauseChecker(this.#index);
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
      return report([`“${speaker}” isn't who says “${shortenClaim(said)}”`], sources);
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
    const segments = cutSegments(sentence);
    const whole = this.#clauses.check(sentence, tokenize(sentence));
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
    const subjects = segmentSubjects(sentence, segments, this.#index.names);
    const check = (from: number, to: number): ClauseReport => {
      const { text, tokens } = readSegments(sentence, segments, subjects, from, to);
      return this.#clauses.check(text, tokens);
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
}

/** The source sentences of all clauses, each once with its highest share, best first. */
function sourcesOf(clauses: readonly ClauseReport[]): ClaimReport["sources"] {
  const best = new Map<number, number>();
  for (const { support } of clauses)
    for (const { sentence, share } of support)
      best.set(
        sentence.index,
        Math.max(best.get(sentence.index) ?? 0, Math.round(share * 100) / 100),
      );
  return [...best].map(([index, score]) => ({ index, score })).sort((a, b) => b.score - a.score);
}

/** Word for word the same, whatever the spacing, quotes and end punctuation. */
function sentenceKey(text: string): string {
  return text.replace(/\s+/gu, " ").replace(/^[\s"'“”]+|[\s"'“”.!?;:]+$/gu, "");
}
