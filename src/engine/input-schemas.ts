/** Validation at the engine's edge: what callers hand in, with messages that say which field is wrong. */

import { z } from "zod";
import { AppError } from "../errors.ts";
import { CONTENT_KINDS, ENTITY_TYPES, type MemoryInput } from "../model/memory.ts";

/** Longest text of one memory, in UTF-16 units. Longer texts go through `importStore`, which cuts them into sections. */
export const MAX_MEMORY_CHARACTERS = 1_048_576;

const timestamp = z.number().min(-8.64e15).max(8.64e15);
const metadata = z.record(z.string().min(1).max(200), z.string().max(10_000));

const entity = z.object({
  text: z.string().min(1).max(1_000),
  type: z.enum(ENTITY_TYPES),
  confidence: z.number().min(0).max(1),
});

export const memoryInputSchema = z.object({
  text: z.string(),
  original: z.instanceof(Uint8Array).optional(),
  timestamp: timestamp.optional(),
  userId: z.string().min(1).max(200).optional(),
  metadata: metadata.optional(),
  embedding: z
    .object({
      model: z.string().min(1).max(300),
      // Its values are checked where they are used: 384 of each of many items.
      vector: z.custom<Float32Array | readonly number[]>(
        (value) => value instanceof Float32Array || Array.isArray(value),
        "Expected 384 numbers",
      ),
    })
    .optional(),
  entities: z.array(entity).max(10_000).optional(),
});

const TYPES: ReadonlySet<string> = new Set(ENTITY_TYPES);
const isText = (value: unknown, most: number): boolean =>
  typeof value === "string" && value.length > 0 && value.length <= most;

/**
 * Whether an input is one of the usual form, which `memoryInputSchema` accepts as it is: of many items
 * the schema costs as much as hashing them. For all others the schema says what is wrong.
 */
export function isPlainInput(input: MemoryInput): boolean {
  if (typeof input !== "object" || input === null || typeof input.text !== "string") return false;
  const { original, timestamp: time, userId, metadata: fields, embedding, entities } = input;
  if (original !== undefined && !(original instanceof Uint8Array)) return false;
  if (time !== undefined && !(typeof time === "number" && Math.abs(time) <= 8.64e15)) return false;
  if (userId !== undefined && !isText(userId, 200)) return false;
  if (fields !== undefined) {
    if (fields === null || Object.getPrototypeOf(fields) !== Object.prototype) return false;
    for (const key of Object.keys(fields)) {
      const value: unknown = fields[key];
      if (!isText(key, 200) || typeof value !== "string" || value.length > 10_000) return false;
    }
  }
  if (embedding !== undefined) {
    if (typeof embedding !== "object" || embedding === null) return false;
    if (!isText(embedding.model, 300) || !(embedding.vector instanceof Float32Array)) return false;
  }
  if (entities === undefined) return true;
  return (
    Array.isArray(entities) &&
    entities.length <= 10_000 &&
    entities.every(
      (one: unknown) =>
        typeof one === "object" &&
        one !== null &&
        "text" in one &&
        isText(one.text, 1_000) &&
        "type" in one &&
        TYPES.has(one.type as string) &&
        "confidence" in one &&
        typeof one.confidence === "number" &&
        one.confidence >= 0 &&
        one.confidence <= 1,
    )
  );
}

/** Of recall, browse and forget, also over HTTP. */
export const filterSchema = z.strictObject({
  after: timestamp.optional(),
  before: timestamp.optional(),
  sources: z.array(z.string()).optional(),
  speakers: z.array(z.string()).optional(),
  kinds: z.array(z.enum(CONTENT_KINDS)).optional(),
  entities: z.array(z.string()).optional(),
  keep: z.array(z.enum(["exact", "summary", "gist"])).optional(),
  userId: z.string().optional(),
  metadata: z.record(z.string(), z.string()).optional(),
});

export const recallQuerySchema = z.strictObject({
  query: z.string().max(10_000),
  topK: z.int().min(1).max(1_000).optional(),
  filter: filterSchema.optional(),
  prefix: z.boolean().optional(),
  contextTokens: z.int().min(16).max(1_000_000).optional(),
  diversity: z.number().min(0).max(1).optional(),
  now: timestamp.optional(),
});

export const browseQuerySchema = z.strictObject({
  filter: filterSchema.optional(),
  order: z.enum(["newest", "oldest", "largest", "recorded"]).optional(),
  offset: z.int().min(0).optional(),
  limit: z.int().min(1).max(1_000).optional(),
});

export const embeddingsQuerySchema = z.strictObject({
  ids: z.array(z.string()).optional(),
  filter: filterSchema.optional(),
  format: z.enum(["float32", "int8"]).optional(),
});

export const memoryPatchSchema = z.strictObject({
  metadata: z.record(z.string().min(1).max(200), z.string().max(10_000).nullable()).optional(),
  timestamp: timestamp.optional(),
  keep: z.enum(["exact", "summary", "gist"]).optional(),
  activation: z.number().min(0).max(1).optional(),
  supersededBy: z.string().nullable().optional(),
  validFrom: timestamp.nullable().optional(),
  validTo: timestamp.nullable().optional(),
});

export const forgetTargetSchema = z.union([
  z.strictObject({ ids: z.array(z.string()) }),
  z.strictObject({ filter: filterSchema }),
  z.strictObject({ all: z.literal(true) }),
]);

export const compressionModeSchema = z.enum(["fast", "balanced", "high"]);

/** What a call may ask of compression; also over HTTP. */
export const compressOptionFields = {
  mode: compressionModeSchema.optional(),
  keep: z.enum(["exact", "summary"]).optional(),
  model: z.string().min(1).max(300).optional(),
  latencyBudgetMs: z.number().positive().max(86_400_000).optional(),
  costLimitUsd: z.number().min(0).max(1_000).optional(),
};

export const compressOptionsSchema = z.object(compressOptionFields);

/**
 * Checks the value and gives it back under its own type; throws `invalid_input` naming the field.
 * The value itself is returned, so that optional fields keep their exact form.
 */
export function validate<T>(schema: z.ZodType, value: T, what: string): T {
  const result = schema.safeParse(value);
  if (result.success) return value;
  const issue = result.error.issues[0];
  const where = issue && issue.path.length > 0 ? ` at "${issue.path.join(".")}"` : "";
  throw new AppError("invalid_input", `${what} is not valid${where}: ${issue?.message ?? "?"}.`, {
    hint: "Compare it with the types that the SDK exports.",
  });
}
