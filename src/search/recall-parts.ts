/** Steps of a recall: the query's vector, and what only some queries need (periods, events, diverse lists). */

import { isAbortError } from "../errors.ts";
import type { MemoryFilter, RecallTimings } from "../model/query.ts";
import type { CandidatePool } from "./candidate-pool.ts";
import { diversify } from "./diversity.ts";
import { findEventClause } from "./event-clause.ts";
import { fuse, rescaled, scoreDirectly, type Scored } from "./fusion.ts";
import type { OrdinalSet } from "./ordinal-set.ts";
import { planQuery, type QueryPlan } from "./query-plan.ts";
import { periodsOf, timeOfEvent, type TimeMatch } from "./query-times.ts";
import { WEIGHTS } from "./ranking.ts";
import type { RecallContext, RecallDeps } from "./recall.ts";
import type { VectorHit, VectorHits, VectorSearchOptions } from "./vector-index.ts";

/** Candidates that each named period may add. */
const PERIOD_CANDIDATES = 50;
const MAX_PERIODS = 4;
const EVENT_CANDIDATES = 20;
/** What tells of an event is about as near to the clause as an answer to its question. */
const EVENT_MIN_COSINE = 0.4;
/** Without vectors: the likeness of two memories of one thread. */
const SAME_THREAD = 0.5;

/** The query's vector, or null without a model. Its time goes into `timings.embed`. */
export async function embed(
  { vectors, storedVectors, clock }: RecallContext,
  text: string,
  { embedQuery, signal }: RecallDeps,
  timings: RecallTimings,
): Promise<Float32Array | null> {
  if (embedQuery === undefined || storedVectors.isEmpty) return null;
  const from = clock.elapsed();
  try {
    const vector = storedVectors.isLoaded
      ? await embedQuery(text, signal)
      : await storedVectors.beside(() => embedQuery(text, signal));
    if (vector === null) return null;
    timings.embed = clock.elapsed() - from;
    if (!storedVectors.isLoaded) await storedVectors.loaded();
    return vectors.size === 0 ? null : vector;
  } catch (error) {
    // Keyword search works without a model; the result's `signals` tell that meaning took no part.
    if (isAbortError(error)) throw error;
    return null;
  }
}

/** The nearest memories; at once where this thread searches, else when a worker has. */
export function searchVectors(
  { vectorPool }: RecallContext,
  vector: Float32Array,
  options: VectorSearchOptions,
): Scored | Promise<Scored> {
  // A copy: the next search overwrites the arrays.
  const copyOf = ({ ordinals, scores, count }: VectorHits): Scored => ({
    ordinals: ordinals.slice(0, count),
    scores: scores.slice(0, count),
  });
  const hits = vectorPool.nearest(vector, options);
  return hits instanceof Promise ? hits.then(copyOf) : copyOf(hits);
}

function columnsOf(hits: readonly { ordinal: number; score: number }[]): Scored {
  return { ordinals: hits.map((hit) => hit.ordinal), scores: hits.map((hit) => hit.score) };
}

/** The time of the newest memory; -Infinity in an empty store. */
export function newestTime({ index }: RecallContext): number {
  const [newest] = index.newest(1, null);
  return newest === undefined ? -Infinity : index.timeOf(newest);
}

/**
 * What the query finds within the periods that it names: in a large store the best of a week may lie
 * below everything that the whole of it gives. Empty when the whole search left nothing out.
 */
export async function searchPeriods(
  { text, vectors, filters }: RecallContext,
  query: {
    plan: QueryPlan;
    vector: Float32Array | null;
    times: readonly TimeMatch[];
    filter: MemoryFilter | undefined;
    allow: OrdinalSet | null;
    limit: number;
  },
  lexical: Scored,
  nearest: Scored,
): Promise<{ lexical: Scored; nearest: Scored }> {
  const byWords: { ordinal: number; score: number }[] = [];
  const byMeaning: VectorHit[] = [];
  const { plan, vector, times, filter = {}, allow, limit } = query;
  for (const period of periodsOf(times).slice(0, MAX_PERIODS)) {
    const within = filters.compile({
      ...filter,
      after: Math.max(period.after ?? -Infinity, filter.after ?? -Infinity),
      before: Math.min(period.before ?? Infinity, filter.before ?? Infinity),
    });
    const inPeriod = within !== null && allow !== null ? within.intersect(allow) : within;
    if (inPeriod === null || inPeriod.size === 0) continue;
    const options = { limit: PERIOD_CANDIDATES, allow: inPeriod };
    if (lexical.ordinals.length >= limit)
      byWords.push(...rescaled(await text.search(plan, options), lexical));
    if (vector !== null && nearest.ordinals.length >= limit)
      byMeaning.push(...vectors.search(vector, options));
  }
  return { lexical: columnsOf(byWords), nearest: columnsOf(byMeaning) };
}

/**
 * The time of the event that the query names ("before she moved to Ghent"), from the memory that tells
 * of it best; null when none surely does. Needs the model: words alone are too weak for it.
 */
export async function eventTime(
  context: RecallContext,
  query: string,
  allow: OrdinalSet | null,
  deps: RecallDeps,
  timings: RecallTimings,
): Promise<TimeMatch | null> {
  const clause = findEventClause(query);
  if (clause === null) return null;
  const spent = timings.embed;
  const vector = await embed(context, context.speakers.withoutNames(clause.event), deps, timings);
  if (spent !== null) timings.embed = (timings.embed ?? 0) + spent;
  if (vector === null) return null;
  const options = { limit: EVENT_CANDIDATES, ...(allow === null ? {} : { allow }) };
  const words = await context.text.search(planQuery(clause.event), options);
  const { catalog } = context.store;
  const pool = context.pools.take();
  try {
    const nearest = columnsOf(context.vectors.search(vector, options));
    fuse(context.vectors, pool, vector, words, nearest);
    scoreDirectly(pool, WEIGHTS);
    for (let place = 0; place < pool.count; place++)
      if (context.asks.has(pool.ordinals[place]!)) pool.total[place] = -Infinity;
    const [best] = pool.best(pool.total, 1);
    if (best === undefined) return null;
    const ordinal = pool.ordinals[best]!;
    const entry = catalog.byOrdinal(ordinal);
    const cosine = context.vectors.scores(vector, [ordinal])[0];
    if (entry === undefined || cosine === undefined || cosine < EVENT_MIN_COSINE) return null;
    return timeOfEvent(clause, entry);
  } finally {
    context.pools.give(pool);
  }
}

/** Places of the pool, best first, thinned out to those unlike each other. */
export function diverse(
  { store, vectors }: RecallContext,
  pool: CandidatePool,
  places: readonly number[],
  options: { strength: number; limit: number },
): number[] {
  const ordinals = places.map((place) => pool.ordinals[place]!);
  const entries = ordinals.map((ordinal) => store.catalog.byOrdinal(ordinal));
  const likeness = (a: number, b: number): number => {
    const [one, other] = [entries[a], entries[b]];
    if (one === undefined || other === undefined) return 0;
    if (one.contentSha256 === other.contentSha256) return 1;
    const { thread } = one.metadata;
    return thread !== undefined && thread === other.metadata["thread"] ? SAME_THREAD : 0;
  };
  const order = diversify(
    places.map((place) => pool.total[place]!),
    {
      ...options,
      similarities: (item) => {
        const own = vectors.get(ordinals[item]!);
        const cosines =
          own === null
            ? []
            : vectors.scores(
                Float32Array.from(own.codes, (code) => code * own.scale),
                ordinals,
              );
        return ordinals.map((_ordinal, i) => Math.max(0, cosines[i] ?? likeness(item, i)));
      },
    },
  );
  return order.map((item) => places[item]!);
}
