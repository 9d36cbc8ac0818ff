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
import type { EntityTable } from "./entity-table.ts";
import type { ContextPack } from "../model/episode.ts";
import { isEpisode } from "../model/memory.ts";
import { PACK_DEPTH, packContext, type PackTuning } from "./context-pack.ts";
import { fieldSignals, type FieldStems } from "./field-signals.ts";
import { compileFilter } from "./filters.ts";
import type { GistSpeakers } from "./gist-speakers.ts";
import { describeHits, type RankedHit } from "./hits.ts";
import { OrdinalSet } from "./ordinal-set.ts";
import { planQuery } from "./query-plan.ts";
import {
  activeWeights,
  recencyScore,
  scoreParts,
  semanticScale,
  type CandidateSignals,
  type SignalWeights,
} from "./ranking.ts";
import type { SemanticIndex } from "./semantic-index.ts";
import type { SpeakerNames } from "./speaker-names.ts";
import type { Spread } from "./spread.ts";
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
  speakers: SpeakerNames;
  gists: GistSpeakers;
  fieldStems: FieldStems;
  clock: Clock;
}

const DEFAULT_TOP_K = 10;
const MAX_TOP_K = 1000;
/** Candidates of each stage for a small topK. */
const MIN_CANDIDATES = 200;
const MAX_QUERY_UNITS = 10_000;
const SEED_COUNT = 32;

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
  const filterSet = await stage("lexical", () =>
    compileFilter(query.filter, store.catalog, context.entities),
  );
  const gists = context.gists.allowed(filterSet);
  const lexical = await stage("lexical", () =>
    context.text.search(plan, { limit, allow: filterSet ?? undefined }),
  );
  // A quoted phrase that some memory has is a condition on every result.
  const allow =
    lexical.phraseOrdinals === null
      ? filterSet
      : OrdinalSet.of(store.catalog.ordinalLimit, lexical.phraseOrdinals);
  const nearest = await stage("semantic", () =>
    vector === null ? [] : context.vectors.search(vector, { limit, allow: allow ?? undefined }),
  );
  throwIfAborted(deps.signal);

  const fields = fieldSignals(text, plan, {
    catalog: store.catalog,
    entities: context.entities,
    stems: context.fieldStems,
    nowMs: clock.now(),
  });
  const candidates = await stage("rank", () => fuse(context, vector, lexical.hits, nearest));
  const active = new Set<keyof SignalWeights>(["lexical", "recency", "fields"]);
  if (vector !== null) active.add("semantic");
  if (deps.spread) active.add("activation");
  const weights = activeWeights(active, deps.weights);
  const nowMs = clock.now();
  const complete = (candidate: CandidateSignals): void => {
    const entry = store.catalog.byOrdinal(candidate.ordinal);
    if (entry === undefined) return;
    candidate.fields = fields(entry);
    candidate.recency = recencyScore(entry.timestamp, nowMs);
  };
  await stage("rank", () => {
    for (const candidate of candidates.values()) complete(candidate);
  });

  const paths = new Map<number, number[]>();
  await stage("spread", () => {
    if (!deps.spread) return;
    const seeds = Array.from(candidates.values(), (candidate) => ({
      ordinal: candidate.ordinal,
      score: directScore(candidate, weights),
    }))
      .sort((a, b) => b.score - a.score || a.ordinal - b.ordinal)
      .slice(0, SEED_COUNT);
    for (const hit of deps.spread(seeds, {
      limit,
      allow: (ordinal) =>
        store.catalog.byOrdinal(ordinal) !== undefined && (allow === null || allow.has(ordinal)),
    })) {
      let candidate = candidates.get(hit.ordinal);
      if (candidate === undefined) {
        candidate = noSignals(hit.ordinal);
        complete(candidate);
        candidates.set(hit.ordinal, candidate);
        paths.set(hit.ordinal, hit.path);
      }
      candidate.activation = hit.score;
    }
  });

  const ranked = await stage("rank", () =>
    Array.from(candidates.values())
      .filter(({ ordinal }) => {
        const entry = store.catalog.byOrdinal(ordinal);
        return entry !== undefined && (!isEpisode(entry) || gists.has(ordinal));
      })
      .map((candidate) => ({
        ordinal: candidate.ordinal,
        score: scoreParts(candidate, weights),
        path: paths.get(candidate.ordinal),
      }))
      .sort((a, b) => b.score.total - a.score.total || a.ordinal - b.ordinal)
      .slice(0, depth),
  );
  const signals = (["lexical", "semantic", "activation", "recency", "fields"] as const).filter(
    (signal) => active.has(signal),
  );
  return finish(ranked, candidates.size, signals);
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

function noSignals(ordinal: number): CandidateSignals {
  return { ordinal, lexical: 0, semantic: 0, activation: 0, recency: 0, fields: 0 };
}

/** Candidates of both stages with both signals; the cosine of word matches is looked up exactly. */
function fuse(
  { vectors }: RecallContext,
  vector: Float32Array | null,
  lexical: readonly { ordinal: number; score: number }[],
  nearest: readonly { ordinal: number; score: number }[],
): Map<number, CandidateSignals> {
  const candidates = new Map<number, CandidateSignals>();
  const at = (ordinal: number): CandidateSignals => {
    let candidate = candidates.get(ordinal);
    if (candidate === undefined) candidates.set(ordinal, (candidate = noSignals(ordinal)));
    return candidate;
  };
  for (const hit of lexical) at(hit.ordinal).lexical = hit.score;
  if (vector !== null) {
    const scale = semanticScale(nearest.map((hit) => hit.score));
    for (const hit of nearest) at(hit.ordinal).semantic = scale(hit.score);
    const rest = lexical.filter((hit) => candidates.get(hit.ordinal)!.semantic === 0);
    const cosines = vectors.scores(
      vector,
      rest.map((hit) => hit.ordinal),
    );
    rest.forEach((hit, i) => {
      const cosine = cosines[i];
      if (cosine !== undefined) at(hit.ordinal).semantic = scale(cosine);
    });
  }
  return candidates;
}

/** The score of the text signals alone, 0–1: what activation starts from. */
function directScore(candidate: CandidateSignals, weights: SignalWeights): number {
  const sum = weights.lexical + weights.semantic;
  return sum === 0
    ? 0
    : (weights.lexical * candidate.lexical + weights.semantic * candidate.semantic) / sum;
}

function newest(
  { store, entities, clock }: RecallContext,
  query: RecallQuery,
  topK: number,
): RankedHit[] {
  const allow = compileFilter(query.filter, store.catalog, entities);
  const nowMs = clock.now();
  return Array.from(store.catalog.entries())
    .filter((entry) => allow === null || allow.has(entry.ordinal))
    .sort((a, b) => b.timestamp - a.timestamp || b.ordinal - a.ordinal)
    .slice(0, topK)
    .map((entry) => {
      const recency = recencyScore(entry.timestamp, nowMs);
      const score = { lexical: 0, semantic: 0, activation: 0, recency, fields: 0, total: recency };
      return { ordinal: entry.ordinal, score, path: undefined };
    });
}
