/** What the HTTP interface takes, checked before it reaches the engine. Bytes travel as base64. */

import { z } from "zod";
import {
  compressOptionFields,
  filterSchema,
  memoryInputSchema,
} from "../../engine/input-schemas.ts";
import { ENTITY_TYPES } from "../../model/memory.ts";

const timestamp = z.number().min(-8.64e15).max(8.64e15);
const unit = z.number().min(0).max(1);
const base64 = z.base64().transform((text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0)));

const mode = z.enum(["fast", "balanced", "high"]);
const keep = z.enum(["exact", "summary"]);

const item = z.strictObject({
  text: z.string(),
  /** The exact source bytes where they are not the UTF-8 of `text`. */
  originalBase64: base64.optional(),
  timestamp: timestamp.optional(),
  userId: z.string().min(1).max(200).optional(),
  metadata: z.record(z.string().min(1).max(200), z.string().max(10_000)).optional(),
  embedding: memoryInputSchema.shape.embedding,
  entities: memoryInputSchema.shape.entities,
});

export const rememberBody = z.strictObject({
  items: z.array(item).min(1).max(1_000),
  ...compressOptionFields,
  embed: z.boolean().optional(),
});

export const recallBody = z.strictObject({
  query: z.string().trim().min(1).max(10_000),
  topK: z.int().min(1).max(1_000).optional(),
  filter: filterSchema.optional(),
  prefix: z.boolean().optional(),
  contextTokens: z.int().min(16).max(1_000_000).optional(),
  diversity: unit.optional(),
  now: timestamp.optional(),
});

export const evaluateBody = z.strictObject({
  original: z.string().min(1),
  summary: z.string(),
  mode: mode.optional(),
});

export const compressBody = z.strictObject({
  text: z.string(),
  ...compressOptionFields,
});

const size = z.number().min(0);

export const compressedBody = z.strictObject({
  version: z.literal(1),
  keep,
  keepReason: z.string().optional(),
  mode,
  model: z.string(),
  summary: z.string(),
  entities: z.array(
    z.strictObject({ text: z.string(), type: z.enum(ENTITY_TYPES), confidence: unit }),
  ),
  quality: z.strictObject({
    similarity: z.number().min(-1).max(1).nullable(),
    coverage: z.number().min(-1).max(1).nullable(),
    entityRecall: unit,
    numberRecall: unit,
    faithfulness: unit,
  }),
  residualBase64: base64.nullable(),
  contentSha256: z.string().regex(/^[0-9a-f]{64}$/, "must be a SHA-256 in lower-case hex"),
  ratios: z.strictObject({
    originalBytes: size,
    storedBytes: size,
    storedRatio: size,
    totalRatio: size,
    contextRatio: size,
  }),
});

export const eraseQuery = z.strictObject({
  erase: z.enum(["true", "false"]).default("false"),
});
