/**
 * One memory as storage keeps it, and the columns it is made of. Journal batches (Arrow) and
 * segments (Parquet) are both written and read through this one list, so they can't drift apart.
 */

import { AppError } from "../errors.ts";
import type {
  CompressionMode,
  Entity,
  EntityType,
  KeepLevel,
  QualityVector,
} from "../model/memory.ts";
import type { NewMemory } from "./memory-store.ts";

export interface StoredRow extends NewMemory {
  /** Small integer, stable over reopening, so that index snapshots may use it. */
  ordinal: number;
  storedBytes: number;
}

/** Physical kinds; "entities", "metadata" and "quality" are nested. */
export type ColumnKind =
  "utf8" | "bytes" | "int64" | "int32" | "float32" | "entities" | "metadata" | "quality";

/** The forms in which nested columns travel. */
export type EntityCells = { text: string; type: string; confidence: number }[];
export type MetadataCells = { key: string; value: string }[];
export interface QualityCells {
  similarity: number | null;
  coverage: number | null;
  entity_recall: number;
  number_recall: number;
  faithfulness: number;
}

export interface ColumnSpec {
  name: string;
  kind: ColumnKind;
  nullable: boolean;
  /** Light columns are read at opening into the catalog; heavy ones are fetched by row. */
  heavy: boolean;
  /** Min and max are written for pruning; never for text, whose bytes must not linger in footers. */
  statistics: boolean;
  get(row: StoredRow): unknown;
}

function column(
  name: string,
  kind: ColumnKind,
  get: (row: StoredRow) => unknown,
  options: { nullable?: boolean; heavy?: boolean; statistics?: boolean } = {},
): ColumnSpec {
  return {
    name,
    kind,
    get,
    nullable: options.nullable ?? false,
    heavy: options.heavy ?? false,
    statistics: options.statistics ?? false,
  };
}

const optional = { nullable: true };

export const COLUMNS: readonly ColumnSpec[] = [
  column("memory_id", "utf8", (row) => row.id),
  column("content", "utf8", (row) => row.content, { nullable: true, heavy: true }),
  column("envelope", "bytes", (row) => row.envelope, { nullable: true, heavy: true }),
  column("summary", "utf8", (row) => row.summary, { heavy: true }),
  column("entities", "entities", (row) => row.entities, { heavy: true }),
  column("embedding", "bytes", (row) => codesToBytes(row.embedding?.codes), {
    nullable: true,
    heavy: true,
  }),
  column("embedding_scale", "float32", (row) => row.embedding?.scale ?? null, {
    nullable: true,
    heavy: true,
  }),
  column("embedding_model", "utf8", (row) => row.embeddingModel, optional),
  column("timestamp", "int64", (row) => row.timestamp, { statistics: true }),
  column("recorded_at", "int64", (row) => row.recordedAt, { statistics: true }),
  column("activation_level", "float32", (row) => row.activation),
  column("metadata", "metadata", (row) =>
    Object.entries(row.metadata).map(([key, value]) => ({ key, value })),
  ),
  column("user_id", "utf8", (row) => row.userId),
  column("keep", "utf8", (row) => row.keep),
  column("mode", "utf8", (row) => row.mode),
  column("model", "utf8", (row) => row.model),
  column("quality", "quality", (row) => qualityToCells(row.quality)),
  column("episode_id", "utf8", (row) => row.episodeId, optional),
  column("previous_id", "utf8", (row) => row.previousId, optional),
  column("next_id", "utf8", (row) => row.nextId, optional),
  column("supersedes", "utf8", (row) => row.supersedes, optional),
  column("superseded_by", "utf8", (row) => row.supersededBy, optional),
  column("valid_from", "int64", (row) => row.validFrom, optional),
  column("valid_to", "int64", (row) => row.validTo, optional),
  column("content_sha256", "utf8", (row) => row.contentSha256),
  column("original_bytes", "int64", (row) => row.originalBytes),
  column("stored_bytes", "int64", (row) => row.storedBytes),
  column("ordinal", "int32", (row) => row.ordinal),
];

export const LIGHT_COLUMNS = COLUMNS.filter((spec) => !spec.heavy);

function codesToBytes(codes: Int8Array | undefined): Uint8Array | null {
  return codes ? new Uint8Array(codes.buffer, codes.byteOffset, codes.length) : null;
}

/** One row's cells by column name, as a reader found them; heavy ones may be absent. */
export type Cells = Record<string, unknown>;

const text = (value: unknown): string => value as string;
const textOrNull = (value: unknown): string | null => (value ?? null) as string | null;
const whole = (value: unknown): number => Number(value);
const wholeOrNull = (value: unknown): number | null =>
  value === null || value === undefined ? null : Number(value);

/** A row out of its cells; heavy cells that were not read become null or empty. */
export function rowFromCells(cells: Cells): StoredRow {
  const codes = cells.embedding as Uint8Array | null | undefined;
  return {
    id: text(cells.memory_id),
    content: textOrNull(cells.content),
    envelope: (cells.envelope ?? null) as Uint8Array | null,
    summary: (cells.summary ?? "") as string,
    entities: entitiesFromCells((cells.entities ?? []) as EntityCells),
    embedding: codes
      ? {
          codes: new Int8Array(codes.buffer, codes.byteOffset, codes.length),
          scale: cells.embedding_scale as number,
        }
      : null,
    embeddingModel: textOrNull(cells.embedding_model),
    timestamp: whole(cells.timestamp),
    recordedAt: whole(cells.recorded_at),
    activation: cells.activation_level as number,
    metadata: metadataFromCells(cells.metadata as MetadataCells),
    userId: text(cells.user_id),
    keep: text(cells.keep) as KeepLevel,
    mode: text(cells.mode) as CompressionMode,
    model: text(cells.model),
    quality: qualityFromCells(cells.quality as QualityCells),
    episodeId: textOrNull(cells.episode_id),
    previousId: textOrNull(cells.previous_id),
    nextId: textOrNull(cells.next_id),
    supersedes: textOrNull(cells.supersedes),
    supersededBy: textOrNull(cells.superseded_by),
    validFrom: wholeOrNull(cells.valid_from),
    validTo: wholeOrNull(cells.valid_to),
    contentSha256: text(cells.content_sha256),
    originalBytes: whole(cells.original_bytes),
    storedBytes: whole(cells.stored_bytes),
    ordinal: whole(cells.ordinal),
  };
}

export function entitiesFromCells(cells: EntityCells): Entity[] {
  return cells.map(({ text, type, confidence }) => ({
    text,
    type: type as EntityType,
    confidence,
  }));
}

/** `fromEntries` defines keys, so that one named "__proto__" is a key like any other. */
export function metadataFromCells(cells: MetadataCells): Record<string, string> {
  return Object.fromEntries(cells.map(({ key, value }) => [key, value]));
}

function qualityToCells(quality: QualityVector): QualityCells {
  return {
    similarity: quality.similarity,
    coverage: quality.coverage,
    entity_recall: quality.entityRecall,
    number_recall: quality.numberRecall,
    faithfulness: quality.faithfulness,
  };
}

function qualityFromCells(cells: QualityCells): QualityVector {
  return {
    similarity: cells.similarity ?? null,
    coverage: cells.coverage ?? null,
    entityRecall: cells.entity_recall,
    numberRecall: cells.number_recall,
    faithfulness: cells.faithfulness,
  };
}

/** The longest text of one memory, in UTF-8 bytes. */
export const MAX_TEXT_BYTES = 16 * 1024 * 1024;

/** Bytes of a string in UTF-8, without encoding short ASCII twice. */
export function utf8Length(value: string): number {
  let size = value.length;
  for (let i = 0; i < value.length; i++) {
    const unit = value.charCodeAt(i);
    if (unit < 0x80) continue;
    if (unit < 0x800) size += 1;
    else {
      size += 2;
      if (unit >= 0xd800 && unit < 0xdc00) {
        const next = value.charCodeAt(i + 1);
        if (next >= 0xdc00 && next < 0xe000) i++;
      }
    }
  }
  return size;
}

/** Bytes of what `storedBytes` accounts for, before compression. */
export function textBytes(row: NewMemory): number {
  let size = utf8Length(row.summary) + (row.envelope?.length ?? 0);
  if (row.content !== null) size += utf8Length(row.content);
  for (const entity of row.entities) size += utf8Length(entity.text) + utf8Length(entity.type) + 4;
  return size;
}

function invalid(memory: NewMemory, why: string): AppError {
  return new AppError("invalid_input", `Memory ${memory.id} can't be stored: ${why}.`);
}

/**
 * A copy as it will come back: strings well-formed, single precision where columns have it.
 * `invalid_input` or `too_large` for what no column can hold.
 */
export function normalizeMemory(memory: NewMemory): NewMemory {
  const size = memory.content === null ? 0 : utf8Length(memory.content);
  for (const [what, bytes] of [
    ["text", size],
    ["summary", utf8Length(memory.summary)],
    ["envelope", memory.envelope?.length ?? 0],
  ] as const)
    if (bytes > MAX_TEXT_BYTES)
      throw new AppError(
        "too_large",
        `The ${what} of memory ${memory.id} has ${bytes} bytes; at most ${MAX_TEXT_BYTES} fit into one memory.`,
        { hint: "Cut it into sections." },
      );
  for (const [name, value] of [
    ["timestamp", memory.timestamp],
    ["recordedAt", memory.recordedAt],
    ["originalBytes", memory.originalBytes],
    ["validFrom", memory.validFrom ?? 0],
    ["validTo", memory.validTo ?? 0],
  ] as const)
    if (!Number.isSafeInteger(value)) throw invalid(memory, `${name} is ${value}`);
  if (!memory.id) throw invalid(memory, "it has no id");
  for (const [name, value] of Object.entries(memory.metadata))
    if (typeof value !== "string") throw invalid(memory, `metadata "${name}" is not a text`);
  if (memory.embedding?.codes.length === 0) throw invalid(memory, "its embedding is empty");
  if (memory.embedding && !memory.embeddingModel)
    throw invalid(memory, "it isn't said which model made its embedding");
  return {
    ...memory,
    content: memory.content?.toWellFormed() ?? null,
    summary: memory.summary.toWellFormed(),
    entities: memory.entities.map(({ text, type, confidence }) => ({
      text: text.toWellFormed(),
      type,
      confidence: Math.fround(confidence),
    })),
    activation: Math.fround(memory.activation),
    metadata: Object.fromEntries(
      Object.entries(memory.metadata).map(([key, value]) => [
        key.toWellFormed(),
        value.toWellFormed(),
      ]),
    ),
    embedding: memory.embedding && {
      codes: memory.embedding.codes.slice(),
      scale: Math.fround(memory.embedding.scale),
    },
    embeddingModel: memory.embedding ? memory.embeddingModel : null,
    envelope: memory.envelope?.slice() ?? null,
  };
}
