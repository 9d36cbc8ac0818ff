/**
 * The memory store: a journal of Arrow batches in front of immutable Parquet segments.
 *
 * A write is one journal frame, acknowledged when it is flushed. Light fields of every live memory
 * are in the catalog; text, summaries, entities and vectors are fetched by row. Compaction runs
 * beside the writers when the journal has grown.
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
import { encodeBatch } from "./arrow-batch.ts";
import { sha256Hex } from "./bytes.ts";
import { compactStore, type CompactionOptions } from "./compaction.ts";
import { discardDamaged, isInDamagedSegment, listDamaged } from "./damage.ts";
import { decodeDerived, encodeDerived } from "./derived.ts";
import { shareTextBytes } from "./journal-text-share.ts";
import type { FrameKind } from "./journal.ts";
import {
  encodeBundle,
  encodeChange,
  encodeVectors,
  type Bundle,
  type Change,
} from "./journal-records.ts";
import type {
  Catalog,
  CatalogEntry,
  IndexRow,
  MemoryEdit,
  MemoryStore,
  NewMemory,
  StoreChange,
  StoreEdits,
  StoreSizes,
  SqlSources,
} from "./memory-store.ts";
import { openStoreFiles } from "./recovery.ts";
import { RowReader, type BlockCacheStats } from "./row-reader.ts";
import {
  DERIVED_PREFIX,
  commitManifest,
  journalsNow,
  rotateJournal,
  type StoreCore,
} from "./store-core.ts";
import { patchFields } from "./patch-fields.ts";
import { bundleEdits } from "./store-edits.ts";
import { plainCopy } from "./sql-copies.ts";
import { StoreReads, type IndexColumn, type WholeMemory } from "./store-reads.ts";
import { writtenLevel, type MemoryRecord } from "./store-state.ts";
import { normalizeMemory, type StoredRow } from "./stored-row.ts";
import { measureStore } from "./store-sizes.ts";
import { loadZstd } from "./zstd.ts";

export interface ArrowStorageOptions {
  /** Compaction starts by itself at this many bytes of journal (before compression) or rows. 0 turns it off. */
  compactAtBytes?: number;
  compactAtRows?: number;
  /** ZSTD level of text in compactions that start by themselves: pages of 2 MB in about 0.1 s. */
  backgroundLevel?: number;
  /** ZSTD level of text in `compact()`: about 1 s per 2 MB, 5 % smaller. */
  level?: number;
  /**
   * `compact()` codes texts with a model of the owner's own once there are this many bytes of them;
   * 0 turns it off. Less text teaches the model too little.
   */
  codeTextsFromBytes?: number;
  /** Decoded blocks kept for single-row fetches. */
  cacheBytes?: number;
}

const DEFAULTS: Required<ArrowStorageOptions> = {
  compactAtBytes: 8 * 1024 * 1024,
  compactAtRows: 4096,
  backgroundLevel: 12,
  level: 19,
  codeTextsFromBytes: 256 * 1024,
  cacheBytes: 48 * 1024 * 1024,
};
/** Writers wait for compaction when the journal is this many times over its threshold. */
const BACKPRESSURE = 4;

export class ArrowStorage implements MemoryStore {
  readonly #core: StoreCore;
  readonly #options: Required<ArrowStorageOptions>;
  readonly #listeners = new Set<(change: StoreChange) => void>();
  /** Compactions run one after another. */
  #compacting: Promise<unknown> = Promise.resolve();
  #background: Promise<void> | null = null;
  readonly #reads: StoreReads;
  #closed = false;

  private constructor(core: StoreCore, options: Required<ArrowStorageOptions>) {
    this.#core = core;
    this.#options = options;
    this.#reads = new StoreReads(core);
  }

  /**
   * Opens or makes the store in `fileStore`, which it then owns (`close()` closes it).
   * `corrupt_data` when no manifest is intact, `unsupported_version`; lesser damage is in `recovered`.
   */
  static async open(
    fileStore: FileStore,
    options: ArrowStorageOptions = {},
  ): Promise<ArrowStorage> {
    const settings = { ...DEFAULTS, ...options };
    const zstd = await loadZstd();
    const opened = await openStoreFiles(fileStore, zstd);
    let queue: Promise<unknown> = Promise.resolve();
    const core: StoreCore = {
      files: fileStore,
      zstd,
      reader: new RowReader(settings.cacheBytes),
      ...opened,
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
    await storage.#settle(opened.damagedJournal);
    return storage;
  }

  /** Finishes what was interrupted: an erasure, or leaving a damaged journal behind. */
  async #settle(damagedJournal: boolean): Promise<void> {
    const erasing = this.#erasable().length;
    if (erasing > 0) {
      await this.#compact({
        drop: "erased",
        level: this.#options.backgroundLevel,
        repack: false,
        codeTextsFromBytes: null,
      });
      this.#core.recovered.push(`An interrupted erasure of ${erasing} memories was completed.`);
    } else if (damagedJournal)
      // The intact part is written out, so that the damage isn't met again; a failure changes nothing.
      await this.#compact({
        drop: "none",
        level: this.#options.backgroundLevel,
        repack: false,
        codeTextsFromBytes: null,
      }).catch(() => undefined);
  }

  #erasable(): MemoryRecord[] {
    return [...this.#core.state.forgotten.values()]
      .filter(({ erase, record }) => erase && !isInDamagedSegment(this.#core, record))
      .map(({ record }) => record);
  }

  get catalog(): Catalog {
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

  /** Writes one frame, then applies it. Nothing is applied when the write fails. */
  async #write<T>(kind: FrameKind, payload: Uint8Array, apply: (journal: number) => T): Promise<T> {
    const core = this.#core;
    await core.journal.append(kind, payload);
    core.generation++;
    core.journalPayloadBytes += payload.length;
    return apply(core.journal.number);
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

  async append(memories: readonly NewMemory[]): Promise<CatalogEntry[]> {
    this.#checkOpen();
    if (memories.length === 0) return [];
    const normal = await checkedMemories(memories);
    await this.#backpressure();
    const entries = await this.#exclusive(async () => {
      const { state } = this.#core;
      const rows = this.#newRows(normal);
      const applied = await this.#write("memories", encodeBatch(rows), (journal) => {
        this.#core.nextOrdinal += rows.length;
        this.#core.journalRows += rows.length;
        return state.applyMemories(rows, journal);
      });
      this.#emit({ type: "added", entries: applied.added, rows: applied.rows });
      if (applied.linked.length > 0) this.#emit({ type: "updated", entries: applied.linked });
      return applied.added;
    });
    this.#maybeCompact();
    return entries;
  }

  /** Rows with the next ordinals. To be called alone among writers, right before they are written. */
  #newRows(memories: readonly NewMemory[]): StoredRow[] {
    const { state, nextOrdinal, zstd } = this.#core;
    const ids = new Set<string>();
    for (const { id } of memories) {
      if (ids.has(id) || state.catalog.byId(id) || state.forgotten.has(id))
        throw new AppError("invalid_input", `There is a memory ${id} already.`, {
          hint: "Give each memory an id of its own.",
        });
      ids.add(id);
    }
    const rows = memories.map((memory, i): StoredRow => ({
      ...memory,
      ordinal: nextOrdinal + i,
      storedBytes: 0,
    }));
    shareTextBytes(zstd, rows);
    return rows;
  }

  async commit({ add = [], edits = [] }: StoreEdits): Promise<void> {
    this.#checkOpen();
    if (add.length === 0 && edits.length === 0) return;
    const normal = await checkedMemories(add);
    await this.#backpressure();
    await this.#exclusive(async () => {
      const known = (id: string) => this.#entry(id);
      const rows = this.#newRows(normal);
      await this.#bundle({ rows, ...bundleEdits(this.#core.zstd, edits, known) });
    });
    this.#maybeCompact();
  }

  async #bundle(bundle: Bundle): Promise<void> {
    const changes = await this.#write("bundle", encodeBundle(bundle), (journal) => {
      this.#core.nextOrdinal += bundle.rows.length;
      this.#core.journalRows += bundle.rows.length;
      return this.#core.state.applyBundle(bundle, journal);
    });
    for (const change of changes) this.#emit(change);
  }

  async lift(ids?: readonly string[]): Promise<string[]> {
    return this.#exclusive(async () => {
      const named = ids && new Set(ids);
      const able = this.fading()
        .filter(({ entry }) => !named || named.has(entry.id))
        .map(({ entry }) => this.#core.state.recordOf(entry));
      if (able.length === 0) return [];
      const bare = able.filter(({ entry }) => entry.keep === "gist");
      const lifted = able.map(({ entry }) => entry.id);
      await this.#change({ op: "lift", ids: lifted });
      const embedded = bare.filter(({ entry }) => entry.embedded);
      const vectors: QuantizedVector[] = [];
      for (const record of embedded) vectors.push((await this.#reads.indexRow(record)).embedding!);
      if (vectors.length > 0)
        this.#emit({
          type: "embedded",
          ordinals: embedded.map(({ entry }) => entry.ordinal),
          vectors,
        });
      return lifted;
    });
  }

  fading(): { entry: CatalogEntry; detail: KeepLevel }[] {
    const found: { entry: CatalogEntry; detail: KeepLevel }[] = [];
    for (const entry of this.catalog.entries()) {
      const { detail, sinking } = this.#core.state.recordOf(entry);
      if (entry.keep !== detail && sinking === null) found.push({ entry, detail });
    }
    return found;
  }

  async patch(id: string, patch: MemoryPatch): Promise<CatalogEntry> {
    return this.#exclusive(async () => {
      const entry = this.#entry(id);
      const fields = patchFields(entry, patch);
      await this.#change({ op: "patch", id, fields });
      return entry;
    });
  }

  async #change(change: Change): Promise<StoreChange | null> {
    const applied = await this.#write("change", encodeChange(change), (journal) =>
      this.#core.state.applyChange(change, journal),
    );
    if (change.op !== "restore") this.#emit(applied);
    return applied;
  }

  #entry(id: string): CatalogEntry {
    const entry = this.#core.state.catalog.byId(id);
    if (!entry)
      throw new AppError("not_found", `There is no memory ${id}.`, {
        hint: this.#core.state.forgotten.has(id) ? "It was forgotten; restore it first." : "",
      });
    return entry;
  }

  async setEmbeddings(
    updates: readonly { id: string; embedding: QuantizedVector; quality?: QualityVector }[],
    embeddingModel: string,
  ): Promise<void> {
    if (updates.length === 0) return;
    if (!embeddingModel) throw new AppError("invalid_input", "It isn't said which model it was.");
    await this.#exclusive(async () => {
      const batch = {
        model: embeddingModel,
        updates: updates.map(({ id, embedding, quality }) => {
          this.#entry(id);
          if (embedding.codes.length === 0)
            throw new AppError("invalid_input", `The embedding of memory ${id} is empty.`);
          return {
            id,
            embedding: { codes: embedding.codes.slice(), scale: Math.fround(embedding.scale) },
            ...(quality ? { quality } : {}),
          };
        }),
      };
      const change = await this.#write("vectors", encodeVectors(batch), (journal) =>
        this.#core.state.applyVectors(batch, journal),
      );
      this.#emit(change);
    });
    this.#maybeCompact();
  }

  async forget(
    ids: readonly string[],
    options: { erase?: boolean; edits?: readonly MemoryEdit[] } = {},
  ): Promise<string[]> {
    const erase = options.erase ?? false;
    const { state } = this.#core;
    const live = await this.#exclusive(async () => {
      const unique = [...new Set(ids)];
      const known = unique.filter((id) => state.catalog.byId(id));
      const affected = erase
        ? withForgottenGists(
            state,
            unique.filter((id) => known.includes(id) || state.forgotten.has(id)),
          )
        : known;
      if (affected.length === 0) return known;
      const change: Change = { op: "forget", ids: affected, ...(erase ? { erase: true } : {}) };
      if (!options.edits?.length) await this.#change(change);
      else {
        const bundle = bundleEdits(this.#core.zstd, options.edits, (id) => this.#entry(id));
        await this.#bundle({ rows: [], ...bundle, changes: [...bundle.changes, change] });
      }
      return known;
    });
    if (erase) await this.#erase();
    return live;
  }

  async #erase(): Promise<void> {
    const { state } = this.#core;
    if ([...state.forgotten.values()].some((found) => found.erase))
      await this.#compact({
        drop: "erased",
        level: this.#options.backgroundLevel,
        repack: false,
        codeTextsFromBytes: null,
      });
    const left = [...state.forgotten.values()].some((found) => found.erase);
    const damaged = await this.damagedFiles();
    if (left || damaged.length > 0)
      throw new AppError(
        "corrupt_data",
        "Everything that can be read was erased, but damaged files are left that may hold more.",
        {
          hint: `Restore them from a copy and erase again, or discard them: ${damaged.join(", ")}.`,
        },
      );
  }

  /** Files that can't be read in whole, and copies set aside of such. */
  damagedFiles(): Promise<string[]> {
    return listDamaged(this.#core);
  }

  /**
   * Gives up damaged files with what may still be readable of them; the owner's explicit choice
   * only. Returns their paths.
   */
  async discardDamaged(): Promise<string[]> {
    // Not while a compaction may be about to name them in the manifest again.
    await this.#compacting;
    return this.#exclusive(async () => {
      const { discarded, change } = await discardDamaged(this.#core);
      this.#emit(change);
      return discarded;
    });
  }

  async restore(ids: readonly string[]): Promise<string[]> {
    return this.#exclusive(async () => {
      const { state } = this.#core;
      const able = [...new Set(ids)].filter((id) => {
        const found = state.forgotten.get(id);
        return found && !found.erase && !found.dropping;
      });
      if (able.length === 0) return [];
      const change = await this.#change({ op: "restore", ids: able });
      if (change?.type === "added") {
        const rows: IndexRow[] = [];
        for (const entry of change.entries)
          rows.push(await this.#reads.indexRow(state.recordOf(entry)));
        this.#emit({ ...change, rows });
      }
      return able;
    });
  }

  forgottenCount(): number {
    let count = 0;
    for (const { erase, record } of this.#core.state.forgotten.values())
      if (!erase && !isEpisode(record.entry)) count++;
    return count;
  }

  async get(id: string): Promise<WholeMemory> {
    this.#checkOpen();
    return this.#reads.memory(this.#core.state.recordOf(this.#entry(id)));
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
  ): Promise<{ summary: string; entities: Entity[] }[]> {
    return this.#reads.summaries(this.#byOrdinals(ordinals));
  }

  async getContents(ordinals: readonly number[]): Promise<(string | null)[]> {
    return this.#reads.contents(this.#byOrdinals(ordinals));
  }

  scan(options?: { columns?: IndexColumn[] }): AsyncIterable<IndexRow[]> {
    this.#checkOpen();
    return this.#reads.scan(() => this.#checkOpen(), options?.columns);
  }

  scanMemories(): AsyncIterable<WholeMemory[]> {
    this.#checkOpen();
    return this.#reads.scanMemories(() => this.#checkOpen());
  }

  async compact(options: TaskOptions = {}): Promise<void> {
    this.#checkOpen();
    await this.#compact({
      ...options,
      drop: "forgotten",
      level: this.#options.level,
      repack: true,
      codeTextsFromBytes: this.#options.codeTextsFromBytes || null,
    });
  }

  #compact(options: CompactionOptions): Promise<boolean> {
    const run = this.#compacting.then(async () => {
      const changed = await compactStore(this.#core, options);
      if (changed) this.#emit({ type: "compacted" });
      return changed;
    });
    this.#compacting = run.catch(() => undefined);
    return run;
  }

  #overThreshold(times = 1): boolean {
    const { compactAtBytes, compactAtRows } = this.#options;
    const { journalPayloadBytes, journalRows } = this.#core;
    return (
      (compactAtBytes > 0 && journalPayloadBytes >= compactAtBytes * times) ||
      (compactAtRows > 0 && journalRows >= compactAtRows * times)
    );
  }

  #maybeCompact(): void {
    if (this.#background || this.#closed || !this.#overThreshold()) return;
    const level = this.#options.backgroundLevel;
    this.#background = this.#compact({
      drop: "none",
      level,
      repack: false,
      codeTextsFromBytes: null,
    })
      // What failed here fails, and is told, at the next explicit call; nothing is lost meanwhile.
      .then(
        () => undefined,
        () => undefined,
      )
      .finally(() => (this.#background = null));
  }

  async #backpressure(): Promise<void> {
    if (this.#background && this.#overThreshold(BACKPRESSURE)) await this.#background;
  }

  async readDerived(
    name: string,
    options: { allowStale?: boolean } = {},
  ): Promise<Uint8Array | null> {
    this.#checkOpen();
    const path = DERIVED_PREFIX + name;
    if (!(await this.#core.files.stat(path))) return null;
    const generation = options.allowStale ? "any" : this.generation;
    return decodeDerived(this.#core.zstd, await this.#core.files.read(path), generation);
  }

  async writeDerived(name: string, bytes: Uint8Array): Promise<void> {
    this.#checkOpen();
    const { zstd, files } = this.#core;
    const { generation } = this;
    const encoded = await encodeDerived(zstd, bytes, generation);
    await this.#exclusive(async () => {
      // Stale before it was written, and maybe of what was erased meanwhile.
      if (generation === this.generation) await files.write(DERIVED_PREFIX + name, encoded);
    });
  }

  subscribe(listener: (change: StoreChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async sqlSources(options: { content?: boolean } = {}): Promise<SqlSources> {
    this.#checkOpen();
    const level = this.#options.backgroundLevel;
    await this.#compact({ drop: "none", level, repack: false, codeTextsFromBytes: null });
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
    await this.#compacting;
    this.#closed = true;
    try {
      await this.#core.exclusive(async () => {
        const journals = journalsNow(this.#core);
        const noted = this.#core.manifest.journals.at(-1)!.minBytes;
        if (journals.at(-1)!.minBytes !== noted) await commitManifest(this.#core, { journals });
      });
    } finally {
      this.#listeners.clear();
      this.#core.reader.clear();
      await this.#core.files.close();
    }
  }
}

/** A gist that was forgotten with its members tells of each of them: it goes with the first that is erased. */
function withForgottenGists(state: StoreCore["state"], ids: readonly string[]): string[] {
  const gists = ids.flatMap((id) => {
    const entry = state.catalog.byId(id) ?? state.forgotten.get(id)?.record.entry;
    return entry?.episodeId && state.forgotten.has(entry.episodeId) ? [entry.episodeId] : [];
  });
  return [...new Set([...ids, ...gists])];
}

/** As they will come back; text that isn't what its checksum says is refused. */
async function checkedMemories(memories: readonly NewMemory[]): Promise<NewMemory[]> {
  const normal = memories.map(normalizeMemory);
  await Promise.all(
    normal.map(async ({ id, content, contentSha256 }) => {
      if (content !== null && (await sha256Hex(content)) !== contentSha256)
        throw new AppError("invalid_input", `The checksum of memory ${id} isn't its text's.`, {
          hint: "`contentSha256` is the SHA-256 of the UTF-8 of `content`, in lower-case hex.",
        });
    }),
  );
  return normal;
}

/** A first journal to write to after the last one was found damaged. */
async function startJournal(core: StoreCore): Promise<void> {
  const last = core.manifest.journals.at(-1)!;
  Object.assign(core, { journal: { number: last.number, sizeBytes: last.minBytes } });
  await rotateJournal(core, { useDictionary: false });
}
