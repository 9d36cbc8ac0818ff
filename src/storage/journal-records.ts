/**
 * What a journal frame says, apart from new memories: changes as JSON, vectors as JSON plus their
 * codes, and bundles of all three that hold or fail together.
 */

import { z } from "zod";
import { AppError } from "../errors.ts";
import { ENTITY_TYPES, type QualityVector } from "../model/memory.ts";
import type { QuantizedVector } from "../model/vector.ts";
import { decodeBatch, encodeBatch } from "./arrow-batch.ts";
import { ByteReader, ByteWriter } from "./bytes.ts";
import type { StoredRow } from "./stored-row.ts";

const count = z.number().int();
const idOrNull = z.string().nullable();
const keep = z.enum(["exact", "summary", "gist"]);
const quality = z.strictObject({
  similarity: z.number().nullable(),
  coverage: z.number().nullable(),
  entityRecall: z.number(),
  numberRecall: z.number(),
  faithfulness: z.number(),
});
/** Pairs, since an object can't hold every key ("__proto__"). */
const metadataPairs = z.array(z.tuple([z.string(), z.string().nullable()]));

const fields = z.strictObject({
  metadata: metadataPairs.optional(),
  timestamp: count.optional(),
  keep: keep.optional(),
  activation: z.number().optional(),
  previousId: idOrNull.optional(),
  nextId: idOrNull.optional(),
  supersedes: idOrNull.optional(),
  supersededBy: idOrNull.optional(),
  validFrom: count.nullable().optional(),
  validTo: count.nullable().optional(),
  quality: quality.optional(),
  episodeId: idOrNull.optional(),
  mode: z.enum(["fast", "balanced", "high"]).optional(),
  model: z.string().optional(),
  storedBytes: count.nonnegative().optional(),
});
export type ChangedFields = z.infer<typeof fields>;

const changeSchema = z.discriminatedUnion("op", [
  /** Fields to set; metadata is merged, null deletes a key. `carried`: repeats what an older journal said. */
  z.strictObject({
    op: z.literal("patch"),
    id: z.string(),
    fields,
    carried: z.literal(true).optional(),
  }),
  z.strictObject({
    op: z.literal("forget"),
    ids: z.array(z.string()),
    /** To be erased; opening completes it when it was interrupted. */
    erase: z.literal(true).optional(),
    carried: z.literal(true).optional(),
  }),
  z.strictObject({
    op: z.literal("restore"),
    ids: z.array(z.string()),
    carried: z.literal(true).optional(),
  }),
  /** Another summary in place of the one behind the row; with `dropVector` its vector goes, too. */
  z.strictObject({
    op: z.literal("text"),
    id: z.string(),
    summary: z.string(),
    entities: z.array(z.tuple([z.string(), z.enum(ENTITY_TYPES), z.number()])),
    dropVector: z.literal(true).optional(),
    carried: z.literal(true).optional(),
  }),
  /** Moves down to a keep level; the detail stays until an explicit compaction. */
  z.strictObject({
    op: z.literal("fade"),
    keep: z.enum(["summary", "gist"]),
    ids: z.array(z.string()),
    carried: z.literal(true).optional(),
  }),
  /** Takes such moves back. */
  z.strictObject({
    op: z.literal("lift"),
    ids: z.array(z.string()),
    carried: z.literal(true).optional(),
  }),
]);
export type Change = z.infer<typeof changeSchema>;

export function encodeChange(change: Change): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(change));
}

function undecodable(what: string, cause?: unknown): AppError {
  return new AppError("corrupt_data", `A ${what} in the journal can't be decoded.`, { cause });
}

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

export function decodeChange(payload: Uint8Array): Change {
  try {
    return changeSchema.parse(JSON.parse(decoder.decode(payload)));
  } catch (cause) {
    throw undecodable("change", cause);
  }
}

/** New memories, changes and vectors of one frame: applied in this order, all or none. */
export interface Bundle {
  rows: readonly StoredRow[];
  changes: Change[];
  vectors: VectorBatch | null;
}

export function encodeBundle({ rows, changes, vectors }: Bundle): Uint8Array {
  const writer = new ByteWriter();
  for (const part of [
    rows.length === 0 ? new Uint8Array() : encodeBatch(rows),
    new TextEncoder().encode(JSON.stringify(changes)),
    vectors === null ? new Uint8Array() : encodeVectors(vectors),
  ])
    writer.u32(part.length).bytes(part);
  return writer.finish();
}

export function decodeBundle(payload: Uint8Array, columnCount?: number): Bundle {
  try {
    const reader = new ByteReader(payload, "bundle of changes");
    const part = () => reader.bytes(reader.u32()).slice();
    const [rows, changes, vectors] = [part(), part(), part()];
    return {
      rows: rows.length === 0 ? [] : decodeBatch(rows, columnCount),
      changes: z.array(changeSchema).parse(JSON.parse(decoder.decode(changes))),
      vectors: vectors.length === 0 ? null : decodeVectors(vectors),
    };
  } catch (cause) {
    throw undecodable("bundle of changes", cause);
  }
}

export interface VectorUpdate {
  id: string;
  embedding: QuantizedVector;
  quality?: QualityVector;
}

export interface VectorBatch {
  model: string;
  updates: VectorUpdate[];
  carried?: boolean;
}

const vectorHead = z.strictObject({
  model: z.string(),
  items: z.array(
    z.strictObject({
      id: z.string(),
      scale: z.number(),
      dimensions: count.positive(),
      /** The ninth bits follow the codes. */
      fine: z.literal(true).optional(),
      quality: quality.optional(),
    }),
  ),
  carried: z.boolean().optional(),
});

export function encodeVectors(batch: VectorBatch): Uint8Array {
  const head = new TextEncoder().encode(
    JSON.stringify({
      model: batch.model,
      items: batch.updates.map(({ id, embedding, quality }) => ({
        id,
        scale: embedding.scale,
        dimensions: embedding.codes.length,
        ...(embedding.fine ? { fine: true } : {}),
        quality,
      })),
      carried: batch.carried,
    } satisfies z.input<typeof vectorHead>),
  );
  const writer = new ByteWriter().u32(head.length).bytes(head);
  for (const { embedding } of batch.updates) {
    const { codes, fine } = embedding;
    writer.bytes(new Uint8Array(codes.buffer, codes.byteOffset, codes.length));
    if (fine) writer.bytes(fine);
  }
  return writer.finish();
}

export function decodeVectors(payload: Uint8Array): VectorBatch {
  try {
    const reader = new ByteReader(payload, "batch of vectors");
    const text = new TextDecoder().decode(reader.bytes(reader.u32()));
    const head = vectorHead.parse(JSON.parse(text));
    const updates = head.items.map(({ id, scale, dimensions, fine, quality }) => ({
      id,
      embedding: {
        codes: new Int8Array(reader.bytes(dimensions).slice().buffer),
        scale,
        ...(fine ? { fine: reader.bytes((dimensions + 7) >>> 3).slice() } : {}),
      },
      ...(quality ? { quality } : {}),
    }));
    return { model: head.model, updates, carried: head.carried ?? false };
  } catch (cause) {
    throw undecodable("batch of vectors", cause);
  }
}
