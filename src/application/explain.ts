/** Why a result ranks where it does, in words that the page and the command line share. */

import { shownDay } from "../model/wall-clock.ts";
import type { PathLink, QueryTime, RecallHit, ScoreParts } from "../model/query.ts";

/** The parts of a score, in the order in which they are shown. */
export const SCORE_PARTS: readonly { key: Exclude<keyof ScoreParts, "total">; name: string }[] = [
  { key: "lexical", name: "words" },
  { key: "semantic", name: "meaning" },
  { key: "activation", name: "neighbours" },
  { key: "recency", name: "recency" },
  { key: "fields", name: "who and when" },
];

function phrase({ kind, via }: PathLink, object: string): string {
  switch (kind) {
    case "previous":
      return `comes before ${object}`;
    case "next":
      return `follows ${object}`;
    case "reply":
      return `is answered by ${object}`;
    case "entity":
      return via === undefined ? `shares a name with ${object}` : `names “${via}” like ${object}`;
    case "learned":
      return `was opened together with ${object}`;
    case "supersedes":
      return `corrects, or is corrected by, ${object}`;
    case "thread":
      return `is in one conversation with ${object}`;
  }
}

/**
 * How a result got its activation: "follows result 2", "names “Ada” like what follows result 1"; empty
 * when nothing else led to it.
 *
 * @param rankOf the 1-based rank of a memory among the results shown
 */
export function wayWords(
  { path, links }: Pick<RecallHit, "path" | "links">,
  rankOf: (id: string) => number | undefined,
): string {
  if (path === undefined || links === undefined || links.length === 0) return "";
  const rank = rankOf(path[0]!);
  let object = rank === undefined ? "a match further down" : `result ${rank}`;
  links.forEach((link, i) => {
    const words = phrase(link, object);
    object = i === links.length - 1 ? words : `what ${words}`;
  });
  return object;
}

/** "read “last spring” as 2024-03-01 to 2024-05-31"; times that return every year say only their words. */
export function timeWords({ text, from, to, memoryId }: QueryTime): string {
  // The last day that is still in it.
  const last = to === null ? null : shownDay(to - 1);
  const range =
    from === null && last === null
      ? "of any year"
      : from === null
        ? `up to ${last}`
        : last === null
          ? `from ${shownDay(from)} on`
          : shownDay(from) === last
            ? last
            : `${shownDay(from)} to ${last}`;
  const how = memoryId === undefined ? "" : ", by a memory of it";
  return `“${text}” read as ${range}${how}`;
}
