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
import type { QuantizedVector } from "../model/vector.ts";
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
  // Older files end before it.
  column("embedding_fine", "bytes", (row) => row.embedding?.fine ?? null, {
    nullable: true,
    heavy: true,
  }),
];

/** How many of the columns every file has; later ones may be missing in older files. */
export const FIRST_COLUMNS = COLUMNS.findIndex(({ name }) => name === "embedding_fine");

export const LIGHT_COLUMNS = COLUMNS.filter((spec) => !spec.heavy);

function codesToBytes(codes: Int8Array | undefined): Uint8Array | null {
  return codes ? new Uint8Array(codes.buffer, codes.byteOffset, codes.length) : null;
}

/** Columns by name, as a reader found them; heavy ones may be absent. */
export type CellColumns = Record<string, ArrayLike<unknown> | undefined>;

const textOrNull = (value: unknown): string | null => (value ?? null) as string | null;
const wholeOrNull = (value: unknown): number | null =>
  value === null || value === undefined ? null : Number(value);

/** Rows out of their columns; heavy cells that were not read become null or empty. */
export function rowsFromColumns(columns: CellColumns, count: number): StoredRow[] {
  const rows = new Array<StoredRow>(count);
  const column = (name: string): ArrayLike<unknown> => {
    const found = columns[name];
    if (found?.length !== count) throw new Error(`no column ${name}`);
    return found;
  };
  const [content, envelope, summary, entities] = [
    columns.content,
    columns.envelope,
    columns.summary,
    columns.entities,
  ];
  const { embedding: codes, embedding_scale: scales, embedding_fine: fine } = columns;
  const light = {
    id: column("memory_id"),
    embeddingModel: column("embedding_model"),
    timestamp: column("timestamp"),
    recordedAt: column("recorded_at"),
    activation: column("activation_level"),
    metadata: column("metadata"),
    userId: column("user_id"),
    keep: column("keep"),
    mode: column("mode"),
    model: column("model"),
    quality: column("quality"),
    episodeId: column("episode_id"),
    previousId: column("previous_id"),
    nextId: column("next_id"),
    supersedes: column("supersedes"),
    supersededBy: column("superseded_by"),
    validFrom: column("valid_from"),
    validTo: column("valid_to"),
    contentSha256: column("content_sha256"),
    originalBytes: column("original_bytes"),
    storedBytes: column("stored_bytes"),
    ordinal: column("ordinal"),
  };
  let lastQuality: QualityVector | undefined;
  for (let i = 0; i < count; i++) {
    // Neighbours mostly have the same quality: they share it.
    lastQuality = qualityFromCells(light.quality[i] as QualityCells, lastQuality);
    rows[i] = {
      id: light.id[i] as string,
      content: textOrNull(content?.[i]),
      envelope: (envelope?.[i] ?? null) as Uint8Array | null,
      summary: (summary?.[i] ?? "") as string,
      entities: entities ? entitiesFromCells(entities[i] as EntityCells) : [],
      embedding: vectorFromCells(codes?.[i], scales?.[i], fine?.[i]),
      embeddingModel: textOrNull(light.embeddingModel[i]),
      timestamp: Number(light.timestamp[i]),
      recordedAt: Number(light.recordedAt[i]),
      activation: light.activation[i] as number,
      metadata: metadataFromCells(light.metadata[i] as MetadataCells),
      userId: light.userId[i] as string,
      keep: light.keep[i] as KeepLevel,
      mode: light.mode[i] as CompressionMode,
      model: light.model[i] as string,
      quality: lastQuality,
      episodeId: textOrNull(light.episodeId[i]),
      previousId: textOrNull(light.previousId[i]),
      nextId: textOrNull(light.nextId[i]),
      supersedes: textOrNull(light.supersedes[i]),
      supersededBy: textOrNull(light.supersededBy[i]),
      validFrom: wholeOrNull(light.validFrom[i]),
      validTo: wholeOrNull(light.validTo[i]),
      contentSha256: light.contentSha256[i] as string,
      originalBytes: Number(light.originalBytes[i]),
      storedBytes: Number(light.storedBytes[i]),
      ordinal: Number(light.ordinal[i]),
    };
  }
  return rows;
}

function vectorFromCells(codes: unknown, scale: unknown, fine: unknown): StoredRow["embedding"] {
  if (!(codes instanceof Uint8Array)) return null;
  return {
    codes: new Int8Array(codes.buffer, codes.byteOffset, codes.length),
    scale: scale as number,
    ...(fine instanceof Uint8Array ? { fine } : {}),
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

function qualityFromCells(cells: QualityCells, last: QualityVector | undefined): QualityVector {
  const similarity = cells.similarity ?? null;
  const coverage = cells.coverage ?? null;
  return last?.similarity === similarity &&
    last.coverage === coverage &&
    last.entityRecall === cells.entity_recall &&
    last.numberRecall === cells.number_recall &&
    last.faithfulness === cells.faithfulness
    ? last
    : {
        similarity,
        coverage,
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
  const summaryBytes = utf8Length(row.summary);
  let size = summaryBytes + (row.envelope?.length ?? 0);
  if (row.content !== null)
    size += row.content === row.summary ? summaryBytes : utf8Length(row.content);
  for (const entity of row.entities) size += utf8Length(entity.text) + utf8Length(entity.type) + 4;
  return size;
}

function invalid(memory: NewMemory, why: string): AppError {
  return new AppError("invalid_input", `Memory ${memory.id} can't be stored: ${why}.`);
}

/**
 * A copy as it will come back: strings well-formed, single precision where columns have it. Its
 * ordinal and `storedBytes` are the caller's to set, its vector is still the one that was given.
 * `invalid_input` or `too_large` for what no column can hold.
 */
export function normalizeMemory(memory: NewMemory): StoredRow {
  checkMemory(memory);
  const { embedding } = memory;
  return {
    id: memory.id,
    content: memory.content?.toWellFormed() ?? null,
    envelope: memory.envelope?.slice() ?? null,
    summary: memory.summary.toWellFormed(),
    entities: memory.entities.map(({ text, type, confidence }) => ({
      text: text.toWellFormed(),
      type,
      confidence: Math.fround(confidence),
    })),
    embedding,
    embeddingModel: embedding ? memory.embeddingModel : null,
    timestamp: memory.timestamp,
    recordedAt: memory.recordedAt,
    activation: Math.fround(memory.activation),
    metadata: wellFormed(memory.metadata),
    userId: memory.userId,
    keep: memory.keep,
    mode: memory.mode,
    model: memory.model,
    quality: memory.quality,
    episodeId: memory.episodeId,
    previousId: memory.previousId,
    nextId: memory.nextId,
    supersedes: memory.supersedes,
    supersededBy: memory.supersededBy,
    validFrom: memory.validFrom,
    validTo: memory.validTo,
    contentSha256: memory.contentSha256,
    originalBytes: memory.originalBytes,
    storedBytes: 0,
    ordinal: -1,
  };
}

/** A copy; nearly always every text of it is well-formed already. */
function wellFormed(metadata: Record<string, string>): Record<string, string> {
  for (const key of Object.keys(metadata))
    if (!key.isWellFormed() || !metadata[key]!.isWellFormed())
      return Object.fromEntries(
        Object.entries(metadata).map(([name, value]) => [
          name.toWellFormed(),
          value.toWellFormed(),
        ]),
      );
  return { ...metadata };
}

/** A copy of its own, the scale as a column holds it. */
export function normalizeVector({ codes, scale, fine }: QuantizedVector): QuantizedVector {
  return {
    codes: codes.slice(),
    scale: Math.fround(scale),
    ...(fine ? { fine: fine.slice() } : {}),
  };
}

/** Whether the ninth bits, where given, are one per value. */
export function isWholeVector({ codes, fine }: QuantizedVector): boolean {
  return codes.length > 0 && (fine === undefined || fine.length === (codes.length + 7) >>> 3);
}

function checkMemory(memory: NewMemory): void {
  for (const [what, value] of [
    ["text", memory.content],
    ["summary", memory.summary],
    ["envelope", memory.envelope],
  ] as const) {
    // A unit of UTF-16 is at most three bytes.
    if (value === null || value.length * 3 <= MAX_TEXT_BYTES) continue;
    const bytes = typeof value === "string" ? utf8Length(value) : value.length;
    if (bytes > MAX_TEXT_BYTES)
      throw new AppError(
        "too_large",
        `The ${what} of memory ${memory.id} has ${bytes} bytes; at most ${MAX_TEXT_BYTES} fit into one memory.`,
        { hint: "Cut it into sections." },
      );
  }
  for (const name of ["timestamp", "recordedAt", "originalBytes", "validFrom", "validTo"] as const)
    if (!Number.isSafeInteger(memory[name] ?? 0))
      throw invalid(memory, `${name} is ${memory[name]}`);
  if (!memory.id) throw invalid(memory, "it has no id");
  for (const [name, value] of Object.entries(memory.metadata))
    if (typeof value !== "string") throw invalid(memory, `metadata "${name}" is not a text`);
  if (memory.embedding && !isWholeVector(memory.embedding))
    throw invalid(memory, "its embedding is empty or its finer bits aren't one per value");
  if (memory.embedding && !memory.embeddingModel)
    throw invalid(memory, "it isn't said which model made its embedding");
}
