/**
 * The parts of a claim that state something each, and the subject that a part has from the one
 * before it. The faithfulness check falls back on them where a sentence as a whole has no support.
 */

import { tokenize, type Token } from "./facts.ts";

/** A stretch of a sentence, in UTF-16 code units; `end` is exclusive. */
export interface TextRange {
  start: number;
  end: number;
}

/** Where a sentence can be cut into parts that state something each. */
const SEGMENT_END =
  /;\s+|:\s+|\s[–—-]+\s|,\s+|\s+(?=(?:and|but|because|since|although|though|while|whereas|so|after|when|once|whose|which|who|und|aber|et|mais|y|pero)\s)/gu;
/** A part has at least so many words of content. */
const SEGMENT_WORDS = 2;

/** Parts of a sentence, in order, each with some words of content. */
export function cutSegments(sentence: string): TextRange[] {
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

/**
 * The words of the segments `from` to `to` (exclusive), with the subject that they have from an
 * earlier one where they begin with a verb. `subjects`: see `segmentSubjects`.
 */
export function readSegments(
  sentence: string,
  segments: readonly TextRange[],
  subjects: readonly Token[][],
  from: number,
  to: number,
): { text: string; tokens: Token[] } {
  const text = sentence.slice(segments[from]!.start, segments[to - 1]!.end);
  const tokens = tokenize(text);
  const first = tokens[0];
  // Inside a sentence a capital is a name's.
  if (from > 0 && first?.kind === "word" && /^\p{Lu}/u.test(first.text)) first.kind = "name";
  const inherits = from > 0 && startsWithoutSubject(tokens);
  return { text, tokens: inherits ? [...subjects[from]!, ...tokens] : tokens };
}

/** For each segment the name that the nearest one before it begins with; empty where none does. */
export function segmentSubjects(
  sentence: string,
  segments: readonly TextRange[],
  names: ReadonlySet<string>,
): Token[][] {
  let subject: Token[] = [];
  return segments.map(({ start, end }) => {
    const inherited = subject;
    const tokens = tokenize(sentence.slice(start, end));
    const own = leadingName(tokens, names);
    if (own.length > 0) subject = own;
    return inherited;
  });
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
