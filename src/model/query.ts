/** What can be asked of a memory and what comes back. */

import type { ContextPack } from "./episode.ts";
import type { ContentKind, EntityType, KeepLevel, Memory } from "./memory.ts";

/** All conditions hold together; lists are "any of". */
export interface MemoryFilter {
  /** Event time in ms since epoch: after ≤ t < before. */
  after?: number;
  before?: number;
  sources?: string[];
  speakers?: string[];
  kinds?: ContentKind[];
  /** Entity texts, compared without case. */
  entities?: string[];
  keep?: KeepLevel[];
  userId?: string;
  /** Exact metadata values. */
  metadata?: Record<string, string>;
}

export interface RecallQuery {
  query: string;
  /** Default 10, at most 1,000. */
  topK?: number;
  filter?: MemoryFilter;
  /** The last word is still being typed: match it as a prefix. */
  prefix?: boolean;
  /** Also packs the hits into this many tokens, as gists, summaries or originals. */
  contextTokens?: number;
  /** 0 (default): the best first, however alike; towards 1: results that are unlike each other. */
  diversity?: number;
  /** What "last week" is counted from, ms since epoch. Default: the clock. */
  now?: number;
}

/** What links one memory with the next on a way of activation. */
export type LinkKind =
  | "previous"
  | "next"
  | "reply"
  | "entity"
  | "learned"
  | "supersedes"
  /** Said in the same conversation. */
  | "thread";

export interface PathLink {
  kind: LinkKind;
  /** The name in common, for kind "entity". */
  via?: string;
}

/** How a time in the query was read. */
export interface QueryTime {
  /** As it stands in the query. */
  text: string;
  /** ms since epoch, from ≤ t < to; null where it is open, or returns every year. */
  from: number | null;
  to: number | null;
  /** The memory of the event that it was taken from ("before she moved"). */
  memoryId?: string;
}

/** Per-signal parts of a hit's score, each already weighted: they add up to `total`. */
export interface ScoreParts {
  lexical: number;
  semantic: number;
  /** From thread neighbours and other connections of strong hits. */
  activation: number;
  recency: number;
  /** From the speaker, time, title and names that the query names, and from telling instead of asking. */
  fields: number;
  total: number;
}

/** The light view of a memory: what lists show without touching content. */
export interface MemoryView extends Omit<Memory, "content" | "embedding"> {
  /** Whether it has a vector yet. */
  embedded: boolean;
}

export interface RecallHit {
  memory: MemoryView;
  score: ScoreParts;
  /** Query terms found in this memory, as they were typed. */
  matchedTerms: string[];
  /** An excerpt around the best match; `highlights` are [start, end) UTF-16 offsets into it. */
  snippet: string;
  highlights: [start: number, end: number][];
  /** The excerpt is of the summary: right after opening, a text that is coded can't be read at once. */
  fromSummary?: true;
  /** Ids from a direct hit to this one, over which it got most of its activation; absent without any. */
  path?: string[];
  /** What links each id of `path` with the next. */
  links?: PathLink[];
}

/** Milliseconds per stage; `embed` is the query's embedding (0 when cached, null without a model). */
export interface RecallTimings {
  embed: number | null;
  lexical: number;
  semantic: number;
  spread: number;
  rank: number;
  fetch: number;
  total: number;
}

export interface RecallResult {
  hits: RecallHit[];
  timings: RecallTimings;
  /** Candidates considered before ranking. */
  candidateCount: number;
  /** Which signals took part; `semantic` is absent while no embedding model is installed. */
  signals: ("lexical" | "semantic" | "activation" | "recency" | "fields")[];
  /** Times that the query names, as they were read; absent when it names none. */
  times?: QueryTime[];
  /** When `contextTokens` was asked for. */
  context?: ContextPack;
}

export interface BrowseQuery {
  filter?: MemoryFilter;
  /** Default newest first. */
  order?: "newest" | "oldest" | "largest" | "recorded";
  offset?: number;
  /** Default 50, at most 1,000. */
  limit?: number;
}

export interface BrowsePage {
  items: MemoryView[];
  /** Memories that pass the filter. */
  totalCount: number;
}

export interface FacetCount {
  value: string;
  count: number;
  /** For entities: what the name stands for. */
  type?: EntityType;
}

/** Counts over the whole store, for filters and statistics. */
export interface Facets {
  sources: FacetCount[];
  kinds: FacetCount[];
  speakers: FacetCount[];
  /** The most frequent 200 people, organisations, places, addresses and URLs. */
  entities: FacetCount[];
  /** Memories per calendar month, UTC: value "2024-05". */
  months: FacetCount[];
}
