/**
 * Every index over one open store: words, vectors, entities, light fields. Loads them from snapshots
 * and catches up with what changed since, or builds them; follows every change of the store; saves
 * them where that pays. Vectors may still be on their way when it is open (`stored-vectors.ts`).
 * `search-service.ts` asks them.
 */

import { isEpisode } from "../model/memory.ts";
import { nextTurn } from "../next-turn.ts";
import type { CatalogEntry, IndexRow, MemoryStore, StoreChange } from "../storage/memory-store.ts";
import { CatalogIndex } from "./catalog-index.ts";
import { EntityTable } from "./entity-table.ts";
import { Filters } from "./filters.ts";
import type { DocumentSource } from "./fts5-record.ts";
import {
  restoreIndexes,
  saveIndexes,
  type RestoredIndexes,
  type SnapshotPolicy,
} from "./index-snapshots.ts";
import type { IndexState } from "./index-state.ts";
import { OrdinalSet } from "./ordinal-set.ts";
import { segmentFilesOf } from "./lexical/segment-files.ts";
import { endsInQuestion } from "./question-form.ts";
import { SemanticIndex, type TextDocument } from "./semantic-index.ts";
import { StoredVectors } from "./stored-vectors.ts";
import { SummaryNames, type NameFinder } from "./summary-names.ts";
import { documentMark, toDocument, topicsOf } from "./text-document.ts";
import { VectorSearch } from "./vector-index.ts";

export interface SearchIndexesOptions {
  /** Whether snapshots are kept in the store. Default "auto". */
  snapshots?: SnapshotPolicy;
  /** Finds names in summaries that stand for their texts; without it only those kept beside them are known. */
  findNames?: NameFinder;
  /** Threads that may scan the vectors, this one among them; above 1 their memory is shared. Default 1. */
  scanners?: number;
  /** Told when what the indexes answer may have changed; `true` when kept texts may be of what is gone. */
  onChange?: (dropsText: boolean) => void;
}

/** Rows indexed again at once; others get their turn in between. */
const SLICE_ROWS = 128;
/** How long loading keeps the thread: merging and writing what was loaded need it, too. */
const LOAD_SLICE_MS = 12;
/** Few, since texts may be long. */
const LOAD_SLICE_ROWS = 8;
/** A question waits for so few changed memories to be indexed; for more it takes what there is. */
const AWAITED_ROWS = 256;

export class SearchIndexes {
  readonly text: SemanticIndex;
  readonly vectors: VectorSearch;
  /** Fills `vectors`, also after `open` resolved. */
  readonly storedVectors: StoredVectors;
  readonly entities: EntityTable;
  readonly catalog: CatalogIndex;
  readonly filters: Filters;
  /** Memories whose text ends in a question. */
  readonly asks: OrdinalSet;
  readonly #store: MemoryStore;
  readonly #options: SearchIndexesOptions;
  readonly #names: SummaryNames | null;
  /** By ordinal: what its row in the text index was made of, to index again only when that changed. 0: not indexed. */
  #marks: Uint32Array;
  /** Ordinals that changed while a scan runs: what it reads of them may be older. */
  #changedMeanwhile: Set<number> | null = new Set();
  #pending: Promise<void> = Promise.resolve();
  #pendingRows = 0;
  #unsubscribe: () => void = () => undefined;
  #closed = false;
  /** What restoring left to do, for status: rows read again. */
  #caughtUpRows = 0;

  private constructor(
    store: MemoryStore,
    options: SearchIndexesOptions,
    text: SemanticIndex,
    vectors: VectorSearch,
    state: IndexState | null,
  ) {
    this.#store = store;
    this.#options = options;
    this.text = text;
    this.vectors = vectors;
    this.storedVectors = new StoredVectors(store, vectors);
    this.entities = state?.entities ?? new EntityTable();
    this.asks = state?.asks ?? new OrdinalSet(0);
    this.#marks = state?.marks ?? new Uint32Array(0);
    this.catalog = new CatalogIndex(store.catalog.entries());
    this.filters = new Filters(store.catalog, this.catalog, this.entities);
    this.#names =
      options.findNames === undefined
        ? null
        : new SummaryNames(store, options.findNames, (ordinals) => this.addAgain(ordinals));
  }

  static async open(
    store: MemoryStore,
    options: SearchIndexesOptions = {},
  ): Promise<SearchIndexes> {
    const holder: { indexes: SearchIndexes | null } = { indexes: null };
    const documentsOf: DocumentSource = async (ordinals) =>
      (await holder.indexes?.documentsOf(ordinals)) ?? [];
    const onLost = (ordinals: number[]): void => holder.indexes?.addAgain(ordinals);
    const text = { documentsOf, lexical: { files: segmentFilesOf(store), onLost } };
    const restored = await restoreIndexes(store, options.snapshots ?? "auto", text);
    const indexes = new SearchIndexes(
      store,
      options,
      restored.text ?? (await SemanticIndex.create(text)),
      await VectorSearch.create({ scanners: options.scanners ?? 1 }),
      restored.state,
    );
    holder.indexes = indexes;
    // Subscribed before the scan: what changes meanwhile comes by this way.
    indexes.#unsubscribe = store.subscribe((change) => indexes.#apply(change));
    await indexes.#loadRows(restored);
    // Words are weighed by what is there, as in an index built afresh.
    if (restored.text !== null) indexes.text.purge();
    indexes.#changedMeanwhile = null;
    indexes.storedVectors.load();
    indexes.#names?.start();
    return indexes;
  }

  /** Rows that opening had to read because no snapshot had them. */
  get caughtUpRows(): number {
    return this.#caughtUpRows;
  }

  /** Resolves when every change is in the indexes; a question doesn't wait for big ones. */
  async settled(options: { forQuestion?: boolean } = {}): Promise<void> {
    if (options.forQuestion && this.#pendingRows > AWAITED_ROWS) return;
    await this.#pending;
  }

  /** Resolves when the names that summaries say are in the indexes, too. */
  async namesKnown(): Promise<void> {
    await this.#names?.settled();
    await this.#pending;
  }

  /** Drops what removed memories left inside the text index, and writes snapshots where that pays. */
  async save(): Promise<void> {
    await this.#pending;
    await this.#names?.save();
    this.text.purge();
    await this.text.written();
    const marks = this.#marks.slice(0, this.#store.catalog.ordinalLimit);
    // Indexed without the names in their summaries: to be read again at the next opening.
    for (const ordinal of this.#names?.unnamed ?? []) marks[ordinal] = 0;
    const state = { marks, asks: this.asks, entities: this.entities };
    await saveIndexes(this.#store, this.#options.snapshots ?? "auto", this.text, state);
  }

  /** The model that makes the queries' vectors from now on; vectors of others leave the index. */
  async useModel(model: string): Promise<void> {
    if (await this.storedVectors.useModel(model)) this.#options.onChange?.(false);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#unsubscribe();
    await this.storedVectors.close();
    await this.#names?.close();
    await this.#pending;
    this.text.close();
    this.entities.clear();
    this.catalog.clear();
    this.filters.clear();
  }

  /** Words and entities of what no snapshot has, or has as it was before. */
  async #loadRows({ text, state, generation }: RestoredIndexes): Promise<void> {
    const { catalog } = this.#store;
    const isRestored = text !== null && state !== null;
    if (isRestored)
      for (let ordinal = 0; ordinal < this.#marks.length; ordinal++)
        if (this.#marks[ordinal] !== 0 && catalog.byOrdinal(ordinal) === undefined)
          this.#dropRow(ordinal);
    const ordinals = isRestored ? this.#missing(this.#store.editedSince(generation)) : undefined;
    if (ordinals?.length === 0) return;
    let turnSince = performance.now();
    for await (const rows of this.#store.scan({
      columns: ["content", "summary", "entities"],
      ...(ordinals ? { ordinals } : {}),
    })) {
      for (let from = 0; from < rows.length; from += LOAD_SLICE_ROWS) {
        if (this.#closed) return;
        const live = rows
          .slice(from, from + LOAD_SLICE_ROWS)
          .filter(
            ({ ordinal }) =>
              catalog.byOrdinal(ordinal) !== undefined && !this.#changedMeanwhile!.has(ordinal),
          );
        this.#caughtUpRows += live.length;
        this.#addRows(live);
        await this.text.room();
        if (performance.now() - turnSince < LOAD_SLICE_MS) continue;
        await nextTurn();
        turnSince = performance.now();
      }
    }
  }

  #missing(edited: readonly number[]): number[] {
    const { catalog } = this.#store;
    const missing = new Set(edited);
    for (let ordinal = 0; ordinal < catalog.ordinalLimit; ordinal++)
      if (catalog.byOrdinal(ordinal) && !(this.#marks[ordinal] && this.text.has(ordinal)))
        missing.add(ordinal);
    return [...missing];
  }

  #apply(change: StoreChange): void {
    this.filters.clear();
    switch (change.type) {
      case "added":
        for (const entry of change.entries) this.catalog.put(entry);
        this.#noteChanged(change.rows.map((row) => row.ordinal));
        this.#addRows(change.rows);
        this.#options.onChange?.(false);
        break;
      case "embedded":
        this.#noteChanged(change.ordinals);
        change.ordinals.forEach((ordinal, i) =>
          this.storedVectors.set(ordinal, change.vectors[i]!),
        );
        this.#options.onChange?.(false);
        break;
      case "removed":
        this.#noteChanged(change.ordinals);
        // Results and lists hold the text of what was removed.
        this.#options.onChange?.(true);
        this.text.remove(change.ordinals);
        for (const ordinal of change.ordinals) {
          this.storedVectors.remove(ordinal);
          this.catalog.remove(ordinal);
          this.#dropRow(ordinal);
        }
        break;
      case "updated":
        this.#options.onChange?.(true);
        for (const entry of change.entries) this.catalog.put(entry);
        this.#enqueue(change.entries, change.textChanged ?? false);
        break;
      case "compacted":
        this.#options.onChange?.(true);
        this.#names?.filesDropped();
        this.text.purge();
    }
  }

  #noteChanged(ordinals: readonly number[]): void {
    for (const ordinal of ordinals) this.#changedMeanwhile?.add(ordinal);
  }

  /** Indexes memories again that changed by more than their rows. */
  addAgain(ordinals: readonly number[]): void {
    const { catalog } = this.#store;
    this.#enqueue(
      ordinals.flatMap((ordinal) => catalog.byOrdinal(ordinal) ?? []),
      true,
    );
  }

  /** Indexes again the memories whose text or topics changed, after the earlier ones and in slices. */
  #enqueue(entries: readonly CatalogEntry[], textChanged: boolean): void {
    const changed = entries.filter(
      (entry) => textChanged || this.#marks[entry.ordinal] !== documentMark(entry),
    );
    if (changed.length === 0) return;
    this.#noteChanged(changed.map((entry) => entry.ordinal));
    this.#pendingRows += changed.length;
    this.#pending = this.#pending.then(async () => {
      for (let from = 0; from < changed.length && !this.#closed; from += SLICE_ROWS) {
        if (from > 0) await nextTurn();
        await this.text.room();
        if (this.#closed) break;
        const slice = changed.slice(from, from + SLICE_ROWS);
        // A failure is the next caller's no longer than this change.
        await this.#reindex(slice).catch((error: unknown) => {
          // Whoever opens the store next indexes what was edited since the last snapshot.
          if (!this.#closed) console.error("A changed memory could not be indexed again:", error);
        });
      }
      this.#pendingRows -= changed.length;
      this.#options.onChange?.(true);
    });
  }

  async #reindex(entries: readonly CatalogEntry[]): Promise<void> {
    const { catalog } = this.#store;
    const changed = entries.filter((entry) => catalog.byOrdinal(entry.ordinal) !== undefined);
    if (changed.length === 0) return;
    for (const entry of changed) this.storedVectors.removeStale(entry);
    const rows = await this.#readRows(changed);
    if (this.#closed) return;
    this.#addRows(rows.filter((row) => catalog.byOrdinal(row.ordinal) !== undefined));
  }

  async #readRows(entries: readonly CatalogEntry[]): Promise<IndexRow[]> {
    const ordinals = entries.map((entry) => entry.ordinal);
    const [texts, contents] = await Promise.all([
      this.#store.getSummaries(ordinals),
      this.#store.getContents(ordinals),
    ]);
    return entries.map((entry, i): IndexRow => {
      const { summary, entities } = texts[i]!;
      const { ordinal, id } = entry;
      return { ordinal, id, content: contents[i] ?? null, summary, entities, embedding: null };
    });
  }

  /** What the text index takes of those of the memories that are there. */
  async documentsOf(ordinals: readonly number[]): Promise<TextDocument[]> {
    const { catalog } = this.#store;
    const rows = this.#closed
      ? []
      : await this.#readRows(ordinals.flatMap((ordinal) => catalog.byOrdinal(ordinal) ?? []));
    return rows.flatMap((row) => {
      const entry = catalog.byOrdinal(row.ordinal);
      if (entry === undefined) return [];
      return [toDocument({ ...row, entities: this.#names?.of(row, entry) ?? row.entities }, entry)];
    });
  }

  #addRows(rows: readonly IndexRow[]): void {
    this.filters.clear();
    const documents: TextDocument[] = [];
    for (const row of rows) {
      const entry = this.#store.catalog.byOrdinal(row.ordinal);
      if (entry === undefined) continue;
      const entities = this.#names?.of(row, entry) ?? row.entities;
      const topics = topicsOf(entry);
      documents.push(toDocument({ ...row, entities }, entry, topics));
      // What couldn't be read is tried again at the next opening: the file may be mended by then.
      this.#setMark(row.ordinal, isReadable(row, entry) ? documentMark(entry, topics) : 0);
      if (endsInQuestion(row.content ?? row.summary)) this.asks.add(row.ordinal);
      else this.asks.delete(row.ordinal);
      // The names of a gist are those of its members, who are counted.
      if (!isEpisode(entry)) this.entities.add(row.ordinal, entities);
      if (row.embedding) this.storedVectors.set(row.ordinal, row.embedding);
    }
    this.text.add(documents);
  }

  #dropRow(ordinal: number): void {
    this.entities.remove(ordinal);
    this.asks.delete(ordinal);
    if (ordinal < this.#marks.length) this.#marks[ordinal] = 0;
  }

  #setMark(ordinal: number, mark: number): void {
    if (ordinal >= this.#marks.length) {
      const grown = new Uint32Array(Math.max(ordinal + 1, Math.ceil(this.#marks.length * 1.5)));
      grown.set(this.#marks);
      this.#marks = grown;
    }
    this.#marks[ordinal] = mark;
  }
}

/** Whether the store could read all of a row's text; what it can't is empty. */
function isReadable({ content, summary }: IndexRow, { keep }: CatalogEntry): boolean {
  return (keep !== "exact" || content !== null) && (keep === "gist" || summary !== "");
}
