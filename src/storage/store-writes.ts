/**
 * The writing side of the store: every method is one journal frame, checked before a byte is
 * written, applied when it is flushed, then told to the listeners.
 */

import { AppError } from "../errors.ts";
import type { MemoryPatch, QualityVector } from "../model/memory.ts";
import type { QuantizedVector } from "../model/vector.ts";
import { encodeBatch } from "./arrow-batch.ts";
import { textSha256 } from "./bytes.ts";
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
  AppendOptions,
  CatalogEntry,
  IndexRow,
  MemoryEdit,
  NewMemory,
  StoreChange,
  StoreEdits,
} from "./memory-store.ts";
import { patchFields } from "./patch-fields.ts";
import type { StoreCore } from "./store-core.ts";
import { bundleEdits } from "./store-edits.ts";
import type { StoreReads } from "./store-reads.ts";
import type { MemoryRecord } from "./store-state.ts";
import { isWholeVector, normalizeMemory, normalizeVector, type StoredRow } from "./stored-row.ts";

export interface StoreWritesDeps {
  core: StoreCore;
  reads: StoreReads;
  /** Runs work alone among writers of a store that is open. */
  exclusive<T>(work: () => Promise<T>): Promise<T>;
  emit(change: StoreChange | null): void;
}

export class StoreWrites {
  readonly #core: StoreCore;
  readonly #reads: StoreReads;
  readonly #exclusive: StoreWritesDeps["exclusive"];
  readonly #emit: StoreWritesDeps["emit"];

  constructor({ core, reads, exclusive, emit }: StoreWritesDeps) {
    this.#core = core;
    this.#reads = reads;
    this.#exclusive = exclusive;
    this.#emit = emit;
  }

  /** Writes one frame, then applies it. Nothing is applied when the write fails. */
  async #write<T>(kind: FrameKind, payload: Uint8Array, apply: (journal: number) => T): Promise<T> {
    const core = this.#core;
    await core.journal.append(kind, payload);
    core.state.generation = ++core.generation;
    core.journalPayloadBytes += payload.length;
    return apply(core.journal.number);
  }

  async append(
    memories: readonly NewMemory[],
    { owned = false }: AppendOptions = {},
  ): Promise<CatalogEntry[]> {
    const normal = owned ? memories.map(normalizeMemory) : await checkedMemories(memories);
    return this.#exclusive(async () => {
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
  }

  /** Rows with the next ordinals. To be called alone among writers, right before they are written. */
  #newRows(rows: readonly StoredRow[]): readonly StoredRow[] {
    const { state, nextOrdinal, zstd } = this.#core;
    const ids = new Set<string>();
    for (const { id } of rows) {
      if (ids.has(id) || state.catalog.byId(id) || state.forgotten.has(id))
        throw new AppError("invalid_input", `There is a memory ${id} already.`, {
          hint: "Give each memory an id of its own.",
        });
      ids.add(id);
    }
    rows.forEach((row, i) => (row.ordinal = nextOrdinal + i));
    shareTextBytes(zstd, rows);
    return rows;
  }

  async commit({ add = [], edits = [] }: StoreEdits): Promise<void> {
    const normal = await checkedMemories(add);
    await this.#exclusive(async () => {
      const known = (id: string) => this.#entry(id);
      const rows = this.#newRows(normal);
      await this.#bundle({ rows, ...bundleEdits(this.#core.zstd, edits, known) });
    });
  }

  async #bundle(bundle: Bundle): Promise<void> {
    const changes = await this.#write("bundle", encodeBundle(bundle), (journal) => {
      this.#core.nextOrdinal += bundle.rows.length;
      this.#core.journalRows += bundle.rows.length;
      return this.#core.state.applyBundle(bundle, journal);
    });
    for (const change of changes) await this.#tell(change);
  }

  /** @param able records whose move down can be taken back; asked when nothing can come between */
  async lift(able: () => MemoryRecord[]): Promise<string[]> {
    return this.#exclusive(async () => {
      const records = able();
      if (records.length === 0) return [];
      const bare = records.filter(({ entry }) => entry.keep === "gist");
      const lifted = records.map(({ entry }) => entry.id);
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

  async patch(id: string, patch: MemoryPatch): Promise<CatalogEntry> {
    return this.#exclusive(async () => {
      const entry = this.#entry(id);
      const fields = patchFields(entry, patch);
      await this.#change({ op: "patch", id, fields });
      return entry;
    });
  }

  async #change(change: Change): Promise<void> {
    const applied = await this.#write("change", encodeChange(change), (journal) =>
      this.#core.state.applyChange(change, journal),
    );
    await this.#tell(applied);
  }

  /** What came back is told with its rows, which are read here. */
  async #tell(change: StoreChange | null): Promise<void> {
    if (change?.type !== "added" || change.rows.length > 0) return this.#emit(change);
    const rows: IndexRow[] = [];
    for (const entry of change.entries)
      rows.push(await this.#reads.indexRow(this.#core.state.recordOf(entry)));
    this.#emit({ ...change, rows });
  }

  #entry(id: string): CatalogEntry {
    return liveEntry(this.#core.state, id);
  }

  async setEmbeddings(
    updates: readonly { id: string; embedding: QuantizedVector; quality?: QualityVector }[],
    embeddingModel: string,
  ): Promise<void> {
    if (!embeddingModel) throw new AppError("invalid_input", "It isn't said which model it was.");
    await this.#exclusive(async () => {
      const batch = {
        model: embeddingModel,
        updates: updates.map(({ id, embedding, quality }) => {
          this.#entry(id);
          if (!isWholeVector(embedding))
            throw new AppError(
              "invalid_input",
              `The embedding of memory ${id} is empty or its finer bits aren't one per value.`,
            );
          return {
            id,
            embedding: normalizeVector(embedding),
            ...(quality ? { quality } : {}),
          };
        }),
      };
      const change = await this.#write("vectors", encodeVectors(batch), (journal) =>
        this.#core.state.applyVectors(batch, journal),
      );
      this.#emit(change);
    });
  }

  /** Tombstones only: `erase` marks what a compaction is to leave out. */
  async forget(
    ids: readonly string[],
    options: { erase?: boolean; edits?: readonly MemoryEdit[] } = {},
  ): Promise<string[]> {
    const erase = options.erase ?? false;
    const { state } = this.#core;
    return this.#exclusive(async () => {
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
  }

  /** Lifts tombstones, and with them in one frame what else has to change. */
  async restore(ids: readonly string[], edits: readonly MemoryEdit[] = []): Promise<string[]> {
    return this.#exclusive(async () => {
      const { state, zstd } = this.#core;
      const able = restorable(state, ids).map(({ entry }) => entry.id);
      if (able.length === 0) return [];
      const change: Change = { op: "restore", ids: able };
      if (edits.length === 0) await this.#change(change);
      else {
        const back = new Set(able);
        const bundle = bundleEdits(zstd, edits, (id) =>
          back.has(id) ? state.forgotten.get(id)!.record.entry : this.#entry(id),
        );
        await this.#bundle({ rows: [], ...bundle, changes: [change, ...bundle.changes] });
      }
      return able;
    });
  }
}

/** `not_found`, also for one that was forgotten. */
export function liveEntry(state: StoreCore["state"], id: string): CatalogEntry {
  const entry = state.catalog.byId(id);
  if (!entry)
    throw new AppError("not_found", `There is no memory ${id}.`, {
      hint: state.forgotten.has(id) ? "It was forgotten; restore it first." : "",
    });
  return entry;
}

/** Forgotten memories that can come back. */
export function restorable(state: StoreCore["state"], ids: readonly string[]): MemoryRecord[] {
  return [...new Set(ids)].flatMap((id) => {
    const found = state.forgotten.get(id);
    return found && !found.erase && !found.dropping ? [found.record] : [];
  });
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
async function checkedMemories(memories: readonly NewMemory[]): Promise<StoredRow[]> {
  const rows = memories.map(normalizeMemory);
  ownVectors(rows);
  for (const { id, content, contentSha256 } of rows) {
    if (content === null) continue;
    const sha256 = textSha256(content);
    if ((typeof sha256 === "string" ? sha256 : await sha256) !== contentSha256)
      throw new AppError("invalid_input", `The checksum of memory ${id} isn't its text's.`, {
        hint: "`contentSha256` is the SHA-256 of the UTF-8 of `content`, in lower-case hex.",
      });
  }
  return rows;
}

/** Gives rows vectors of their own, all in one buffer: that of each may be the caller's to change. */
function ownVectors(rows: readonly StoredRow[]): void {
  const size = rows.reduce((sum, { embedding }) => sum + (embedding?.codes.length ?? 0), 0);
  const codes = new Int8Array(size);
  let at = 0;
  for (const row of rows) {
    if (!row.embedding) continue;
    const { codes: given, scale, fine } = row.embedding;
    codes.set(given, at);
    row.embedding = {
      codes: codes.subarray(at, at + given.length),
      scale: Math.fround(scale),
      ...(fine ? { fine: fine.slice() } : {}),
    };
    at += given.length;
  }
}
