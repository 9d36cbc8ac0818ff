/**
 * The one façade: everything that a person or a program can do with a memory. The UI, the CLI and
 * the servers only translate to it; `RemoteEngine` implements it across a worker.
 */

import type { ErrorCode, WireError } from "./errors.ts";
import type { CompressedMemory, DecompressResult } from "./model/compressed-memory.ts";
import type {
  CompressionMode,
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
import type { SqlTable } from "./ports/sql.ts";

export interface CompressOptions extends TaskOptions {
  /** Default "fast". */
  mode?: CompressionMode;
  /** Level to keep; "summary" is granted only when the quality gate passes. Default "exact". */
  keep?: Extract<KeepLevel, "exact" | "summary">;
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
  elapsedMs: number;
}

export interface EngineStatus {
  version: string;
  store: {
    kind: string;
    memoryCount: number;
    /** Forgotten but still restorable. */
    forgottenCount: number;
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
    recovered: string[];
  };
  keepCounts: Record<KeepLevel, number>;
  ratios: Ratios;
  embeddings: { model: ModelState; embeddedCount: number; pendingCount: number };
  usage: { usedBytes: number; quotaBytes: number | null; persistent: boolean | null };
  caches: Record<string, { entries: number; hits: number; misses: number }>;
  /** Rolling recall latency in ms over the last 200 queries; null before the first. */
  recallMs: { p50: number; p99: number; count: number } | null;
}

export interface EngineEvent {
  type: "changed" | "model";
  generation: number;
}

export interface Engine {
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
  /** Read-only, DuckDB over the segments: view `memories`. */
  sql(query: string, options?: { maxRows?: number }): Promise<SqlTable>;
  exportStore(format: ExportFormat): AsyncIterable<ExportedFile>;
  importStore(source: ImportSource, options?: ImportOptions): Promise<ImportReport>;
  /** Makes the vectors that are missing (the model came later). Returns how many. */
  embedMissing(options?: TaskOptions): Promise<number>;
  /** Folds the journal into segments and drops what was forgotten. */
  compact(options?: TaskOptions): Promise<void>;
  status(): Promise<EngineStatus>;
  subscribe(listener: (event: EngineEvent) => void): () => void;
  close(): Promise<void>;
}

export type { CompressedMemory, DecompressResult, ErrorCode, WireError, Memory };
