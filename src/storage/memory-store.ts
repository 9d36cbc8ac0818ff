/**
 * What the layers above may ask of storage; `ArrowStorage` implements it.
 *
 * A memory has an ordinal: a small integer that is stable while the store is open (indexes are
 * arrays over it) and never reused within one opening. Light fields of every live memory are held
 * in the catalog; content, summary, entities and vectors stay on disk and are fetched by id.
 */

import type { Entity, KeepLevel, Memory, MemoryPatch, QualityVector } from "../model/memory.ts";
import type { TaskOptions } from "../model/task-control.ts";
import type { FileHandle } from "../ports/file-store.ts";
import type { QuantizedVector } from "../model/vector.ts";

/** A memory as it is handed to storage. `storedBytes` is storage's to compute. */
export interface NewMemory extends Omit<Memory, "storedBytes"> {
  /** See `storage/envelope.ts`: restores the exact source bytes around or instead of `content`; null when they are its UTF-8. */
  envelope: Uint8Array | null;
}

/** The fields kept in memory for every live memory. */
export interface CatalogEntry {
  readonly ordinal: number;
  readonly id: string;
  timestamp: number;
  recordedAt: number;
  activation: number;
  userId: string;
  keep: KeepLevel;
  metadata: Record<string, string>;
  previousId: string | null;
  nextId: string | null;
  episodeId: string | null;
  supersedes: string | null;
  supersededBy: string | null;
  validFrom: number | null;
  validTo: number | null;
  contentSha256: string;
  originalBytes: number;
  storedBytes: number;
  quality: QualityVector;
  mode: Memory["mode"];
  model: string;
  embedded: boolean;
  embeddingModel: string | null;
}

export interface Catalog {
  /** Memories; gists of episodes aren't counted. */
  readonly size: number;
  /** One past the largest ordinal given out. */
  readonly ordinalLimit: number;
  byOrdinal(ordinal: number): CatalogEntry | undefined;
  byId(id: string): CatalogEntry | undefined;
  /** The live memory with this `META.externalId`, for threading. */
  byExternalId(externalId: string): CatalogEntry | undefined;
  /** Memories; gists of episodes are found by `episodes`, `byId` and `byOrdinal` only. */
  entries(): IterableIterator<CatalogEntry>;
  /** The rows that hold gists. */
  episodes(): IterableIterator<CatalogEntry>;
  /** Memories of one episode, by time. */
  membersOf(episodeId: string): CatalogEntry[];
}

/** One change of a stored memory; several are one journal frame. */
export interface MemoryEdit {
  id: string;
  /** A move down; undone by `lift` until the next `compact`. */
  keep?: KeepLevel;
  /** Takes a move down back, as `MemoryStore.lift` does. */
  lift?: true;
  episodeId?: string | null;
  /** Merged; null deletes a key. */
  metadata?: Record<string, string | null>;
  timestamp?: number;
  quality?: QualityVector;
  /** Another summary, with the vector of whatever it stands for: undefined keeps the old one, null drops it. */
  text?: {
    summary: string;
    entities: Entity[];
    mode: Memory["mode"];
    model: string;
    embedding?: QuantizedVector | null;
    embeddingModel?: string | null;
  };
}

export interface AppendOptions {
  /**
   * The caller made each checksum of the very text that it hands in, which isn't made a second time, and
   * leaves the vectors to the store: they aren't copied and mustn't be changed any more.
   */
  owned?: boolean;
}

export interface StoreEdits {
  add?: readonly NewMemory[];
  edits?: readonly MemoryEdit[];
}

/** What indexes need of one memory. `content` is null where it faded. */
export interface IndexRow {
  ordinal: number;
  id: string;
  content: string | null;
  summary: string;
  entities: Entity[];
  embedding: QuantizedVector | null;
}

/** Vectors of one model and length, side by side. Views: valid for reading until the next step of the scan. */
export interface VectorColumn {
  /** By vector. */
  ordinals: Int32Array;
  /** `dimensions` per vector. */
  codes: Int8Array;
  scales: Float32Array;
  /** ⌈dimensions / 8⌉ bytes per vector; null when none of them has them. */
  fine: Uint8Array | null;
  dimensions: number;
  model: string;
}

export interface DerivedFile {
  /** Of the store when it was written. */
  readonly generation: number;
  readonly sizeBytes: number;
  /** Reads and decodes only the parts that hold the range; all of it without one. `corrupt_data`. */
  read(offset?: number, length?: number): Promise<Uint8Array>;
}

export interface ForgottenMemory {
  entry: CatalogEntry;
  content: string | null;
  summary: string;
  entities: Entity[];
}

export interface StoreSizes {
  segmentCount: number;
  journalBytes: number;
  segmentBytes: number;
  indexBytes: number;
  totalBytes: number;
}

export interface SqlSources {
  sources: { name: string; handle: FileHandle }[];
  excludedIds: string[];
  /** Moved down, while the files still hold more. */
  faded: { id: string; keep: KeepLevel }[];
}

export type StoreChange =
  | { type: "added"; entries: CatalogEntry[]; rows: IndexRow[] }
  /** `textChanged`: summaries or entities, not only light fields. */
  | { type: "updated"; entries: CatalogEntry[]; textChanged?: boolean }
  | { type: "embedded"; ordinals: number[]; vectors: QuantizedVector[] }
  | { type: "removed"; ordinals: number[]; ids: string[] }
  | { type: "compacted" };

/** A memory that says whether it has a vector, instead of the vector. */
export type ReadMemory = Omit<Memory, "embedding"> & {
  envelope: Uint8Array | null;
  embedded: boolean;
};

export interface MemoryStore {
  readonly catalog: Catalog;
  /** Grows with every durable change. */
  readonly generation: number;
  /** What recovery did when the store was opened, in plain words; empty when nothing was wrong. */
  readonly recovered: readonly string[];

  /** Durable when resolved. One journal frame: all or none. Links `previousId`/`nextId` of neighbours already stored. */
  append(memories: readonly NewMemory[], options?: AppendOptions): Promise<CatalogEntry[]>;
  patch(id: string, patch: MemoryPatch): Promise<CatalogEntry>;
  /** New memories and changes of others in one journal frame: all or none. Durable when resolved. */
  commit(edits: StoreEdits): Promise<void>;
  /** Takes moves down back (all, or those named) whose detail is still there. Returns the ids that rose. */
  lift(ids?: readonly string[]): Promise<string[]>;
  /** Moves down that `lift` could take back, with the level whose detail is still there. */
  fading(): { entry: CatalogEntry; detail: KeepLevel }[];
  setEmbeddings(
    updates: readonly { id: string; embedding: QuantizedVector; quality?: QualityVector }[],
    embeddingModel: string,
  ): Promise<void>;
  /** Tombstones in the journal. With `erase`, resolves when no byte of them is left in any file. Returns the ids that were live, and those whose erasure an earlier call had begun. */
  forget(
    ids: readonly string[],
    /** `edits` go into the same journal frame: what else must change when these go. */
    options?: { erase?: boolean; edits?: readonly MemoryEdit[] },
  ): Promise<string[]>;
  /** What of `ids` could be restored, with its text; its ordinal can't be read by until then. */
  forgotten(ids: readonly string[]): Promise<ForgottenMemory[]>;
  /** Lifts tombstones that compaction has not carried out; `edits`, also of what comes back, go into the same frame. */
  restore(ids: readonly string[], options?: { edits?: readonly MemoryEdit[] }): Promise<string[]>;
  forgottenCount(): number;

  /** The whole memory. `not_found`, or `corrupt_data` when its bytes fail their check. */
  get(id: string): Promise<Memory & { envelope: Uint8Array | null }>;
  /** The same with `embedded` instead of the vector, which takes longer to read than all else. */
  read(id: string): Promise<ReadMemory>;
  /**
   * Summary and entities of many, in the order asked; empty where they can't be read. `strict` rejects
   * then: for who writes a gist anew without some of its sentences.
   */
  getSummaries(
    ordinals: readonly number[],
    options?: { strict?: boolean },
  ): Promise<{ summary: string; entities: Entity[] }[]>;
  /** Content of many, in the order asked; null where it faded. */
  getContents(ordinals: readonly number[]): Promise<(string | null)[]>;
  /**
   * As `getContents`, without waiting for the model of coded texts, which takes seconds after opening:
   * undefined for a text that would need it.
   */
  getContentsAtHand(ordinals: readonly number[]): Promise<(string | null | undefined)[]>;
  /**
   * Everything the indexes need, in batches in the order of the files, for a rebuild. `columns` and
   * `ordinals` limit what is read.
   */
  scan(options?: {
    columns?: readonly ("content" | "summary" | "entities" | "embedding")[];
    ordinals?: Iterable<number>;
  }): AsyncIterable<IndexRow[]>;
  /** Every vector in long runs, nearly as fast as the files can be read: what a vector index loads from. */
  scanVectors(): AsyncIterable<VectorColumn>;
  /**
   * Live memories whose text, entities, vector, keep level or fields changed after `generation`; maybe
   * some more, never fewer. New ones need not be among them: those are what an index lacks.
   */
  editedSince(generation: number): number[];
  /** Whole memories in batches, oldest first, for export. */
  scanMemories(): AsyncIterable<(Memory & { envelope: Uint8Array | null })[]>;

  compact(options?: TaskOptions): Promise<void>;
  /**
   * Derived data beside the segments (index snapshots); null when missing, damaged, or stale and that
   * isn't allowed. For what is stale `openDerived` tells the generation, and `editedSince` what to catch up with.
   */
  readDerived(name: string, options?: { allowStale?: boolean }): Promise<Uint8Array | null>;
  /** The same, to be read in parts; of any generation. Null when it is missing or its directory is damaged. */
  openDerived(name: string): Promise<DerivedFile | null>;
  /**
   * Stamps the bytes with the generation at this call, compresses and checksums them. Bytes that come
   * one by one are written in bounded memory; an older file of that name is gone then. Resolves to
   * false, with nothing written, when text was erased meanwhile. A name that ends in `.segment-N` is
   * removed with that segment, others whenever something is erased.
   */
  writeDerived(
    name: string,
    bytes: Uint8Array | AsyncIterable<Uint8Array>,
    options?: { partBytes?: number },
  ): Promise<boolean>;
  removeDerived(name: string): Promise<void>;
  /** Names, in order. */
  listDerived(prefix?: string): Promise<string[]>;

  subscribe(listener: (change: StoreChange) => void): () => void;
  /**
   * Parquet files that SQL reads, and the forgotten memories in them that it must not show (they can
   * still be restored). Folds the journal into a segment first when it holds anything. With `content`
   * texts that are coded come in plain copies, made when first asked for: else their column is null.
   */
  sqlSources(options?: { content?: boolean }): Promise<SqlSources>;
  sizes(): Promise<StoreSizes>;
  /** Decoded pages and text blocks kept for single rows. */
  cacheStats(): { entries: number; hits: number; misses: number };
  close(): Promise<void>;
}
