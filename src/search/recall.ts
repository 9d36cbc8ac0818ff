/**
 * The retrieval pipeline: embed the query → FTS5 candidates → vector candidates → fuse → spread →
 * rank → fetch. Filters are pushed down into both candidate stages; every stage is timed and every
 * hit explained by score parts that add up.
 */

import { AppError, isAbortError, throwIfAborted } from "../errors.ts";
import type { RecallHit, RecallQuery, RecallResult, RecallTimings } from "../model/query.ts";
import type { Clock } from "../ports/clock.ts";
import type { MemoryStore } from "../storage/memory-store.ts";
import { wholeNumber } from "./browse.ts";
import type { CandidatePool, CandidatePools } from "./candidate-pool.ts";
import type { CatalogIndex } from "./catalog-index.ts";
import type { EntityTable } from "./entity-table.ts";
import type { ContextPack } from "../model/episode.ts";
import { isEpisode } from "../model/memory.ts";
import { PACK_DEPTH, packContext, type PackTuning } from "./context-pack.ts";
import { fieldSignals, type TitleStems } from "./field-signals.ts";
import type { Filters } from "./filters.ts";
import type { GistSpeakers } from "./gist-speakers.ts";
import { describeHits, type RankedHit } from "./hits.ts";
import { OrdinalSet } from "./ordinal-set.ts";
import { planQuery } from "./query-plan.ts";
import {
  activeWeights,
  recencyScore,
  scoreParts,
  semanticScale,
  type SignalWeights,
} from "./ranking.ts";
import type { SemanticIndex } from "./semantic-index.ts";
import type { SpeakerNames } from "./speaker-names.ts";
import type { Spread, SpreadSeed } from "./spread.ts";
import type { VectorSearch } from "./vector-index.ts";

/** What the engine injects per call. */
export interface RecallDeps {
  /** The query's unit vector; null while no model is installed. A failure is treated as null. */
  embedQuery?: (text: string, signal?: AbortSignal) => Promise<Float32Array | null>;
  /** Activation over connections (`cognitive/navigator.ts`). */
  spread?: Spread;
  signal?: AbortSignal;
  /** For ablations in benchmarks. */
  weights?: SignalWeights;
  packTuning?: Partial<PackTuning>;
  /** Tokens of a text for a language model, for `contextTokens`; default about four characters each. */
  countTokens?: (text: string) => number;
}

export interface RecallContext {
  store: MemoryStore;
  text: SemanticIndex;
  vectors: VectorSearch;
  entities: EntityTable;
  index: CatalogIndex;
  filters: Filters;
  pools: CandidatePools;
  speakers: SpeakerNames;
  gists: GistSpeakers;
  titles: TitleStems;
  clock: Clock;
}

const DEFAULT_TOP_K = 10;
const MAX_TOP_K = 1000;
/** Candidates of each stage for a small topK. */
const MIN_CANDIDATES = 200;
const MAX_QUERY_UNITS = 10_000;
const SEED_COUNT = 32;
/** Sums in another order differ by less. */
const ROUNDING = 1e-9;

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
    return { hits, timings, candidateCount, signals, ...(pack ? { context: pack } : {}) };
  };
  /** As many as are shown, or as the context may choose from. */
  const depth = query.contextTokens === undefined ? topK : Math.max(topK, PACK_DEPTH);

  if (text === "") {
    const ranked = await stage("rank", () => newest(context, query, depth));
    return finish(ranked, ranked.length, ["recency"]);
  }

  const vector = await embed(context, context.speakers.withoutNames(text), deps, timings);
  throwIfAborted(deps.signal);
  const limit = Math.max(MIN_CANDIDATES, 2 * topK);
  const filterSet = await stage("lexical", () => context.filters.compile(query.filter));
  const gists = context.gists.allowed(filterSet);
  const filtered = filterSet === null ? null : context.gists.widen(filterSet, gists);
  const lexical = await stage("lexical", () =>
    context.text.search(plan, { limit, allow: filtered ?? undefined }),
  );
  // A quoted phrase that some memory has is a condition on every result.
  const allow =
    lexical.phraseOrdinals === null
      ? filtered
      : OrdinalSet.of(store.catalog.ordinalLimit, lexical.phraseOrdinals);
  const nearest = await stage("semantic", () =>
    vector === null ? [] : context.vectors.search(vector, { limit, allow: allow ?? undefined }),
  );
  throwIfAborted(deps.signal);

  const active = new Set<keyof SignalWeights>(["lexical", "recency", "fields"]);
  if (vector !== null) active.add("semantic");
  if (deps.spread) active.add("activation");
  const weights = activeWeights(active, deps.weights);
  const nowMs = clock.now();
  const pool = context.pools.take(store.catalog.ordinalLimit);
  try {
    await stage("rank", () => fuse(context, pool, vector, lexical.hits, nearest));
    const paths = new Map<number, number[]>();
    const { spread } = deps;
    if (spread)
      await stage("spread", () => {
        const seeds = seedsOf(pool, weights);
        for (const hit of spread(seeds, {
          limit,
          allow: (ordinal) =>
            store.catalog.byOrdinal(ordinal) !== undefined &&
            (allow === null || allow.has(ordinal)),
        })) {
          if (pool.find(hit.ordinal) < 0) paths.set(hit.ordinal, hit.path);
          pool.activation[pool.place(hit.ordinal)] = hit.score;
        }
      });
    const ranked = await stage("rank", () => {
      const fields = fieldSignals(text, plan, { ...context, catalog: store.catalog, nowMs });
      // Gists that speak for no memory, and what was forgotten meanwhile, are no hits.
      for (let place = 0; place < pool.count; place++) {
        const entry = store.catalog.byOrdinal(pool.ordinals[place]!);
        const isHit = entry !== undefined && (!isEpisode(entry) || gists.has(entry.ordinal));
        pool.total[place] = isHit ? totalScore(pool, place, weights) : -Infinity;
      }
      // Fields and recency only where they can bring a candidate among the shown.
      const shown = pool.best(pool.total, depth);
      const last = shown.length < depth ? -Infinity : pool.total[shown.at(-1)!]!;
      const reachable = last - weights.fields - weights.recency - ROUNDING;
      for (let place = 0; place < pool.count; place++) {
        if (pool.total[place]! < reachable || pool.total[place] === -Infinity) continue;
        const entry = store.catalog.byOrdinal(pool.ordinals[place]!)!;
        pool.fields[place] = fields(entry);
        pool.recency[place] = recencyScore(entry.timestamp, nowMs);
        pool.total[place] = totalScore(pool, place, weights);
      }
      return pool.best(pool.total, depth).map((place): RankedHit => {
        const signals = pool.signalsAt(place);
        return {
          ordinal: signals.ordinal,
          score: scoreParts(signals, weights),
          path: paths.get(signals.ordinal),
        };
      });
    });
    const signals = (["lexical", "semantic", "activation", "recency", "fields"] as const).filter(
      (signal) => active.has(signal),
    );
    return await finish(ranked, pool.count, signals);
  } finally {
    context.pools.give(pool);
  }
}

async function embed(
  { vectors, clock }: RecallContext,
  text: string,
  { embedQuery, signal }: RecallDeps,
  timings: RecallTimings,
): Promise<Float32Array | null> {
  if (embedQuery === undefined || vectors.size === 0) return null;
  const from = clock.elapsed();
  try {
    const vector = await embedQuery(text, signal);
    if (vector !== null) timings.embed = clock.elapsed() - from;
    return vector;
  } catch (error) {
    // Keyword search works without a model; the result's `signals` tell that meaning took no part.
    if (isAbortError(error)) throw error;
    return null;
  }
}

/** Candidates of both stages with both signals; the cosine of word matches is looked up exactly. */
function fuse(
  { vectors }: RecallContext,
  pool: CandidatePool,
  vector: Float32Array | null,
  lexical: readonly { ordinal: number; score: number }[],
  nearest: readonly { ordinal: number; score: number }[],
): void {
  for (const hit of lexical) pool.lexical[pool.place(hit.ordinal)] = hit.score;
  if (vector === null) return;
  const scale = semanticScale(nearest.map((hit) => hit.score));
  const lexicalCount = pool.count;
  for (const hit of nearest) pool.semantic[pool.place(hit.ordinal)] = scale(hit.score);
  const rest: number[] = [];
  for (let place = 0; place < lexicalCount; place++)
    if (pool.semantic[place] === 0) rest.push(place);
  const cosines = vectors.scores(
    vector,
    rest.map((place) => pool.ordinals[place]!),
  );
  rest.forEach((place, i) => {
    const cosine = cosines[i];
    if (cosine !== undefined) pool.semantic[place] = scale(cosine);
  });
}

/** The same sum as `scoreParts` gives. */
function totalScore(pool: CandidatePool, place: number, weights: SignalWeights): number {
  return (
    weights.lexical * pool.lexical[place]! +
    weights.semantic * pool.semantic[place]! +
    weights.activation * pool.activation[place]! +
    weights.recency * pool.recency[place]! +
    weights.fields * pool.fields[place]!
  );
}

/** What activation starts from: the best by the text signals alone, 0–1. */
function seedsOf(pool: CandidatePool, weights: SignalWeights): SpreadSeed[] {
  const sum = weights.lexical + weights.semantic;
  for (let place = 0; place < pool.count; place++)
    pool.total[place] =
      sum === 0
        ? 0
        : (weights.lexical * pool.lexical[place]! + weights.semantic * pool.semantic[place]!) / sum;
  return pool
    .best(pool.total, SEED_COUNT)
    .map((place) => ({ ordinal: pool.ordinals[place]!, score: pool.total[place]! }));
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
    return { ordinal, score, path: undefined };
  });
}
