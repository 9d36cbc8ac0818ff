/**
 * The event that a query takes its time from: "before she moved to Ghent", "when we got the dog". The
 * clause is looked for like a query of its own, and the time of what is found bounds the results,
 * softly. Times that are named ("before June 2023") are read by `time-expression.ts`.
 */

import { isFunctionWord, queryWords } from "./text-analysis.ts";

export interface EventClause {
  relation: "before" | "after" | "around";
  /** With its first word, as found in the query. */
  text: string;
  /** What happened, to be looked for. */
  event: string;
}

const RELATIONS: Record<string, EventClause["relation"]> = {
  before: "before",
  until: "before",
  "prior to": "before",
  "by the time": "before",
  after: "after",
  since: "after",
  "ever since": "after",
  following: "after",
  when: "around",
  while: "around",
};
const WORDS = "before|until|prior to|by the time|after|ever since|since|following|when|while";
/** In the middle: "What did he buy before they moved?"; the word that starts a question is none. */
const INNER = new RegExp(`(?<=[\\p{L}\\p{N}]\\s+)(?<word>${WORDS})\\s+(?<event>[^,;.?!]+)`, "iu");
/** At the start, up to a comma: "After they moved, what …". */
const LEADING = new RegExp(`^\\s*(?<word>${WORDS})\\s+(?<event>[^,;.?!]+),\\s`, "iu");
/** A clause has a subject: a pronoun, an article, a name. "After lunch" is no event. */
const SUBJECT =
  /^(?:i|we|you|he|she|they|it|my|our|your|his|her|their|its|the|a|an|this|that|\p{Lu}[\p{L}'’]+)\s/u;

/** Null when the query names no event. */
export function findEventClause(query: string): EventClause | null {
  const match = LEADING.exec(query) ?? INNER.exec(query);
  const word = match?.groups?.["word"]?.toLowerCase();
  const event = match?.groups?.["event"]?.trim();
  if (word === undefined || event === undefined) return null;
  if (!SUBJECT.test(event) && !SUBJECT.test(event.toLowerCase())) return null;
  const content = queryWords(event).filter(({ token }) => !isFunctionWord(token));
  if (content.length === 0) return null;
  return { relation: RELATIONS[word]!, text: match![0].trim().replace(/,$/, ""), event };
}
