/**
 * The times that a query names, as the ranking uses them: read from the query's present, or, where the
 * store ends before that, from its last memory; or taken from an event that a memory tells of.
 */

import type { QueryTime } from "../model/query.ts";
import type { EventClause } from "./event-clause.ts";
import { findTimes, type TimeExpression } from "./time-expression.ts";
import { DAY_MS } from "./time-grammar.ts";

/** A time that lifts memories. */
export interface TimeMatch extends QueryTime {
  /** 0–1 for a memory's time. */
  score(timestamp: number): number;
}

/** A store whose last memory is older has ended: what is "last week" in it isn't that of today. */
const ENDED_AFTER_MS = 30 * DAY_MS;
/** An event's time is a guess: it counts half. */
const EVENT_SHARE = 0.5;
/** "When we got the dog" is within two weeks of it. */
const AROUND_MS = 14 * DAY_MS;

/**
 * Times named in a query.
 *
 * @param newestMs the time of the newest memory: in a store that ended years ago, "last week" is its last week
 */
export function readTimes(query: string, nowMs: number, newestMs: () => number): TimeMatch[] {
  const times = findTimes(query, nowMs);
  // What begins today or later is no question about what was.
  const isMissed = times.some(
    ({ relative, from }) => relative && from < nowMs - DAY_MS && from > newestMs(),
  );
  if (!isMissed || nowMs - newestMs() < ENDED_AFTER_MS) return times.map(toMatch);
  return findTimes(query, newestMs()).map(toMatch);
}

function toMatch(time: TimeExpression): TimeMatch {
  const bound = (value: number): number | null => (Number.isFinite(value) ? value : null);
  return {
    text: time.text,
    from: bound(time.from),
    to: bound(time.to),
    score: (timestamp) => time.score(timestamp),
  };
}

/** The time that an event sets, found in a memory of it. */
export function timeOfEvent(
  { relation, text }: EventClause,
  found: { id: string; timestamp: number },
): TimeMatch {
  const { id: memoryId, timestamp } = found;
  const from = relation === "before" ? null : timestamp - (relation === "around" ? AROUND_MS : 0);
  const to = relation === "after" ? null : timestamp + (relation === "around" ? AROUND_MS : 0);
  return {
    text,
    from,
    to,
    memoryId,
    score: (time) =>
      (from === null || time >= from) && (to === null || time <= to) ? EVENT_SHARE : 0,
  };
}

/** Periods that memories can be looked up by: bounded on a side, and named, not guessed. */
export function periodsOf(times: readonly TimeMatch[]): { after?: number; before?: number }[] {
  return times
    .filter((time) => time.memoryId === undefined && (time.from !== null || time.to !== null))
    .map(({ from, to }) => ({
      ...(from === null ? {} : { after: from }),
      ...(to === null ? {} : { before: to }),
    }));
}
