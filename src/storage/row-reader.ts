/**
 * Fetches the heavy columns of single memories through a cache of decoded blocks (one column of one
 * row group), so that neighbours of a fetched row come for nothing.
 */

import { LRUCache } from "lru-cache";
import { AppError } from "../errors.ts";
import type { Entity, EntityType } from "../model/memory.ts";
import type { QuantizedVector } from "../model/vector.ts";
import { concatBytes } from "./bytes.ts";
import { decodeText, type HeavyColumn, type Segment } from "./segment.ts";
import { isBare, type MemoryRecord } from "./store-state.ts";

interface Block {
  values: unknown[];
  bytes: number;
}

export interface BlockCacheStats {
  entries: number;
  hits: number;
  misses: number;
}

/** Entities as they are cached: strings are made only of those that are asked for. */
type EntityBytes = { text: Uint8Array; type: Uint8Array; confidence: number }[];

/** Columns that lie side by side and are asked for together: one read instead of two. */
const TOGETHER: Partial<Record<HeavyColumn, HeavyColumn[]>> = {
  summary: ["summary", "entities"],
  entities: ["summary", "entities"],
  embedding: ["embedding", "embedding_scale"],
  embedding_scale: ["embedding", "embedding_scale"],
};

function sizeOf(column: HeavyColumn, values: readonly unknown[]): number {
  let bytes = 64 + values.length * 16;
  for (const value of values)
    if (value instanceof Uint8Array) bytes += value.length + 64;
    else if (column === "entities") bytes += (value as EntityBytes).length * 200;
  return bytes;
}

export class RowReader {
  readonly #blocks: LRUCache<string, Block>;
  readonly #loading = new Map<string, Promise<Record<string, unknown[]>>>();
  #hits = 0;
  #misses = 0;

  constructor(maxBytes: number) {
    this.#blocks = new LRUCache({ maxSize: maxBytes, sizeCalculation: (block) => block.bytes });
  }

  stats(): BlockCacheStats {
    return { entries: this.#blocks.size, hits: this.#hits, misses: this.#misses };
  }

  /** Forgets decoded bytes, for example of what was erased. */
  clear(): void {
    this.#blocks.clear();
  }

  async #block(segment: Segment, group: number, column: HeavyColumn): Promise<unknown[]> {
    const key = `${segment.info.number}/${group}/${column}`;
    const known = this.#blocks.get(key);
    if (known) {
      this.#hits++;
      return known.values;
    }
    this.#misses++;
    const columns = TOGETHER[column] ?? [column];
    const batch = `${segment.info.number}/${group}/${columns[0]!}`;
    let loading = this.#loading.get(batch);
    if (!loading) {
      loading = segment
        .readGroup(group, columns, { textAsBytes: true, withoutCoded: true })
        .finally(() => this.#loading.delete(batch));
      this.#loading.set(batch, loading);
    }
    const cells = await loading;
    for (const name of columns) {
      const values = cells[name]!;
      this.#blocks.set(`${segment.info.number}/${group}/${name}`, {
        values,
        bytes: sizeOf(name, values),
      });
    }
    return cells[column]!;
  }

  /** The texts of a coded block, by its rows. */
  async #texts(segment: Segment, number: number): Promise<Uint8Array[]> {
    const key = `${segment.info.number}/text/${number}`;
    const known = this.#blocks.get(key);
    if (known) {
      this.#hits++;
      return known.values as Uint8Array[];
    }
    this.#misses++;
    const values = await segment.readBlock(number);
    this.#blocks.set(key, { values, bytes: sizeOf("content", values) });
    return values;
  }

  async #codedText(segment: Segment, numbers: readonly number[], row: number): Promise<Uint8Array> {
    const parts: Uint8Array[] = [];
    for (const number of numbers) {
      const texts = await this.#texts(segment, number);
      parts.push(texts[segment.blocks[number]!.rows.indexOf(row)]!);
    }
    return parts.length === 1 ? parts[0]! : concatBytes(parts);
  }

  /** A compaction may move the row and remove its old segment meanwhile: then it is read where it is now. */
  async #cell(record: MemoryRecord, column: HeavyColumn): Promise<unknown> {
    for (;;) {
      const { place } = record;
      if (place.kind === "journal") throw new AppError("internal", "A row moved into the journal.");
      try {
        if (column === "content") {
          const coded = place.segment.blocksOf(place.group, place.index);
          if (coded.length > 0) return await this.#codedText(place.segment, coded, place.index);
        }
        const values = await this.#block(place.segment, place.group, column);
        return values[place.index] ?? null;
      } catch (error) {
        if (record.place === place) throw error;
      }
    }
  }

  /** Null where it faded. */
  async content(record: MemoryRecord): Promise<string | null> {
    if (record.entry.keep !== "exact") return null;
    if (record.place.kind === "journal") return record.place.row.content;
    const bytes = (await this.#cell(record, "content")) as Uint8Array | null;
    return bytes && decodeText(bytes);
  }

  async envelope(record: MemoryRecord): Promise<Uint8Array | null> {
    if (record.entry.keep !== "exact") return null;
    if (record.place.kind === "journal") return record.place.row.envelope;
    return ((await this.#cell(record, "envelope")) as Uint8Array | null)?.slice() ?? null;
  }

  /** Empty where only the episode's gist is left. */
  async summary(record: MemoryRecord): Promise<string> {
    if (isBare(record.entry, record.entry.keep)) return "";
    if (record.text) return record.text.summary;
    if (record.place.kind === "journal") return record.place.row.summary;
    return decodeText((await this.#cell(record, "summary")) as Uint8Array);
  }

  async entities(record: MemoryRecord): Promise<Entity[]> {
    if (isBare(record.entry, record.entry.keep)) return [];
    if (record.text) return record.text.entities;
    if (record.place.kind === "journal") return record.place.row.entities;
    const cells = (await this.#cell(record, "entities")) as EntityBytes;
    return cells.map(({ text, type, confidence }) => ({
      text: decodeText(text),
      type: decodeText(type) as EntityType,
      confidence,
    }));
  }

  async embedding(record: MemoryRecord): Promise<QuantizedVector | null> {
    const { entry } = record;
    if (!entry.embedded || isBare(entry, entry.keep)) return null;
    if (record.embedding) return record.embedding;
    if (record.place.kind === "journal") return record.place.row.embedding;
    const codes = (await this.#cell(record, "embedding")) as Uint8Array | null;
    if (!codes) return null;
    const scale = (await this.#cell(record, "embedding_scale")) as number;
    return { codes: new Int8Array(codes.slice().buffer), scale };
  }
}
