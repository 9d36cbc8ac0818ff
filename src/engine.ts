/**
 * The one façade: everything that a person or a program can do with a memory. The UI, the CLI and
 * the servers only translate to it; `RemoteEngine` implements it across a worker.
 */

import type { ErrorCode, WireError } from "./errors.ts";
import type { Comparison, Evaluation } from "./model/comparison.ts";
import type { CompressedMemory, DecompressResult } from "./model/compressed-memory.ts";
import type { EmbeddingsBuffer, EmbeddingsQuery } from "./model/embeddings-buffer.ts";
import type {
  EpisodeDetail,
  EpisodePage,
  EpisodeReport,
  RetentionPolicy,
  RetentionPreview,
  RetentionReport,
} from "./model/episode.ts";
import type {
  CustomModel,
  LanguageModelInfo,
  LanguageProvider,
  LanguageSettings,
  ModelProfile,
  ProviderSettings,
  ProviderState,
  RouteDecision,
  RouteRequest,
  SpendingReport,
} from "./model/language-model.ts";
import type {
  CompressionMode,
  Entity,
  KeepLevel,
  Memory,
  MemoryInput,
  MemoryPatch,
  QualityVector,
  Ratios,
} from "./model/memory.ts";
import type {
  BrowsePage,
  BrowseQuery,
  Facets,
  MemoryView,
  MemoryFilter,
  RecallQuery,
  RecallResult,
} from "./model/query.ts";
import type { TaskOptions } from "./model/task-control.ts";
import type { ModelState } from "./ports/embedder.ts";
import type { EmbedderVariant, NewEmbedderVariant } from "./ports/embedder-variants.ts";
import type { SqlTable } from "./ports/sql.ts";

export interface CompressOptions extends TaskOptions {
  /** Default "fast". */
  mode?: CompressionMode;
  /** Level to keep; "summary" is granted only when the quality gate passes. Default "exact". */
  keep?: Extract<KeepLevel, "exact" | "summary">;
  /** "auto" lets the router choose, "extractive" uses no language model, else a model's id. Default: as the settings say. */
  model?: string;
  /** Longest that a language model may be expected to take for one text. */
  latencyBudgetMs?: number;
  /** Most that one text may be expected to cost. */
  costLimitUsd?: number;
}

export interface RememberOptions extends CompressOptions {
  /** Called once per item, in order of durability, after it survives a kill. */
  onReceipt?: (receipt: Receipt) => void;
  /** False stores now and leaves vectors to `embedMissing`. Default true (where a model is installed). */
  embed?: boolean;
}

export interface Receipt {
  /** Index into the items given, or running number in an import. */
  index: number;
  status: "stored" | "duplicate" | "failed";
  /** Null when failed. A duplicate names the memory that was there. */
  id: string | null;
  source?: string;
  keep?: KeepLevel;
  /** Why `summary` was asked and `exact` was kept. */
  keepReason?: string;
  originalBytes: number;
  storedBytes: number;
  quality?: QualityVector;
  /** What wrote the summary. */
  model?: string;
  /** Why a language model took no part, or another one than asked for. */
  modelReason?: string;
  error?: WireError;
}

export interface ReadResult {
  text: string;
  /** The exact source bytes where they differ from the UTF-8 of `text` (a raw mail); only at keep level `exact`. */
  original?: Uint8Array;
  keep: KeepLevel;
  quality: QualityVector;
  /** True when `text` was written by the reconstructor and isn't the original. */
  reconstructed: boolean;
  memory: MemoryView;
  ratios: Ratios;
}

export type ForgetTarget = { ids: string[] } | { filter: MemoryFilter } | { all: true };

export interface ForgetReceipt {
  ids: string[];
  /** True when no residue is left; false when `restore` still can bring them back. */
  erased: boolean;
}

export interface ExportedFile {
  path: string;
  bytes: Uint8Array;
}

export type ExportFormat = "parquet" | "jsonl" | "markdown";

/** A file to import; `blob` is read lazily, in slices, on the engine's side. */
export interface ImportFile {
  /** Path inside what was dropped or given: "mails/1.eml". */
  path: string;
  blob: Blob;
  /** ms since epoch. */
  lastModified?: number;
}

export type ImportSource =
  { kind: "files"; files: ImportFile[] } | { kind: "text"; text: string; title?: string };

/** What one file was recognised as. */
export interface RecognizedFile {
  path: string;
  /** "mail", "mbox", "chatgpt-export", "claude-export", "jsonl", "json", "markdown", "text", "code", "log", "zip", "llm-compression-export". */
  format: string;
  items: number;
  sizeBytes: number;
  error?: WireError;
}

export interface ImportOptions extends RememberOptions {
  onFile?: (file: RecognizedFile) => void;
}

export interface ImportReport {
  files: RecognizedFile[];
  storedCount: number;
  duplicateCount: number;
  failedCount: number;
  originalBytes: number;
  storedBytes: number;
  /** The first 1,000 failures: which file or item, why, what to do. */
  failures: { source: string; error: WireError }[];
  /** What wrote the summaries of what was stored: "extractive", "verbatim" or a model's id. */
  writers: { model: string; count: number }[];
  /** Why language models took no part or failed, each reason once. */
  modelNotes: { reason: string; count: number }[];
  elapsedMs: number;
}

/** The search by words: what it holds in memory, and how far the index of record in FTS5 is. */
export interface WordStatus {
  count: number;
  memoryBytes: number;
  record: {
    memories: number;
    /** Memories that the record has not, or not as they are now; taken in while nobody works. */
    waiting: number;
    /** Its budget of text is used up: what waits stays out. */
    isFull: boolean;
  };
}

/** The search by meaning: what it holds in memory, and which processors answer. */
export interface VectorStatus {
  count: number;
  /** False when they can't be read from the store: recall goes by words alone. */
  loaded: boolean;
  /** Shared by all workers. */
  memoryBytes: number;
  /** "wasm-simd", or "reference" where WebAssembly SIMD is absent. */
  kernel: string;
  /** Workers that run now, and why so many or none. */
  workers: number;
  workersReason: string;
  /** Queries per second as measured on this machine; `workers` 0 is the engine's own thread. Empty before. */
  measured: { workers: number; queriesPerSecond: number }[];
  /** For batches of queries; null where the platform has none. */
  gpu: { name: string | null; reason: string } | null;
}

export interface EngineStatus {
  version: string;
  store: {
    kind: string;
    memoryCount: number;
    /** Forgotten but still restorable. */
    forgottenCount: number;
    /** Moved to a lower keep level, which can still be undone. */
    undoableCount: number;
    segmentCount: number;
    journalBytes: number;
    segmentBytes: number;
    indexBytes: number;
    /** All files of the store. */
    totalBytes: number;
    /** Sum of the originals. */
    originalBytes: number;
    storedBytes: number;
    generation: number;
    /** What was repaired when the store was opened, in plain words. */
    recovered: string[];
    /** Files that can't be read in whole; `repair` says what can be done. */
    damagedFiles: string[];
  };
  keepCounts: Record<KeepLevel, number>;
  ratios: Ratios;
  embeddings: { model: ModelState; embeddedCount: number; pendingCount: number };
  usage: { usedBytes: number; quotaBytes: number | null; persistent: boolean | null };
  caches: Record<string, { entries: number; hits: number; misses: number }>;
  vectors: VectorStatus;
  words: WordStatus;
  /** Rolling recall latency in ms over the last 200 queries; null before the first. */
  recallMs: { p50: number; p99: number; count: number } | null;
  language: {
    settings: LanguageSettings;
    /** Models that could answer now. */
    readyCount: number;
    todayUsd: number;
    profiles: ModelProfile[];
  };
  episodes: { count: number; memberCount: number };
}

/** Language models: what is there, how they did, what they cost. */
export interface LanguageModels {
  list(): Promise<LanguageModelInfo[]>;
  /** Downloads and checks an in-browser model; aborting pauses, a second call continues. */
  install(id: string, options?: TaskOptions): Promise<void>;
  remove(id: string): Promise<void>;
  /** A model of the user's own by its address. */
  add(model: CustomModel): Promise<LanguageModelInfo>;
  settings(): Promise<LanguageSettings>;
  configure(settings: Partial<LanguageSettings>): Promise<LanguageSettings>;
  providers(): Promise<ProviderState[]>;
  configureProvider(
    settings: Partial<ProviderSettings> & { provider: LanguageProvider },
  ): Promise<ProviderState>;
  /** An empty key removes it. */
  setKey(
    provider: LanguageProvider,
    key: string,
    options?: { save?: boolean },
  ): Promise<ProviderState>;
  /** What the router would choose now, and why. */
  route(request: RouteRequest): Promise<RouteDecision>;
  profiles(): Promise<ModelProfile[]>;
  spending(): Promise<SpendingReport>;
  /** A short prompt to a model, to see that it answers and how fast. */
  probe(
    id: string,
    options?: TaskOptions,
  ): Promise<{ text: string; elapsedMs: number; tokensPerSecond: number | null }>;
}

/** Memories that belong together. */
export interface Episodes {
  /** Groups what has no episode yet, and writes gists; with `rebuild` everything. */
  build(
    options?: TaskOptions & { mode?: CompressionMode; rebuild?: boolean },
  ): Promise<EpisodeReport>;
  list(options?: { offset?: number; limit?: number }): Promise<EpisodePage>;
  read(id: string): Promise<EpisodeDetail>;
}

/** How detail fades: only as set, previewed, undoable until compaction. */
export interface Retention {
  policy(): Promise<RetentionPolicy>;
  setPolicy(policy: RetentionPolicy): Promise<RetentionPolicy>;
  /** What would move now; under another policy when one is given. */
  preview(policy?: RetentionPolicy): Promise<RetentionPreview>;
  apply(options?: TaskOptions): Promise<RetentionReport>;
  /** Takes back what moved since the last compaction; returns how many. */
  undo(): Promise<number>;
}

export interface EngineEvent {
  type: "changed" | "model" | "language";
  generation: number;
}

export interface RepairReport {
  /** Paths in the store that can't be read in whole, and copies that were set aside of such. */
  files: string[];
  /** Whether they were removed; else they are there still. */
  discarded: boolean;
  /** Memories that went with them. */
  lostCount: number;
  /** With `check`: the word index beside FTS5 over the same texts. */
  words?: WordCheck;
}

export interface WordCheck {
  /** False when the record's budget doesn't hold every memory: nothing was compared. */
  isComplete: boolean;
  memories: number;
  terms: number;
  /** Terms with another number of memories; up to 4 in 1,000 are by the rules of stemming. */
  differingCount: number;
}

/** A network that makes vectors: the fetched one (`name` null) or a variant from the workbench. */
export interface EmbedderOption {
  name: string | null;
  /** What its vectors are known by; those of different ids are never compared. */
  id: string;
  label: string;
  sizeBytes: number;
  settings: Record<string, string | number | boolean>;
  /** Beside float32 on text it was not fitted to; null where it wasn't measured. */
  quality: EmbedderVariant["quality"];
  isChosen: boolean;
  /** As measured on this device; null before that. */
  sentencesPerSecond: number | null;
  /** Stored vectors that it made. */
  vectorCount: number;
}

export interface Embedders {
  list(): Promise<EmbedderOption[]>;
  /** Null: the fetched network. Vectors are kept; `embedMissing` makes them again with the new one. */
  use(name: string | null): Promise<void>;
  /** Adds a variant, or replaces one of the same name. */
  install(variant: NewEmbedderVariant, network: Uint8Array | Blob): Promise<void>;
  /** One that is in use gives way to the fetched network. */
  remove(name: string): Promise<void>;
  /** Measures the one in use. `model_missing` while there is none. */
  measure(options?: TaskOptions): Promise<{ id: string; sentencesPerSecond: number }>;
}

export interface Engine {
  readonly embedders: Embedders;
  readonly language: LanguageModels;
  readonly episodes: Episodes;
  readonly retention: Retention;
  /** Compresses, embeds and stores; resolves when every accepted item is durable. One failed item doesn't stop the rest. */
  remember(items: MemoryInput[], options?: RememberOptions): Promise<Receipt[]>;
  recall(query: RecallQuery, options?: { signal?: AbortSignal }): Promise<RecallResult>;
  read(id: string): Promise<ReadResult>;
  browse(query?: BrowseQuery): Promise<BrowsePage>;
  facets(): Promise<Facets>;
  update(id: string, patch: MemoryPatch): Promise<Receipt>;
  /** Without `erase` the memories can be restored until the next compaction; with it nothing remains. */
  forget(target: ForgetTarget, options?: { erase?: boolean }): Promise<ForgetReceipt>;
  restore(ids: string[]): Promise<string[]>;
  compress(text: string, options?: CompressOptions): Promise<CompressedMemory>;
  decompress(compressed: CompressedMemory): Promise<DecompressResult>;
  /** Judges anyone's summary of a text by the gate of a mode. */
  evaluate(
    input: { original: string; summary: string; entities?: Entity[]; mode?: CompressionMode },
    options?: TaskOptions,
  ): Promise<Evaluation>;
  /** A stored memory or a text beside its candidate summaries, each judged; stores nothing. */
  compare(
    target: { id: string } | { text: string },
    options?: CompressOptions,
  ): Promise<Comparison>;
  /** Writes the summaries of stored memories again, with another mode or model; a better summary replaces the old. */
  resummarize(
    target: { ids: string[] } | { filter: MemoryFilter },
    options?: RememberOptions,
  ): Promise<Receipt[]>;
  /** Read-only, DuckDB over the segments: view `memories`. */
  sql(query: string, options?: { maxRows?: number; signal?: AbortSignal }): Promise<SqlTable>;
  exportStore(format: ExportFormat): AsyncIterable<ExportedFile>;
  /** Vectors of memories in one buffer that is the caller's: transferred across workers, not cloned. */
  getEmbeddingsBuffer(query?: EmbeddingsQuery): Promise<EmbeddingsBuffer>;
  importStore(source: ImportSource, options?: ImportOptions): Promise<ImportReport>;
  /** Makes the vectors that are missing (the model came later). Returns how many. */
  embedMissing(options?: TaskOptions): Promise<number>;
  /** Folds the journal into segments and drops what was forgotten. */
  compact(options?: TaskOptions): Promise<void>;
  /**
   * Reads every file and names the damaged ones. They are kept, in case a copy of them can be put back;
   * until then nothing can be erased for sure. `discard` gives up those that are known by now, with the
   * memories in them: for good. `check` compares the search by words with FTS5.
   */
  repair(options?: { discard?: boolean; check?: boolean }): Promise<RepairReport>;
  status(): Promise<EngineStatus>;
  subscribe(listener: (event: EngineEvent) => void): () => void;
  close(): Promise<void>;
}

export type { CompressedMemory, DecompressResult, ErrorCode, WireError, Memory };
