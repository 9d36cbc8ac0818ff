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
export type EntityBytes = { text: Uint8Array; type: Uint8Array; confidence: number }[];

/** Columns that lie side by side and are asked for together: one read instead of two. */
const TOGETHER: Partial<Record<HeavyColumn, HeavyColumn[]>> = {
  summary: ["summary", "entities"],
  entities: ["summary", "entities"],
  embedding: ["embedding", "embedding_scale", "embedding_fine"],
};

type Maybe<T> = T | Promise<T>;

function map<T, R>(value: Maybe<T>, make: (value: T) => R): Maybe<R> {
  return value instanceof Promise ? value.then(make) : make(value);
}

function sizeOf(column: HeavyColumn, values: readonly unknown[]): number {
  let bytes = 64 + values.length * 16;
  for (const value of values)
    if (value instanceof Uint8Array) bytes += value.length + 64;
    else if (column === "entities") bytes += (value as EntityBytes).length * 200;
  return bytes;
}

export class RowReader {
  readonly #blocks: LRUCache<string, Block>;
  /** Reads under way, so that several that want a block wait for one. */
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

  #cached(key: string): unknown[] | undefined {
    const block = this.#blocks.get(key);
    if (block) this.#hits++;
    return block?.values;
  }

  async #load(segment: Segment, group: number, column: HeavyColumn): Promise<unknown[]> {
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
        bytes: sizeOf(name as HeavyColumn, values),
      });
    }
    return cells[column]!;
  }

  /** The texts of a coded block, by its rows. */
  #texts(segment: Segment, number: number): Maybe<Uint8Array[]> {
    const key = `${segment.info.number}/text/${number}`;
    const known = this.#cached(key);
    if (known) return known as Uint8Array[];
    this.#misses++;
    return segment.readBlock(number).then((values) => {
      this.#blocks.set(key, { values, bytes: sizeOf("content", values) });
      return values;
    });
  }

  #codedText(segment: Segment, numbers: readonly number[], row: number): Maybe<Uint8Array> {
    const part = (number: number): Maybe<Uint8Array> =>
      map(
        this.#texts(segment, number),
        (texts) => texts[segment.blocks[number]!.rows.indexOf(row)]!,
      );
    if (numbers.length === 1) return part(numbers[0]!);
    return Promise.all(numbers.map(part)).then(concatBytes);
  }

  /** At once where the block is cached: a page of results costs no promise per cell then. */
  #cell(record: MemoryRecord, column: HeavyColumn): Maybe<unknown> {
    const { place } = record;
    if (place.kind === "journal") throw new AppError("internal", "A row moved into the journal.");
    const { segment, group, index } = place;
    if (column === "content") {
      const coded = segment.blocksOf(group, index);
      if (coded.length > 0) {
        const text = this.#codedText(segment, coded, index);
        return text instanceof Promise ? this.#following(record, column, text) : text;
      }
    }
    const cached = this.#cached(`${segment.info.number}/${group}/${column}`);
    if (cached) return cached[index] ?? null;
    const loaded = this.#load(segment, group, column).then((values) => values[index] ?? null);
    return this.#following(record, column, loaded);
  }

  /** A compaction may move the row and remove its old segment meanwhile: then it is read where it is now. */
  async #following(
    record: MemoryRecord,
    column: HeavyColumn,
    reading: Promise<unknown>,
  ): Promise<unknown> {
    const { place } = record;
    try {
      return await reading;
    } catch (error) {
      if (record.place === place) throw error;
      return this.#cell(record, column);
    }
  }

  /** Null where it faded. */
  content(record: MemoryRecord): Maybe<string | null> {
    if (record.entry.keep !== "exact") return null;
    if (record.place.kind === "journal") return record.place.row.content;
    return map(this.#cell(record, "content"), (bytes) =>
      bytes === null ? null : decodeText(bytes as Uint8Array),
    );
  }

  /** Whether its content can be had without waiting for the model of coded texts. */
  isAtHand({ entry, place }: MemoryRecord): boolean {
    if (entry.keep !== "exact" || place.kind === "journal") return true;
    const { segment, group, index } = place;
    return (
      segment.canDecode ||
      segment
        .blocksOf(group, index)
        .every((number) => this.#blocks.has(`${segment.info.number}/text/${number}`))
    );
  }

  envelope(record: MemoryRecord): Maybe<Uint8Array | null> {
    if (record.entry.keep !== "exact") return null;
    if (record.place.kind === "journal") return record.place.row.envelope;
    return map(
      this.#cell(record, "envelope"),
      (bytes) => (bytes as Uint8Array | null)?.slice() ?? null,
    );
  }

  /** Empty where only the episode's gist is left. */
  summary(record: MemoryRecord): Maybe<string> {
    if (isBare(record.entry, record.entry.keep)) return "";
    if (record.text) return record.text.summary;
    if (record.place.kind === "journal") return record.place.row.summary;
    return map(this.#cell(record, "summary"), (bytes) => decodeText(bytes as Uint8Array));
  }

  entities(record: MemoryRecord): Maybe<Entity[]> {
    if (isBare(record.entry, record.entry.keep)) return [];
    if (record.text) return copied(record.text.entities);
    if (record.place.kind === "journal") return copied(record.place.row.entities);
    return map(this.#cell(record, "entities"), (cells) => decodeEntities(cells as EntityBytes));
  }

  async embedding(record: MemoryRecord): Promise<QuantizedVector | null> {
    const { entry } = record;
    if (!entry.embedded || isBare(entry, entry.keep)) return null;
    if (record.embedding) return record.embedding;
    if (record.place.kind === "journal") return record.place.row.embedding;
    const codes = (await this.#cell(record, "embedding")) as Uint8Array | null;
    if (!codes) return null;
    const scale = (await this.#cell(record, "embedding_scale")) as number;
    const fine = (await this.#cell(record, "embedding_fine")) as Uint8Array | null;
    return {
      codes: new Int8Array(codes.slice().buffer),
      scale,
      ...(fine ? { fine: fine.slice() } : {}),
    };
  }
}

/** Whoever asked may change what they get: the store's own stays as it is. */
function copied(entities: readonly Entity[]): Entity[] {
  return entities.map((entity) => ({ ...entity }));
}

export function decodeEntities(cells: EntityBytes): Entity[] {
  return cells.map(({ text, type, confidence }) => ({
    text: decodeText(text),
    type: decodeText(type) as EntityType,
    confidence,
  }));
}
