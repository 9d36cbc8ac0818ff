/** A memory and the parts it is made of: the leaf types every layer shares. */

import type { QuantizedVector } from "./vector.ts";

/** How much of a memory is kept: the bit-exact original, its checked summary, or only its episode's gist. */
export type KeepLevel = "exact" | "summary" | "gist";

/** How much model effort a compression may spend. */
export type CompressionMode = "fast" | "balanced" | "high";

export const CONTENT_KINDS = ["prose", "chat", "mail", "code", "markdown", "log", "data"] as const;
export type ContentKind = (typeof CONTENT_KINDS)[number];

/** The value as a content kind, or undefined when it isn't one. */
export function contentKind(value: string | undefined): ContentKind | undefined {
  return CONTENT_KINDS.find((kind) => kind === value);
}

export const ENTITY_TYPES = [
  "person",
  "organization",
  "place",
  "date",
  "time",
  "amount",
  "number",
  "email",
  "url",
  "phone",
  "code",
  "other",
] as const;
export type EntityType = (typeof ENTITY_TYPES)[number];

export interface Entity {
  text: string;
  type: EntityType;
  /** 0–1. */
  confidence: number;
}

/**
 * What a summary keeps of its source, each 0–1; `null` where it was not measured (for example
 * `similarity` while no embedding model is installed). Never one cosine alone: see
 * `processing/compression/quality.ts`.
 */
export interface QualityVector {
  /** Cosine of the length-weighted mean-pooled chunk embeddings of source and summary. */
  similarity: number | null;
  /** Mean over source chunks of the best-matching summary chunk's cosine. */
  coverage: number | null;
  /** Share of the source's named entities found in summary + entities. */
  entityRecall: number;
  /** Share of the source's numbers, dates and amounts found in summary + entities. */
  numberRecall: number;
  /** Share of the summary's names, numbers, dates and negations supported by the aligned source sentence. */
  faithfulness: number;
}

/** Well-known metadata keys. Who, when and where are fields; they are never prefixed to the text. */
export const META = {
  source: "source", // path, URL or application the text came from
  title: "title", // subject of a mail, heading of a section, name of a conversation
  speaker: "speaker", // author of a message, sender of a mail
  recipients: "recipients",
  thread: "thread", // key of the conversation or mail thread
  externalId: "external_id", // Message-ID, message uuid of an export
  replyTo: "reply_to", // external id that this one answers
  list: "list", // mailing list that a mail came by
  kind: "kind", // ContentKind
  language: "language", // ISO 639-1, "und" when unknown
  part: "part", // "3/17" of a document that was cut into sections
  mediaType: "media_type",
} as const;

export interface Memory {
  /** UUIDv7. */
  id: string;
  /** Exact text at keep level `exact`; null when faded. */
  content: string | null;
  summary: string;
  entities: Entity[];
  /** 384-d unit vector as INT8 codes, or null until a model has embedded it. */
  embedding: QuantizedVector | null;
  /** Identifier (name + weights hash prefix) of the model that made `embedding`. */
  embeddingModel: string | null;
  /** Event time, ms since epoch. */
  timestamp: number;
  /** When it entered the store, ms since epoch. */
  recordedAt: number;
  /** How present the memory is now, 0–1. */
  activation: number;
  metadata: Record<string, string>;
  userId: string;
  keep: KeepLevel;
  mode: CompressionMode;
  /** What wrote the summary: "extractive", "verbatim" (text short enough to be its own summary) or a model's name. */
  model: string;
  quality: QualityVector;
  episodeId: string | null;
  previousId: string | null;
  nextId: string | null;
  supersedes: string | null;
  supersededBy: string | null;
  /** Temporal validity of what it states, ms since epoch; null = open. */
  validFrom: number | null;
  validTo: number | null;
  /** SHA-256 of the UTF-8 of the exact text, lower-case hex. */
  contentSha256: string;
  /** Bytes of the original as it was given (the source's bytes where they differ from the text's UTF-8). */
  originalBytes: number;
  /** Bytes this memory occupies at its keep level: text, residual, summary, entities (amortised over its block). */
  storedBytes: number;
}

/** From the most detail to the least. */
export const KEEP_LEVELS: readonly KeepLevel[] = ["exact", "summary", "gist"];

/** Whether `level` keeps less than `other`. */
export function keepsLess(level: KeepLevel, other: KeepLevel): boolean {
  return KEEP_LEVELS.indexOf(level) > KEEP_LEVELS.indexOf(other);
}

/**
 * Whether a stored item is an episode's gist instead of a memory: its `episodeId` names itself,
 * which no metadata can claim. Members name it by their `episodeId`.
 */
export function isEpisode(item: Pick<Memory, "id" | "episodeId">): boolean {
  return item.episodeId === item.id;
}

/** One text to remember. */
export interface MemoryInput {
  text: string;
  /** The exact source bytes where they are not just the UTF-8 of `text` (a raw mail, a Latin-1 file); restored bit-exactly. */
  original?: Uint8Array;
  /** Event time, ms since epoch; default now. */
  timestamp?: number;
  userId?: string;
  /** See `META` for well-known keys; others are kept as given. */
  metadata?: Record<string, string>;
  /**
   * The text's search vector where the caller has it: 384 finite values, of any length but zero, and
   * the id of the model that made it (vectors of different models are never compared). A text of up
   * to 1,000 characters that is kept exactly is then stored as it is, without a model.
   */
  embedding?: { model: string; vector: Float32Array | readonly number[] };
  /** Names that the caller found in a text that brings its vector; else they are looked for. */
  entities?: Entity[];
}

/** Sizes of one memory or a whole store and the three ratios made of them (larger is smaller storage). */
export interface Ratios {
  originalBytes: number;
  storedBytes: number;
  /** originalBytes / bytes stored for the keep level. */
  storedRatio: number;
  /** originalBytes / (storedBytes + embedding and index bytes). */
  totalRatio: number;
  /** Tokens of the original / tokens handed to a language model at recall. */
  contextRatio: number;
}

/** Fields an owner may change; `metadata` is merged, a `null` value deletes its key. */
export interface MemoryPatch {
  metadata?: Record<string, string | null>;
  timestamp?: number;
  /** Moving down drops detail for good once compacted; moving up is refused. */
  keep?: KeepLevel;
  activation?: number;
  supersededBy?: string | null;
  validFrom?: number | null;
  validTo?: number | null;
}
