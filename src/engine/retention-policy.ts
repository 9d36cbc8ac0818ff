/** Retention rules: what may be set, and which rule decides over a memory. */

import { z } from "zod";
import { activationNow } from "../cognitive/activation.ts";
import type { RetentionPolicy, RetentionRule } from "../model/episode.ts";
import { CONTENT_KINDS, contentKind, META } from "../model/memory.ts";
import type { CatalogEntry } from "../storage/memory-store.ts";

export const NO_POLICY: RetentionPolicy = { enabled: false, rules: [] };

const DAY_MS = 86_400_000;
const MAX_RULES = 100;

const rule = z
  .strictObject({
    olderThanDays: z.number().min(0).max(100_000).optional(),
    sources: z.array(z.string().min(1)).min(1).max(1_000).optional(),
    kinds: z.array(z.enum(CONTENT_KINDS)).min(1).optional(),
    activationBelow: z.number().min(0).max(1).optional(),
    moveTo: z.enum(["summary", "gist"]),
  })
  .refine(
    ({ olderThanDays, sources, kinds, activationBelow }) =>
      [olderThanDays, sources, kinds, activationBelow].some((value) => value !== undefined),
    { message: "a rule needs at least one condition: age, source, kind or activation" },
  );

/** Typed by hand: an optional field of zod may also be there as `undefined`, which JSON can't hold. */
export const retentionPolicySchema = z.strictObject({
  enabled: z.boolean(),
  rules: z.array(rule).max(MAX_RULES),
}) as unknown as z.ZodType<RetentionPolicy>;

/** Index of the first rule that matches, or -1. Its level may be one that the memory has reached. */
export function decidingRule(
  rules: readonly RetentionRule[],
  entry: CatalogEntry,
  nowMs: number,
): number {
  return rules.findIndex((one) => {
    const kind = contentKind(entry.metadata[META.kind]);
    return (
      (one.olderThanDays === undefined || nowMs - entry.timestamp > one.olderThanDays * DAY_MS) &&
      (one.sources === undefined || one.sources.includes(entry.metadata[META.source] ?? "")) &&
      (one.kinds === undefined || (kind !== undefined && one.kinds.includes(kind))) &&
      (one.activationBelow === undefined || activationNow(entry, nowMs) < one.activationBelow)
    );
  });
}
