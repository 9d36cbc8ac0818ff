/**
 * The retrieval pipeline: embed the query → word candidates → vector candidates → fuse → spread →
 * rank → fetch. Filters are pushed down into both candidate stages; every stage is timed and every
 * hit explained by score parts that add up.
 */

import { AppError, throwIfAborted } from "../errors.ts";
import type { RecallHit, RecallQuery, RecallResult, RecallTimings } from "../model/query.ts";
import type { Clock } from "../ports/clock.ts";
import type { MemoryStore } from "../storage/memory-store.ts";
import { wholeNumber } from "./browse.ts";
import type { CandidatePools } from "./candidate-pool.ts";
import type { CatalogIndex } from "./catalog-index.ts";
import type { EntityTable } from "./entity-table.ts";
import type { ContextPack } from "../model/episode.ts";
import { PACK_DEPTH, packContext, type PackTuning } from "./context-pack.ts";
import { fieldSignals, type FieldShares, type TitleStems } from "./field-signals.ts";
import type { Filters } from "./filters.ts";
import type { GistSpeakers } from "./gist-speakers.ts";
import { describeHits, type RankedHit } from "./hits.ts";
import { OrdinalSet } from "./ordinal-set.ts";
import { planQuery } from "./query-plan.ts";
import { fuse, NOTHING, scoreDirectly, type Scored } from "./fusion.ts";
import {
  diverse,
  embed,
  eventTime,
  newestTime,
  searchPeriods,
  searchVectors,
} from "./recall-parts.ts";
import { readTimes, type TimeMatch } from "./query-times.ts";
import { RankedPlaces } from "./ranked-places.ts";
import { activeWeights, recencyScore, scoreParts, type SignalWeights } from "./ranking.ts";
import type { SemanticIndex } from "./semantic-index.ts";
import type { SpeakerNames } from "./speaker-names.ts";
import type { Spread, Way } from "./spread.ts";
import type { StoredVectors } from "./stored-vectors.ts";
import type { VectorSearch } from "./vector-index.ts";
import type { VectorPool } from "./vector-pool.ts";

/** What the engine injects per call. */
export interface RecallDeps {
  /** The query's unit vector; null while no model is installed. A failure is treated as null. */
  embedQuery?: (text: string, signal?: AbortSignal) => Promise<Float32Array | null>;
  /** Activation over connections (`cognitive/navigator.ts`). */
  spread?: Spread;
  signal?: AbortSignal;
  /** For ablations in benchmarks. */
  weights?: SignalWeights;
  fieldShares?: Partial<FieldShares>;
  packTuning?: Partial<PackTuning>;
  /** Tokens of a text for a language model, for `contextTokens`; default about four characters each. */
  countTokens?: (text: string) => number;
}

export interface RecallContext {
  store: MemoryStore;
  text: SemanticIndex;
  vectors: VectorSearch;
  /** Whether all of them are there yet. */
  storedVectors: Pick<StoredVectors, "isLoaded" | "isEmpty" | "loaded" | "beside">;
  /** Searches them, on other threads where that is faster. */
  vectorPool: VectorPool;
  entities: EntityTable;
  index: CatalogIndex;
  filters: Filters;
  pools: CandidatePools;
  speakers: SpeakerNames;
  gists: GistSpeakers;
  titles: TitleStems;
  /** Memories whose text ends in a question. */
  asks: OrdinalSet;
  clock: Clock;
}

const DEFAULT_TOP_K = 10;
const MAX_TOP_K = 1000;
/**
 * Candidates of each stage for a small topK. More find nothing more (`bench -- recall`: R@10 0.817 from 64
 * to 400), as the spread brings what stands beside them, and cost time in every stage after.
 */
const MIN_CANDIDATES = 80;
const MAX_QUERY_UNITS = 10_000;
/** Results that a diverse list is chosen from. */
const DIVERSE_DEPTH = 60;

/** Runs one recall. `invalid_input` for a query that isn't text or a topK out of range. */
export async function recall(
  context: RecallContext,
  query: RecallQuery,
  deps: RecallDeps = {},
): Promise<RecallResult> {
  const { clock, store } = context;
  const started = clock.elapsed();
  const topK = wholeNumber("topK", query.topK ?? DEFAULT_TOP_K, 1, MAX_TOP_K);
  if (typeof query.query !== "string")
    throw new AppError("invalid_input", "The query must be text.", { hint: "Give a string." });
  const diversity = query.diversity ?? 0;
  if (!(diversity >= 0 && diversity <= 1))
    throw new AppError("invalid_input", "The diversity must be from 0 to 1.", {
      hint: "0 ranks by relevance alone, 0.3 removes most repetition.",
    });
  if (query.now !== undefined && !Number.isFinite(query.now))
    throw new AppError("invalid_input", `"now" is not a time.`, {
      hint: "Give milliseconds since 1970-01-01 (UTC).",
    });
  throwIfAborted(deps.signal);
  const text = query.query.slice(0, MAX_QUERY_UNITS).trim();
  const timings: RecallTimings = {
    embed: null,
    lexical: 0,
    semantic: 0,
    spread: 0,
    rank: 0,
    fetch: 0,
    total: 0,
  };
  const plan = planQuery(text, { prefix: query.prefix ?? false });
  const stage = async <T>(
    name: keyof Omit<RecallTimings, "embed" | "total">,
    work: () => T | Promise<T>,
  ): Promise<T> => {
    const from = clock.elapsed();
    try {
      return await work();
    } finally {
      timings[name] += clock.elapsed() - from;
    }
  };
  const finish = async (
    ranked: RankedHit[],
    candidateCount: number,
    signals: RecallResult["signals"],
    times: readonly TimeMatch[] = [],
  ): Promise<RecallResult> => {
    throwIfAborted(deps.signal);
    const hits: RecallHit[] = await stage("fetch", () =>
      describeHits(context, plan, ranked.slice(0, topK)),
    );
    const { contextTokens } = query;
    const pack: ContextPack | null =
      contextTokens === undefined
        ? null
        : await stage("fetch", () =>
            packContext(store, plan, ranked, {
              budgetTokens: wholeNumber("contextTokens", contextTokens, 16, 1_000_000),
              ...(deps.countTokens ? { countTokens: deps.countTokens } : {}),
              ...(deps.packTuning ? { tuning: deps.packTuning } : {}),
            }),
          );
    timings.total = clock.elapsed() - started;
    return {
      hits,
      timings,
      candidateCount,
      signals,
      ...(times.length === 0 ? {} : { times: times.map(({ score: _score, ...time }) => time) }),
      ...(pack ? { context: pack } : {}),
    };
  };
  /** As many as are shown, or as the context may choose from. */
  const depth = query.contextTokens === undefined ? topK : Math.max(topK, PACK_DEPTH);

  if (text === "") {
    const ranked = await stage("rank", () => newest(context, query, depth));
    return finish(ranked, ranked.length, ["recency"]);
  }

  const nowMs = query.now ?? clock.now();
  const times = readTimes(text, nowMs, () => newestTime(context));
  const vector = await embed(context, context.speakers.withoutNames(text), deps, timings);
  throwIfAborted(deps.signal);
  const limit = Math.max(MIN_CANDIDATES, 2 * topK);
  const filterSet = await stage("lexical", () => context.filters.compile(query.filter));
  const gists = context.gists.allowed(filterSet);
  const filtered = filterSet === null ? null : context.gists.widen(filterSet, gists);
  const nearestTo = (allowed: OrdinalSet | null): Scored | Promise<Scored> =>
    vector === null
      ? NOTHING
      : searchVectors(context, vector, { limit, allow: allowed ?? undefined });
  // Workers search beside the words, unless a phrase may narrow what they look at.
  const early =
    context.vectorPool.working && plan.phrases.length === 0 ? nearestTo(filtered) : null;
  const lexical = await stage("lexical", () =>
    context.text.search(plan, { limit, allow: filtered ?? undefined }),
  );
  // A quoted phrase that some memory has is a condition on every result.
  const allow =
    lexical.phraseOrdinals === null
      ? filtered
      : OrdinalSet.of(store.catalog.ordinalLimit, lexical.phraseOrdinals);
  const nearest = await stage("semantic", () => early ?? nearestTo(allow));
  throwIfAborted(deps.signal);
  const inPeriods = await stage("lexical", () =>
    searchPeriods(
      context,
      { plan, vector, times, filter: query.filter, allow, limit },
      lexical,
      nearest,
    ),
  );
  const event = times.length > 0 ? null : await eventTime(context, text, filtered, deps, timings);
  if (event !== null) times.push(event);
  throwIfAborted(deps.signal);

  const active = new Set<keyof SignalWeights>(["lexical", "recency", "fields"]);
  if (vector !== null) active.add("semantic");
  if (deps.spread) active.add("activation");
  const weights = activeWeights(active, deps.weights);
  const pool = context.pools.take();
  try {
    const { spread } = deps;
    // In one go with the ranking: the ways are there until the next spread.
    const ranked = await stage("rank", () => {
      fuse(context.vectors, pool, vector, lexical, nearest);
      if (inPeriods.lexical.ordinals.length + inPeriods.nearest.ordinals.length > 0)
        fuse(context.vectors, pool, vector, inPeriods.lexical, inPeriods.nearest);
      const fields = fieldSignals(
        text,
        plan,
        times,
        { ...context, catalog: store.catalog },
        deps.fieldShares,
      );
      const isHit = (ordinal: number): boolean =>
        context.index.live.has(ordinal) || (gists.size > 0 && gists.has(ordinal));
      const wide = diversity === 0 ? depth : Math.max(depth, DIVERSE_DEPTH);
      const ranking = new RankedPlaces(pool, {
        limit: wide,
        weights,
        fields,
        nowMs,
        isHit,
        timeOf: (ordinal) =>
          context.index.live.has(ordinal)
            ? context.index.timeOf(ordinal)
            : store.catalog.byOrdinal(ordinal)?.timestamp,
      });
      let wayTo: (ordinal: number) => Way | null = () => null;
      if (spread) {
        const from = clock.elapsed();
        scoreDirectly(pool, weights);
        const spreading = spread(
          { count: pool.count, ordinals: pool.ordinals, scores: pool.total },
          { asks: (ordinal) => context.asks.has(ordinal) },
        );
        pool.activation.set(spreading.seedScores);
        const { count, ordinals, scores } = spreading.bring({
          limit,
          minScore: ranking.leastActivation(),
          allow: (ordinal) => allow === null || allow.has(ordinal),
        });
        for (let i = 0; i < count; i++) {
          // Placing may exchange the arrays for larger ones.
          const place = pool.place(ordinals[i]!);
          pool.activation[place] = scores[i]!;
        }
        wayTo = spreading.wayTo;
        const spent = clock.elapsed() - from;
        timings.spread += spent;
        timings.rank -= spent;
      }
      let places = ranking.best();
      if (diversity > 0)
        places = diverse(context, pool, places, { strength: diversity, limit: depth });
      return places.map((place): RankedHit => {
        const signals = pool.signalsAt(place);
        return {
          ordinal: signals.ordinal,
          score: scoreParts(signals, weights),
          way: signals.activation > 0 ? wayTo(signals.ordinal) : null,
        };
      });
    });
    const signals = (["lexical", "semantic", "activation", "recency", "fields"] as const).filter(
      (signal) => active.has(signal),
    );
    return await finish(ranked, pool.count, signals, times);
  } finally {
    context.pools.give(pool);
  }
}

function newest(
  { store, index, filters, clock }: RecallContext,
  query: RecallQuery,
  topK: number,
): RankedHit[] {
  const nowMs = clock.now();
  return index.newest(topK, filters.compile(query.filter)).map((ordinal) => {
    const recency = recencyScore(store.catalog.byOrdinal(ordinal)?.timestamp ?? 0, nowMs);
    const score = { lexical: 0, semantic: 0, activation: 0, recency, fields: 0, total: recency };
    return { ordinal, score, way: null };
  });
}
