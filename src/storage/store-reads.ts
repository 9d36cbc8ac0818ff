/** The reading side of the store: whole memories, single columns of some, scans over all. */

import { AppError } from "../errors.ts";
import type { Entity, Memory } from "../model/memory.ts";
import { sha256Hex } from "./bytes.ts";
import type { CatalogEntry, IndexRow } from "./memory-store.ts";
import { isCorrupt, type StoreCore } from "./store-core.ts";
import type { MemoryRecord, Place } from "./store-state.ts";

export type WholeMemory = Memory & { envelope: Uint8Array | null };
export type IndexColumn = "content" | "summary" | "entities" | "embedding";

const INDEX_COLUMNS: readonly IndexColumn[] = ["content", "summary", "entities", "embedding"];
const SCAN_ROWS = 512;

export class StoreReads {
  readonly #core: StoreCore;

  constructor(core: StoreCore) {
    this.#core = core;
  }

  async indexRow(
    record: MemoryRecord,
    columns: ReadonlySet<string> = new Set(INDEX_COLUMNS),
  ): Promise<IndexRow> {
    const { reader } = this.#core;
    return {
      ordinal: record.entry.ordinal,
      id: record.entry.id,
      content: columns.has("content") ? await reader.content(record) : null,
      summary: columns.has("summary") ? await reader.summary(record) : "",
      entities: columns.has("entities") ? await reader.entities(record) : [],
      embedding: columns.has("embedding") ? await reader.embedding(record) : null,
    };
  }

  /** The whole memory; its text is checked against its SHA-256. */
  async memory(record: MemoryRecord): Promise<WholeMemory> {
    const { reader } = this.#core;
    return this.#noting(async () => {
      const content = await reader.content(record);
      const light = lightMemory(record.entry);
      if (content !== null && (await sha256Hex(content)) !== light.contentSha256)
        throw new AppError("corrupt_data", `The text of memory ${light.id} fails its checksum.`, {
          hint: "Restore the store from a copy; other memories can be used.",
        });
      return {
        ...light,
        content,
        summary: await reader.summary(record),
        entities: await reader.entities(record),
        embedding: await reader.embedding(record),
        envelope: await reader.envelope(record),
      };
    });
  }

  /** Damage met while reading is told once in `recovered`, too. */
  async #noting<T>(read: () => Promise<T>): Promise<T> {
    try {
      return await read();
    } catch (error) {
      if (isCorrupt(error) && !this.#core.recovered.includes(error.message))
        this.#core.recovered.push(error.message);
      throw error;
    }
  }

  summaries(records: readonly MemoryRecord[]): Promise<{ summary: string; entities: Entity[] }[]> {
    const { reader } = this.#core;
    return this.#noting(() =>
      Promise.all(
        records.map(async (record) => ({
          summary: await reader.summary(record),
          entities: await reader.entities(record),
        })),
      ),
    );
  }

  contents(records: readonly MemoryRecord[]): Promise<(string | null)[]> {
    return this.#noting(() =>
      Promise.all(records.map((record) => this.#core.reader.content(record))),
    );
  }

  /** Every live memory and gist, file by file. @param alive throws once the store is closed */
  async *scan(
    alive: () => void,
    columns: readonly IndexColumn[] = INDEX_COLUMNS,
  ): AsyncIterable<IndexRow[]> {
    const wanted = new Set<string>(columns);
    const entries = [...this.#core.state.catalog.all()].sort((a, b) => a.ordinal - b.ordinal);
    const records = entries.map((entry) => this.#core.state.recordOf(entry));
    // In the order of the files, so that each block is decoded once.
    records.sort((a, b) => placeOrder(a.place, b.place));
    for (let from = 0; from < records.length; from += SCAN_ROWS) {
      const rows: IndexRow[] = [];
      for (const record of records.slice(from, from + SCAN_ROWS))
        if (this.#core.state.catalog.byOrdinal(record.entry.ordinal) === record.entry)
          rows.push(await this.#noting(() => this.indexRow(record, wanted)));
      alive();
      yield rows;
    }
  }

  async *scanMemories(alive: () => void): AsyncIterable<WholeMemory[]> {
    const entries = [...this.#core.state.catalog.all()].sort(
      (a, b) => a.timestamp - b.timestamp || a.ordinal - b.ordinal,
    );
    for (let from = 0; from < entries.length; from += SCAN_ROWS) {
      const memories: WholeMemory[] = [];
      for (const entry of entries.slice(from, from + SCAN_ROWS))
        if (this.#core.state.catalog.byOrdinal(entry.ordinal) === entry)
          memories.push(await this.memory(this.#core.state.recordOf(entry)));
      alive();
      yield memories;
    }
  }
}

function lightMemory(entry: CatalogEntry): Omit<CatalogEntry, "ordinal" | "embedded"> {
  const light: Partial<Record<keyof CatalogEntry, unknown>> = { ...entry };
  delete light.ordinal;
  delete light.embedded;
  light.metadata = { ...entry.metadata };
  return light as Omit<CatalogEntry, "ordinal" | "embedded">;
}

function placeOrder(a: Place, b: Place): number {
  if (a.kind === "journal" || b.kind === "journal")
    return (a.kind === "journal" ? 1 : 0) - (b.kind === "journal" ? 1 : 0);
  return a.segment.info.number - b.segment.info.number || a.group - b.group || a.index - b.index;
}
