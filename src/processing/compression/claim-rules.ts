/**
 * What turns a statement although all its words are in the source: facts bound to other words,
 * swapped roles, negation, opposites, quantifiers, certainty, units. Each rule names its finding in
 * plain words. Used by the faithfulness check; rates of what they catch: docs/decisions/0003-summary-gate.md.
 */

import { isCalendar, polarities, stemWord, type Token } from "./facts.ts";
import {
  certaintyOf,
  isOtherCertainty,
  isUnit,
  oppositeIn,
  unitOf,
  wrongQuantifier,
} from "./opposites.ts";
import type { SourceSentence } from "./source-index.ts";

/** Content words beside a fact that bind it. */
const BINDING_REACH = 3;
const ROLES = new Set(
  "by to from with for of in at on about against near under over into".split(" "),
);
const PASSIVE = /\b(?:was|were|is|are|been|being|be|got)\b[^.;]{0,40}\bby\b/i;

/** The word before a name that says its role; "" for a subject or object. */
function roleOf(tokens: readonly Token[], index: number): string {
  for (let i = index - 1; i >= Math.max(0, index - 2); i--) {
    const { word } = tokens[i]!;
    if (ROLES.has(word)) return word;
    if (!/^(?:the|a|an|mr|mrs|ms|dr|president|my|his|her|their|our)$/.test(word)) return "";
  }
  return "";
}

/** Content words near a token, as values. */
function neighbours(tokens: readonly Token[], index: number): string[] {
  const found: string[] = [];
  for (const step of [-1, 1])
    for (
      let i = index + step, left = BINDING_REACH;
      i >= 0 && i < tokens.length && left > 0;
      i += step
    ) {
      const token = tokens[i]!;
      if (!token.content && token.kind !== "number") continue;
      found.push(token.value);
      left--;
    }
  return found;
}

function placesOf(tokens: readonly Token[], value: string): number[] {
  return tokens.flatMap((token, index) => (token.value === value ? [index] : []));
}

/** A fact that stands beside other words, or in another role, than in the source; null when all are bound. */
export function bindingProblem(
  text: string,
  tokens: readonly Token[],
  support: readonly SourceSentence[],
  isFact: (token: Token) => boolean,
): string | null {
  const facts = tokens
    .map((token, index) => ({ token, index }))
    .filter(({ token }) => token.kind !== "negation" && isFact(token));
  for (const { token, index } of facts) {
    const misplaced = misplacedProblem(tokens, index, support);
    if (misplaced) return misplaced;
    if (token.kind === "number") {
      const problem = numberProblem(text, tokens, index, support);
      if (problem) return problem;
    } else if (support.length > 1) {
      // With two supports, a name must stand with its words in the same one.
      const near = neighbours(tokens, index).slice(0, 4);
      const bound = support.some(
        ({ values, resolvable }) =>
          (values.has(token.value) || resolvable.has(token.value)) &&
          (near.length === 0 || near.some((value) => values.has(value))),
      );
      if (!bound) return `“${token.text}” stands with words of another sentence`;
      const subject = near.at(0);
      const others = support.filter(
        ({ values, resolvable }) => !values.has(token.value) && !resolvable.has(token.value),
      );
      const after = tokens.slice(index + 1).find((one) => one.content && one.kind === "word");
      if (
        subject !== undefined &&
        after &&
        others.some(({ values }) => values.has(after.value)) &&
        !support.some(
          ({ values, resolvable }) =>
            (values.has(token.value) || resolvable.has(token.value)) && values.has(after.value),
        )
      )
        return `“${token.text}” stands with words of another sentence`;
    }
  }
  if (support.length > 1) return null;
  const names = facts.filter(({ token }) => token.kind !== "number");
  return roleProblem(text, tokens, names, support[0]!);
}

type FactClass = "number" | "calendar";

function classOf(token: Token): FactClass | null {
  if (token.kind === "number") return "number";
  return isCalendar(token.value) ? "calendar" : null;
}

/** The content words right before and after a token, over units and small words. */
function flanks(
  tokens: readonly Token[],
  index: number,
): [before: string | undefined, after: string | undefined] {
  const next = (step: number): string | undefined => {
    for (let i = index + step; i >= 0 && i < tokens.length; i += step) {
      const token = tokens[i]!;
      if ((!token.content && token.kind !== "number") || isUnit(token.word)) continue;
      // "4 October", "October 4": by its month, whichever comes first.
      const beside = tokens[i + step]?.word === "of" ? tokens[i + 2 * step] : tokens[i + step];
      const month = token.kind === "number" && beside;
      return month && isCalendar(month.value) ? month.value : token.value;
    }
    return undefined;
  };
  return [next(-1), next(1)];
}

function isFigure(value: string): boolean {
  return /^[\d.]+$/.test(value) || isCalendar(value);
}

/** "An 8 percent discount" for "a discount of eight percent". */
function isTurnedShare(
  tokens: readonly Token[],
  index: number,
  source: readonly Token[],
  place: number,
): boolean {
  const unit = tokens[index + 1];
  const noun = tokens[index + 2];
  return (
    unit !== undefined &&
    noun !== undefined &&
    isUnit(unit.word) &&
    noun.start - unit.end === 1 &&
    source[place - 1]?.word === "of" &&
    source[place - 2]?.value === noun.value
  );
}

/** What stands right beside a part of a date and belongs to the same date: "3" and "2020" of "3 March 2020". */
function dateCompanions(tokens: readonly Token[], index: number): string[] {
  const isPart = (token: Token | undefined): token is Token =>
    token !== undefined &&
    (isCalendar(token.value) ||
      (token.kind === "number" && /^(?:[12]?\d|3[01]|1\d{3}|20\d{2})$/.test(token.value)));
  const found: string[] = [];
  for (const step of [-1, 1])
    for (let i = index + step; Math.abs(i - index) <= 3; i += step) {
      // "The 14th of June".
      const at = tokens[i]?.word === "of" ? (i += step) : i;
      const part = tokens[at];
      const beside = tokens[at - step];
      if (!isPart(part) || !beside) break;
      if (Math.max(part.start - beside.end, beside.start - part.end) > 2) break;
      found.push(part.value);
    }
  const all = [tokens[index]!.value, ...found];
  return all.some((value) => isCalendar(value)) ? found : [];
}

/**
 * A number or date of a sentence that holds several must have the word before or after it that it
 * has there: "1,200 in May and 3,500 in June" is not "3,500 in May and 1,200 in June".
 */
function misplacedProblem(
  tokens: readonly Token[],
  index: number,
  support: readonly SourceSentence[],
): string | null {
  const token = tokens[index]!;
  const kind = classOf(token);
  if (kind === null) return null;
  const [before, after] = flanks(tokens, index);
  let isThere = false;
  for (const sentence of support) {
    const places = placesOf(sentence.tokens, token.value);
    if (places.length === 0) continue;
    isThere = true;
    const others = new Set(
      sentence.tokens.filter((one) => classOf(one) === kind).map((one) => one.value),
    );
    if (others.size < 2) return null;
    for (const place of places) {
      const [sourceBefore, sourceAfter] = flanks(sentence.tokens, place);
      if (before !== undefined && before === sourceBefore) return null;
      if (after !== undefined && after === sourceAfter) return null;
      // "The August invoice", "the invoice of August"; "March 3", "3 March".
      const isWordOf = (one: string | undefined): boolean =>
        one !== undefined && (one === sourceBefore || one === sourceAfter) && !isFigure(one);
      if (kind === "calendar" && (isWordOf(before) || isWordOf(after))) return null;
      if (kind === "number" && isTurnedShare(tokens, index, sentence.tokens, place)) return null;
      const companions = dateCompanions(sentence.tokens, place);
      if (dateCompanions(tokens, index).some((one) => companions.includes(one))) return null;
    }
  }
  return isThere ? `“${token.text}” stands in another place than in the source` : null;
}

/** A number must have the unit and at least one of the neighbours that it has in the source. */
function numberProblem(
  text: string,
  tokens: readonly Token[],
  index: number,
  support: readonly SourceSentence[],
): string | null {
  const { value, text: shown } = tokens[index]!;
  const unit = unitOf(tokens, index, text);
  const near = new Set(neighbours(tokens, index));
  let hasOtherUnit = false;
  let isBound = false;
  for (const sentence of support) {
    const numbers = sentence.tokens.filter((token) => token.kind === "number").length;
    for (const place of placesOf(sentence.tokens, value)) {
      const sourceUnit = unitOf(sentence.tokens, place, sentence.text);
      if (unit !== null && sourceUnit !== null && unit !== sourceUnit) {
        hasOtherUnit = true;
        continue;
      }
      // "At 10:15, not at 9:45".
      const isDenied = (list: readonly Token[], at: number): boolean =>
        list.slice(Math.max(0, at - 2), at).some(({ kind }) => kind === "negation");
      if (isDenied(sentence.tokens, place) && negationCount(tokens) === 0) continue;
      const shares = neighbours(sentence.tokens, place).some((other) => near.has(other));
      if (near.size === 0 || numbers < 2 || shares) isBound = true;
    }
  }
  if (isBound) return null;
  return hasOtherUnit
    ? `“${shown}” has another unit than in the source`
    : `“${shown}” stands in another place than in the source`;
}

/** Names must keep their roles: "Ann paid Bob" is not "Bob paid Ann", however it is put. */
function roleProblem(
  text: string,
  tokens: readonly Token[],
  names: readonly { token: Token; index: number }[],
  sentence: SourceSentence,
): string | null {
  const isPassive = PASSIVE.test(text);
  const wasPassive = PASSIVE.test(sentence.text);
  const placed = names.flatMap(({ token, index }) => {
    const places = placesOf(sentence.tokens, token.value);
    return places.length === 0
      ? []
      : [
          {
            token,
            role: roleOf(tokens, index),
            places,
            roles: places.map((p) => roleOf(sentence.tokens, p)),
          },
        ];
  });
  for (let a = 0; a < placed.length; a++)
    for (let b = a + 1; b < placed.length; b++) {
      const first = placed[a]!;
      const second = placed[b]!;
      if (first.token.value === second.token.value) continue;
      const keepsOrder = first.places.some((x) => second.places.some((y) => x < y));
      const sameRoles = first.roles.includes(first.role) && second.roles.includes(second.role);
      const agentMoved =
        isPassive !== wasPassive &&
        [first, second].some(({ role, roles }) => role === "by" || roles.includes("by"));
      const problem = `“${first.token.text}” and “${second.token.text}” have other roles than in the source`;
      if (agentMoved) {
        // The agent moves to the other side of the verb, and so must the other name.
        if (keepsOrder && !sameRoles) return problem;
        continue;
      }
      if (keepsOrder && sameRoles) continue;
      if (
        keepsOrder &&
        !(first.role !== "" && second.role !== "" && first.roles.includes(second.role))
      )
        continue;
      const oneIsSetApart =
        sameRoles && (first.role !== "" || second.role !== "") && first.role !== second.role;
      if (!oneIsSetApart && !isList(first.token, second.token, text)) return problem;
    }
  return null;
}

/** "Ann and Bob" is "Bob and Ann". */
function isList(first: Token, second: Token, text: string): boolean {
  return /^\s*(?:,|and|,\s*and|&|or)\s*$/i.test(text.slice(first.end, second.start));
}

/** Negation, opposite, quantifier or certainty that only one side has; null when there is none. */
export function turnedProblem(
  text: string,
  tokens: readonly Token[],
  support: readonly SourceSentence[],
): string | null {
  const sourceTokens = support.flatMap((sentence) => sentence.tokens);
  const turned = turnedWord(tokens, text, support);
  if (turned) return `“${turned}” is negated in only one of summary and source`;
  const stems = new Set(sourceTokens.map((token) => stemWord(token.word)));
  const own = new Set(tokens.map((token) => stemWord(token.word)));
  const denied = (list: readonly Token[], from: string): Set<string> =>
    new Set(
      polarities(list, from).flatMap(({ value, negated: is }) => (is === false ? [] : [value])),
    );
  const deniedHere = denied(tokens, text);
  const deniedThere = new Set(support.flatMap((one) => [...denied(one.tokens, one.text)]));
  for (const token of tokens) {
    if (token.kind === "number" || token.kind === "negation") continue;
    const opposite = oppositeIn(token.word, stems);
    // "Not open" for "closed": the negation that only one side has makes up for it.
    const negated =
      deniedHere.has(token.value) !== (opposite !== null && deniedThere.has(opposite));
    if (opposite !== null && !own.has(opposite) && !negated)
      return `“${token.text}” is the opposite of what the source says (“${shownAs(opposite, sourceTokens)}”)`;
  }
  const quantifier = wrongQuantifier(tokens, sourceTokens);
  if (quantifier) return `The source doesn't say “${quantifier}”`;
  return certaintyProblem(tokens, support);
}

function shownAs(stem: string, tokens: readonly Token[]): string {
  return tokens.find((token) => stemWord(token.word) === stem)?.text ?? stem;
}

function certaintyProblem(
  tokens: readonly Token[],
  support: readonly SourceSentence[],
): string | null {
  for (const [index, token] of tokens.entries()) {
    if (token.kind !== "word" || !token.content || token.opensSentence) continue;
    const said = certaintyOf(tokens, index);
    if (said === "plain") continue;
    const stated = support.flatMap((sentence) =>
      placesOf(sentence.tokens, token.value).map((place) => certaintyOf(sentence.tokens, place)),
    );
    if (stated.length > 0 && stated.every((one) => isOtherCertainty(one, said)))
      return `“${token.text}” is ${CERTAINTY_WORDS[said]} in the summary and ${CERTAINTY_WORDS[stated[0]!]} in the source`;
  }
  return null;
}

const CERTAINTY_WORDS = {
  done: "done",
  future: "planned",
  possible: "possible",
  duty: "a duty",
  plain: "stated",
} as const;

/**
 * A content word that summary and source share and that only one of them negates; null when there
 * is none. Where it is uncertain how far a negation reaches, as many on both sides are taken for the same.
 */
function turnedWord(
  tokens: readonly Token[],
  text: string,
  support: readonly SourceSentence[],
): string | null {
  const source = new Map<string, Set<boolean | null>>();
  for (const sentence of support) {
    // "Can you run?" states nothing; its answer does.
    if (support.length > 1 && sentence.text.trimEnd().endsWith("?")) continue;
    for (const { value, negated } of polarities(sentence.tokens, sentence.text)) {
      const known = source.get(value);
      if (known) known.add(negated);
      else source.set(value, new Set([negated]));
    }
  }
  const count = negationCount(tokens);
  const bothNegate =
    count > 0 && count === support.reduce((sum, { tokens: list }) => sum + negationCount(list), 0);
  for (const { value, negated } of polarities(tokens, text)) {
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
