/**
 * The memory store: a journal of Arrow batches in front of immutable Parquet segments.
 *
 * A write is one journal frame, acknowledged when it is flushed. Light fields of every live memory
 * are in the catalog; text, summaries, entities and vectors are fetched by row. Compaction runs
 * beside the writers when the journal has grown.
 *
 * More than 400 lines: every method of `MemoryStore` is here, most of them one call into `store-writes.ts`,
 * `store-reads.ts`, `compactions.ts` or `derived.ts`.
 */

import { AppError } from "../errors.ts";
import {
  isEpisode,
  type Entity,
  type KeepLevel,
  type MemoryPatch,
  type QualityVector,
} from "../model/memory.ts";
import type { TaskOptions } from "../model/task-control.ts";
import type { QuantizedVector } from "../model/vector.ts";
import type { FileStore } from "../ports/file-store.ts";
import type { MemoryCatalog } from "./catalog.ts";
import { writeMissingCopies } from "./catalog-copy.ts";
import { Compactions } from "./compactions.ts";
import { discardDamaged, listDamaged, markDamaged } from "./damage.ts";
import { DerivedEncoder, appendDerived, encodeDerived, openDerived } from "./derived.ts";
import type {
  AppendOptions,
  CatalogEntry,
  DerivedFile,
  ForgottenMemory,
  IndexRow,
  MemoryEdit,
  MemoryStore,
  NewMemory,
  ReadMemory,
  StoreChange,
  StoreEdits,
  StoreSizes,
  SqlSources,
  VectorColumn,
} from "./memory-store.ts";
import { openStoreFiles } from "./recovery.ts";
import { RowReader, type BlockCacheStats } from "./row-reader.ts";
import {
  DERIVED_PREFIX,
  commitManifest,
  isCorrupt,
  journalsNow,
  rotateJournal,
  type StoreCore,
} from "./store-core.ts";
import { STORE_DEFAULTS, type ArrowStorageOptions } from "./store-options.ts";
import { plainCopy } from "./sql-copies.ts";
import { StoreReads, type ScanOptions, type WholeMemory } from "./store-reads.ts";
import { writtenLevel, type MemoryRecord } from "./store-state.ts";
import { measureStore } from "./store-sizes.ts";
import { StoreWrites, liveEntry, restorable } from "./store-writes.ts";
import { scanVectors } from "./vector-scan.ts";
import { loadZstd } from "./zstd.ts";

export type { ArrowStorageOptions } from "./store-options.ts";

export class ArrowStorage implements MemoryStore {
  readonly #core: StoreCore;
  readonly #listeners = new Set<(change: StoreChange) => void>();
  readonly #reads: StoreReads;
  readonly #writes: StoreWrites;
  readonly #compactions: Compactions;
  #closed = false;

  private constructor(core: StoreCore, options: Required<ArrowStorageOptions>) {
    const emit = (change: StoreChange | null): void => this.#emit(change);
    this.#core = core;
    this.#reads = new StoreReads(core);
    this.#writes = new StoreWrites({
      core,
      reads: this.#reads,
      exclusive: (work) => this.#exclusive(work),
      emit,
    });
    this.#compactions = new Compactions(core, options, emit);
  }

  /**
   * Opens or makes the store in `fileStore`, which it then owns (`close()` closes it).
   * `corrupt_data` when no manifest is intact, `unsupported_version`; lesser damage is in `recovered`.
   */
  static async open(
    fileStore: FileStore,
    options: ArrowStorageOptions = {},
  ): Promise<ArrowStorage> {
    const settings = { ...STORE_DEFAULTS, ...options };
    const zstd = await loadZstd();
    const opened = await openStoreFiles(fileStore, zstd);
    let queue: Promise<unknown> = Promise.resolve();
    const core: StoreCore = {
      files: fileStore,
      zstd,
      reader: new RowReader(settings.cacheBytes),
      ...opened,
      catalogCopyFromRows: settings.catalogCopyFromRows,
      purges: 0,
      mirrored: false,
      leftovers: { paths: new Set(), ids: new Set() },
      // Replaced at once below when the last journal can't be written to.
      journal: opened.journal!,
      exclusive<T>(work: () => Promise<T>): Promise<T> {
        const result = queue.then(work);
        queue = result.catch(() => undefined);
        return result;
      },
    };
    if (!opened.journal) await startJournal(core);
    const storage = new ArrowStorage(core, settings);
    await storage.#compactions.settle(opened.damagedJournal);
    return storage;
  }

  get catalog(): MemoryCatalog {
    return this.#core.state.catalog;
  }

  get generation(): number {
    return this.#core.generation;
  }

  get recovered(): readonly string[] {
    return this.#core.recovered;
  }

  cacheStats(): BlockCacheStats {
    return this.#core.reader.stats();
  }

  #checkOpen(): void {
    if (this.#closed)
      throw new AppError("closed", "The memory store was closed.", { hint: "Open it again." });
  }

  #emit(change: StoreChange | null): void {
    if (change) for (const listener of this.#listeners) listener(change);
  }

  #exclusive<T>(work: () => Promise<T>): Promise<T> {
    this.#checkOpen();
    return this.#core.exclusive(async () => {
      this.#checkOpen();
      return work();
    });
  }

  /** A write that makes the journal grow: waits when it is far too long, and may start a compaction. */
  async #growing<T>(write: () => Promise<T>): Promise<T> {
    this.#checkOpen();
    await this.#compactions.backpressure();
    const result = await write();
    if (!this.#closed) this.#compactions.maybeStart();
    return result;
  }

  async append(
    memories: readonly NewMemory[],
    options: AppendOptions = {},
  ): Promise<CatalogEntry[]> {
    this.#checkOpen();
    return memories.length === 0 ? [] : this.#growing(() => this.#writes.append(memories, options));
  }

  async commit(edits: StoreEdits): Promise<void> {
    this.#checkOpen();
    if ((edits.add?.length ?? 0) + (edits.edits?.length ?? 0) === 0) return;
    await this.#growing(() => this.#writes.commit(edits));
  }

  async patch(id: string, patch: MemoryPatch): Promise<CatalogEntry> {
    return this.#writes.patch(id, patch);
  }

  async setEmbeddings(
    updates: readonly { id: string; embedding: QuantizedVector; quality?: QualityVector }[],
    embeddingModel: string,
  ): Promise<void> {
    if (updates.length > 0)
      await this.#growing(() => this.#writes.setEmbeddings(updates, embeddingModel));
  }

  async lift(ids?: readonly string[]): Promise<string[]> {
    const named = ids && new Set(ids);
    return this.#writes.lift(() =>
      this.fading()
        .filter(({ entry }) => !named || named.has(entry.id))
        .map(({ entry }) => this.#core.state.recordOf(entry)),
    );
  }

  fading(): { entry: CatalogEntry; detail: KeepLevel }[] {
    const found: { entry: CatalogEntry; detail: KeepLevel }[] = [];
    for (const entry of this.catalog.entries()) {
      const { detail, sinking } = this.#core.state.recordOf(entry);
      if (entry.keep !== detail && sinking === null) found.push({ entry, detail });
    }
    return found;
  }

  async forget(
    ids: readonly string[],
    options: { erase?: boolean; edits?: readonly MemoryEdit[] } = {},
  ): Promise<string[]> {
    const live = await this.#writes.forget(ids, options);
    if (!options.erase) return live;
    // Erased before, but their files couldn't go: as good as live until now.
    const { leftovers } = this.#core;
    const unfinished = ids.filter((id) => leftovers.ids.has(id));
    await this.#compactions.erase();
    return [...new Set([...live, ...unfinished])];
  }

  async restore(
    ids: readonly string[],
    options: { edits?: readonly MemoryEdit[] } = {},
  ): Promise<string[]> {
    return this.#writes.restore(ids, options.edits);
  }

  async forgotten(ids: readonly string[]): Promise<ForgottenMemory[]> {
    this.#checkOpen();
    const records = restorable(this.#core.state, ids);
    const [contents, summaries] = await Promise.all([
      this.#reads.contents(records),
      this.#reads.summaries(records),
    ]);
    return records.map(({ entry }, i) => ({ entry, content: contents[i]!, ...summaries[i]! }));
  }

  async damagedFiles(options: { verify?: boolean } = {}): Promise<string[]> {
    this.#checkOpen();
    const { segments, damagedSegments } = this.#core;
    if (options.verify)
      await markDamaged(
        this.#core,
        [...segments.values()].filter(({ info }) => !damagedSegments.has(info.number)),
      );
    return listDamaged(this.#core);
  }

  /**
   * Gives up damaged files with what may still be readable of them; the owner's explicit choice
   * only. Returns their paths.
   */
  async discardDamaged(): Promise<string[]> {
    // Not while a compaction may be about to name them in the manifest again.
    await this.#compactions.idle();
    const discarded = await this.#exclusive(async () => {
      const { discarded: paths, change } = await discardDamaged(this.#core);
      this.#emit(change);
      return paths;
    });
    // Neighbours refer to what went no more: written down here.
    if (discarded.length > 0) await this.#compactions.fold();
    return discarded;
  }

  forgottenCount(): number {
    let count = 0;
    for (const { erase, record } of this.#core.state.forgotten.values())
      if (!erase && !isEpisode(record.entry)) count++;
    return count;
  }

  async get(id: string): Promise<WholeMemory> {
    this.#checkOpen();
    return this.#reads.memory(this.#core.state.recordOf(liveEntry(this.#core.state, id)));
  }

  async read(id: string): Promise<ReadMemory> {
    this.#checkOpen();
    return this.#reads.withoutVector(this.#core.state.recordOf(liveEntry(this.#core.state, id)));
  }

  #byOrdinals(ordinals: readonly number[]): MemoryRecord[] {
    this.#checkOpen();
    return ordinals.map((ordinal) => {
      const entry = this.catalog.byOrdinal(ordinal);
      if (!entry) throw new AppError("not_found", `There is no memory of ordinal ${ordinal}.`);
      return this.#core.state.recordOf(entry);
    });
  }

  async getSummaries(
    ordinals: readonly number[],
    options: { strict?: boolean } = {},
  ): Promise<{ summary: string; entities: Entity[] }[]> {
    return this.#reads.summaries(this.#byOrdinals(ordinals), options);
  }

  async getContents(ordinals: readonly number[]): Promise<(string | null)[]> {
    return this.#reads.contents(this.#byOrdinals(ordinals));
  }

  async getContentsAtHand(ordinals: readonly number[]): Promise<(string | null | undefined)[]> {
    return this.#reads.contentsAtHand(this.#byOrdinals(ordinals));
  }

  scan(options?: ScanOptions): AsyncIterable<IndexRow[]> {
    this.#checkOpen();
    return this.#reads.scan(() => this.#checkOpen(), options);
  }

  scanVectors(): AsyncIterable<VectorColumn> {
    this.#checkOpen();
    return scanVectors(this.#core, this.#reads, () => this.#checkOpen());
  }

  editedSince(generation: number): number[] {
    const ordinals: number[] = [];
    for (const entry of this.catalog.all())
      if (this.#core.state.recordOf(entry).editedAt > generation) ordinals.push(entry.ordinal);
    return ordinals;
  }

  scanMemories(): AsyncIterable<WholeMemory[]> {
    this.#checkOpen();
    return this.#reads.scanMemories(() => this.#checkOpen());
  }

  async compact(options: TaskOptions = {}): Promise<void> {
    this.#checkOpen();
    await this.#compactions.compact(options);
  }

  async openDerived(name: string): Promise<DerivedFile | null> {
    this.#checkOpen();
    return openDerived(this.#core.files, this.#core.zstd, DERIVED_PREFIX + name);
  }

  async readDerived(
    name: string,
    options: { allowStale?: boolean } = {},
  ): Promise<Uint8Array | null> {
    const file = await this.openDerived(name);
    if (!file || (!options.allowStale && file.generation !== this.generation)) return null;
    return file.read().catch((error: unknown) => {
      if (isCorrupt(error)) return null;
      throw error;
    });
  }

  async writeDerived(
    name: string,
    source: Uint8Array | AsyncIterable<Uint8Array>,
    options: { partBytes?: number } = {},
  ): Promise<boolean> {
    this.#checkOpen();
    const { zstd, files, purges, leftovers } = this.#core;
    const path = DERIVED_PREFIX + name;
    // Of what was purged meanwhile not a word may come back.
    const isClean = () => this.#core.purges === purges;
    const { generation } = this;
    if (source instanceof Uint8Array) {
      const encoded = await encodeDerived(zstd, source, generation, options.partBytes);
      return this.#exclusive(async () => {
        if (!isClean()) return false;
        await files.write(path, encoded);
        leftovers.paths.delete(path);
        return true;
      });
    }
    const remove = async () => {
      try {
        await files.remove(path);
        leftovers.paths.delete(path);
      } catch (error) {
        leftovers.paths.add(path);
        throw error;
      }
    };
    await remove();
    try {
      await appendDerived(
        files,
        path,
        source,
        new DerivedEncoder(zstd, generation, options.partBytes),
      );
    } catch (error) {
      // What was written of it may take the room that is missing.
      await remove().catch(() => undefined);
      throw error;
    }
    return this.#exclusive(async () => {
      if (!isClean()) await remove();
      return isClean();
    });
  }

  async removeDerived(name: string): Promise<void> {
    this.#checkOpen();
    await this.#core.files.remove(DERIVED_PREFIX + name);
  }

  async listDerived(prefix = ""): Promise<string[]> {
    this.#checkOpen();
    const found = await this.#core.files.list(DERIVED_PREFIX + prefix);
    return found.map(({ path }) => path.slice(DERIVED_PREFIX.length));
  }

  segments(): { number: number; rows: number }[] {
    return [...this.#core.segments.values()].map(({ info: { number, rows } }) => ({
      number,
      rows,
    }));
  }

  subscribe(listener: (change: StoreChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async sqlSources(options: { content?: boolean } = {}): Promise<SqlSources> {
    this.#checkOpen();
    await this.#compactions.fold();
    const sources: SqlSources["sources"] = [];
    for (const segment of this.#core.segments.values()) {
      if (this.#core.damagedSegments.has(segment.info.number)) continue;
      const path = options.content ? await plainCopy(this.#core, segment) : segment.path;
      sources.push({ name: path, handle: await this.#core.files.handle(path) });
    }
    const faded: SqlSources["faded"] = [];
    for (const entry of this.catalog.entries())
      if (entry.keep !== writtenLevel(this.#core.state.recordOf(entry)))
        faded.push({ id: entry.id, keep: entry.keep });
    return { sources, excludedIds: [...this.#core.state.forgotten.keys()], faded };
  }

  async sizes(): Promise<StoreSizes> {
    this.#checkOpen();
    return measureStore(this.#core.files);
  }

  /** Waits for a running compaction, notes what the journal holds, and closes the files. */
  async close(): Promise<void> {
    if (this.#closed) return;
    await this.#compactions.stop();
    this.#closed = true;
    try {
      await this.#core.exclusive(async () => {
        await writeMissingCopies(this.#core).catch(() => undefined);
        const journals = journalsNow(this.#core);
        const noted = this.#core.manifest.journals.at(-1)!.minBytes;
        if (journals.at(-1)!.minBytes !== noted) await commitManifest(this.#core, { journals });
      });
    } finally {
      this.#listeners.clear();
      this.#core.reader.clear();
      this.#core.primes.close();
      await this.#core.files.close();
    }
  }
}

/** A first journal to write to after the last one was found damaged. */
async function startJournal(core: StoreCore): Promise<void> {
  const last = core.manifest.journals.at(-1)!;
  Object.assign(core, { journal: { number: last.number, sizeBytes: last.minBytes } });
  await rotateJournal(core, { useDictionary: false });
}
