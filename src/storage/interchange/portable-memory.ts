/**
 * One memory as it travels between stores: the record that JSONL lines are made of, and the way
 * back with every field checked. Parquet rows become the same record on their way in.
 */

import { z } from "zod";
import { AppError } from "../../errors.ts";
import { type Entity, ENTITY_TYPES, type EntityType, type Memory } from "../../model/memory.ts";
import { EMBEDDING_DIMENSIONS, type QuantizedVector, quantizeVector } from "../../model/vector.ts";

/** A memory with the bytes that restore its source exactly (see `storage/envelope.ts`). */
export type PortableMemory = Memory & { envelope: Uint8Array | null };

/** The version that exports carry; 2 is the schema without the columns after `metadata`. */
export const INTERCHANGE_VERSION = 3;

/** What a memory belongs to when the export doesn't say. */
const DEFAULT_USER = "local";

const milliseconds = z.number().int().min(-8.64e15).max(8.64e15);
const share = z.number().min(0).max(1);
const id = z.string().min(1).max(200);
const optionalId = id.nullish().transform((value) => value ?? null);
const optionalTime = milliseconds.nullish().transform((value) => value ?? null);
const byteCount = z.number().int().min(0);

const fineBits = z
  .instanceof(Uint8Array)
  .refine(({ length }) => length === EMBEDDING_DIMENSIONS / 8, "needs a bit per code");

const embeddingSchema = z.union([
  z
    .object({
      codes: z.instanceof(Int8Array).refine((codes) => codes.length === EMBEDDING_DIMENSIONS, {
        message: `needs ${EMBEDDING_DIMENSIONS} codes`,
      }),
      scale: z.number().min(0),
      fine: fineBits.optional(),
    })
    .transform(({ codes, scale, fine }): QuantizedVector => ({
      codes,
      scale,
      ...(fine ? { fine } : {}),
    })),
  z
    .array(z.number())
    .length(EMBEDDING_DIMENSIONS)
    .transform((values): QuantizedVector => quantizeVector(Float32Array.from(values))),
]);

const recordSchema = z.object({
  memory_id: id,
  content: z.string().nullish(),
  envelope: z.instanceof(Uint8Array).nullish(),
  embedding: embeddingSchema.nullish(),
  embedding_model: z.string().nullish(),
  summary: z.string().nullish(),
  entities: z
    .array(
      z.object({
        text: z.string(),
        type: z.string().nullish(),
        confidence: share.nullish(),
      }),
    )
    .nullish(),
  timestamp: milliseconds,
  activation_level: share.nullish(),
  metadata: z.record(z.string(), z.string().nullable()).nullish(),
  recorded_at: milliseconds.nullish(),
  user_id: z.string().min(1).nullish(),
  keep: z.enum(["exact", "summary", "gist"]).nullish(),
  mode: z.enum(["fast", "balanced", "high"]).nullish(),
  model: z.string().nullish(),
  quality: z
    .object({
      similarity: z.number().min(-1).max(1.000001).nullish(),
      coverage: z.number().min(-1).max(1.000001).nullish(),
      entity_recall: share,
      number_recall: share,
      faithfulness: share,
    })
    .nullish(),
  episode_id: optionalId,
  previous_id: optionalId,
  next_id: optionalId,
  supersedes: optionalId,
  superseded_by: optionalId,
  valid_from: optionalTime,
  valid_to: optionalTime,
  content_sha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .nullish(),
  original_bytes: byteCount.nullish(),
  stored_bytes: byteCount.nullish(),
});

/** The fields of an export, snake_case, before they are checked. */
export type ExportRecord = Record<string, unknown>;

export function toRecord(memory: PortableMemory): ExportRecord {
  const { quality } = memory;
  return {
    memory_id: memory.id,
    content: memory.content,
    envelope: memory.envelope,
    embedding: memory.embedding,
    embedding_model: memory.embeddingModel,
    summary: memory.summary,
    entities: memory.entities,
    timestamp: memory.timestamp,
    activation_level: memory.activation,
    metadata: memory.metadata,
    recorded_at: memory.recordedAt,
    user_id: memory.userId,
    keep: memory.keep,
    mode: memory.mode,
    model: memory.model,
    quality: {
      similarity: quality.similarity,
      coverage: quality.coverage,
      entity_recall: quality.entityRecall,
      number_recall: quality.numberRecall,
      faithfulness: quality.faithfulness,
    },
    episode_id: memory.episodeId,
    previous_id: memory.previousId,
    next_id: memory.nextId,
    supersedes: memory.supersedes,
    superseded_by: memory.supersededBy,
    valid_from: memory.validFrom,
    valid_to: memory.validTo,
    content_sha256: memory.contentSha256,
    original_bytes: memory.originalBytes,
    stored_bytes: memory.storedBytes,
  };
}

async function sha256Hex(bytes: Uint8Array): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>);
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function entityType(type: string | null | undefined): EntityType {
  const known = type?.toLowerCase() as EntityType;
  return ENTITY_TYPES.includes(known) ? known : "other";
}

/**
 * The memory of a record. What a foreign export doesn't have becomes the least that is true:
 * `recorded_at` is `nowMs`, `model` "unknown", an unmeasured quality 0 (null where null means
 * unmeasured), an unknown entity type "other". `invalid_input` when a field is wrong,
 * `corrupt_data` when the content isn't what its keep level and SHA-256 say; `where` names the row.
 */
export async function fromRecord(
  record: unknown,
  where: string,
  nowMs: number,
): Promise<PortableMemory> {
  const parsed = recordSchema.safeParse(record);
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    const field = issue.path.length > 0 ? issue.path.join(".") : "the row";
    throw new AppError("invalid_input", `${where}: ${field}: ${issue.message}.`, {
      hint: "Correct the row, or leave it out; docs/guide/data-format.md lists the fields.",
    });
  }
  const row = parsed.data;
  const content = row.content ?? null;
  const summary = row.summary ?? "";
  if (content === null && row.keep === "exact")
    throw new AppError(
      "corrupt_data",
      `${where}: it says that it is kept exactly and has no content.`,
      {
        hint: "The export was changed or damaged; take this row from another copy.",
      },
    );
  const bytes = new TextEncoder().encode(content ?? summary);
  let sha256 = row.content_sha256 ?? "";
  if (content !== null) {
    const actual = await sha256Hex(bytes);
    if (sha256 && sha256 !== actual)
      throw new AppError("corrupt_data", `${where}: the content isn't what its SHA-256 says.`, {
        hint: "The export was changed or damaged; take this row from another copy.",
      });
    sha256 = actual;
  }
  return {
    id: row.memory_id,
    content,
    envelope: row.envelope ?? null,
    summary,
    entities: (row.entities ?? []).map((entity): Entity => ({
      text: entity.text,
      type: entityType(entity.type),
      confidence: entity.confidence ?? 0,
    })),
    embedding: row.embedding ?? null,
    embeddingModel: row.embedding_model ?? null,
    timestamp: row.timestamp,
    recordedAt: row.recorded_at ?? nowMs,
    activation: row.activation_level ?? 0,
    metadata: Object.fromEntries(
      Object.entries(row.metadata ?? {}).filter((entry): entry is [string, string] => {
        return entry[1] !== null;
      }),
    ),
    userId: row.user_id ?? DEFAULT_USER,
    keep: row.keep ?? (content === null ? "summary" : "exact"),
    mode: row.mode ?? "fast",
    model: row.model ?? "unknown",
    quality: {
      similarity: row.quality?.similarity ?? null,
      coverage: row.quality?.coverage ?? null,
      entityRecall: row.quality?.entity_recall ?? 0,
      numberRecall: row.quality?.number_recall ?? 0,
      faithfulness: row.quality?.faithfulness ?? 0,
    },
    episodeId: row.episode_id,
    previousId: row.previous_id,
    nextId: row.next_id,
    supersedes: row.supersedes,
    supersededBy: row.superseded_by,
    validFrom: row.valid_from,
    validTo: row.valid_to,
    contentSha256: sha256,
    originalBytes: row.original_bytes ?? bytes.length,
    storedBytes: row.stored_bytes ?? 0,
  };
}
