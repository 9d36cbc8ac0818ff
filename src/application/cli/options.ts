/** Command-line values checked and typed: every command's zod schema is made of these parts. */

import { z } from "zod";
import { AppError } from "../../errors.ts";
import type { CompressOptions } from "../../engine.ts";
import { CONTENT_KINDS, type ContentKind } from "../../model/memory.ts";
import { whenShown } from "../../model/wall-clock.ts";
import type { MemoryFilter } from "../../model/query.ts";

/** Options that every command takes. */
export const globalOptions = z.object({
  store: z.string().min(1, "needs a folder").optional(),
  json: z.boolean().default(false),
  progress: z.boolean().optional(),
  color: z.boolean().optional(),
});
export type GlobalOptions = z.output<typeof globalOptions>;

export const modeOption = z.enum(["fast", "balanced", "high"]);
export const keepOption = z.enum(["exact", "summary"]);
export const pathOption = z.string().min(1, "needs a path");

/** A whole number written in decimal, within [min, max]. */
export function integerOption(min: number, max: number) {
  const message = `must be a whole number from ${min.toLocaleString("en-US")} to ${max.toLocaleString("en-US")}`;
  return z
    .string()
    .regex(/^\d{1,15}$/, message)
    .transform(Number)
    .pipe(z.number().min(min, message).max(max, message));
}

/** A number from 0 to 1: "0.3". */
const SIZE_UNITS: Readonly<Record<string, number>> = { kb: 1e3, mb: 1e6, gb: 1e9 };

/** "800KB", "6.5MB": bytes. */
export const sizeOption = z.string().transform((value, context) => {
  const found = /^(\d+(?:\.\d+)?)\s*([kmg]b)$/i.exec(value.trim());
  if (found) return Math.round(Number(found[1]) * SIZE_UNITS[found[2]!.toLowerCase()]!);
  context.addIssue({ code: "custom", message: `"${value}" is no size like 800KB or 6.5MB` });
  return z.NEVER;
});

export function shareOption() {
  const message = "must be a number from 0 to 1, like 0.3";
  return z
    .string()
    .regex(/^(0|1|[01]?\.\d{1,9})$/, message)
    .transform(Number)
    .pipe(z.number().min(0, message).max(1, message));
}

/** US dollars: "0.05", "1". */
export function usdOption(max: number) {
  const message = `must be an amount in US dollars from 0 to ${max.toLocaleString("en-US")}, like 0.05`;
  return z
    .string()
    .regex(/^\d{1,9}(\.\d{1,9})?$/, message)
    .transform(Number)
    .pipe(z.number().max(max, message));
}

/** What a command asks of language models; see `addModelOptions`. */
export const modelOptions = {
  model: z.string().min(1, 'needs "auto", "extractive" or a model\'s id').optional(),
  costLimit: usdOption(1_000).optional(),
  latencyBudget: integerOption(1, 3_600_000).optional(),
};

/** These options as the engine takes them. */
export function toModelChoice(options: {
  model?: string | undefined;
  costLimit?: number | undefined;
  latencyBudget?: number | undefined;
}): Pick<CompressOptions, "model" | "costLimitUsd" | "latencyBudgetMs"> {
  const { model, costLimit, latencyBudget } = options;
  return {
    ...(model === undefined ? {} : { model }),
    ...(costLimit === undefined ? {} : { costLimitUsd: costLimit }),
    ...(latencyBudget === undefined ? {} : { latencyBudgetMs: latencyBudget }),
  };
}

/** A date ("2024-05", "2024-05-01") or time ("2024-05-01T10:00:00Z") as ms since epoch; local without zone. */
export const timeOption = z.string().transform((value, context) => {
  const wellFormed =
    /^\d{4}(-\d{2}(-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?)?)?$/;
  // A date alone is read as UTC.
  const parsed = wellFormed.test(value) ? Date.parse(value.replace(" ", "T")) : NaN;
  const ms = value.length <= "2024-05-01".length ? whenShown(parsed) : parsed;
  if (Number.isNaN(ms) || !sameDay(value, parsed)) {
    context.addIssue({
      code: "custom",
      message: "must be a date like 2024-05-01 or a time like 2024-05-01T10:00:00Z",
    });
    return z.NEVER;
  }
  return ms;
});

/** `Date.parse` rolls 2024-02-31 over to March: a date without a time must come back as it was given. */
function sameDay(value: string, ms: number): boolean {
  const day = /^\d{4}-\d{2}-\d{2}$/.exec(value);
  return day === null || new Date(ms).toISOString().startsWith(value);
}

/** "key=value", repeatable, as a record. */
export const metadataOption = z
  .array(
    z.string().transform((pair, context) => {
      const split = pair.indexOf("=");
      if (split < 1) {
        context.addIssue({ code: "custom", message: `must be KEY=VALUE, not "${pair}"` });
        return z.NEVER;
      }
      return [pair.slice(0, split), pair.slice(split + 1)] as const;
    }),
  )
  .transform((pairs) => Object.fromEntries(pairs));

export const filterOptions = z.object({
  after: timeOption.optional(),
  before: timeOption.optional(),
  source: z.array(z.string()).optional(),
  speaker: z.array(z.string()).optional(),
  entity: z.array(z.string()).optional(),
  kind: z.array(z.enum(CONTENT_KINDS)).optional(),
});

/** The filter that these options state; undefined when they state none. */
export function toFilter(options: z.output<typeof filterOptions>): MemoryFilter | undefined {
  const filter: MemoryFilter = {};
  if (options.after !== undefined) filter.after = options.after;
  if (options.before !== undefined) filter.before = options.before;
  if (options.source) filter.sources = options.source;
  if (options.speaker) filter.speakers = options.speaker;
  if (options.entity) filter.entities = options.entity;
  if (options.kind) filter.kinds = options.kind satisfies ContentKind[];
  return Object.keys(filter).length === 0 ? undefined : filter;
}

/** Values against their schema; the first thing wrong becomes "--top-k: must be …". */
export function parseOptions<S extends z.ZodType>(
  schema: S,
  values: Record<string, unknown>,
  /** Names of positional arguments, which have no "--". */
  positional: readonly string[] = [],
): z.output<S> {
  const result = schema.safeParse(values);
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  const key = String(issue.path[0] ?? "");
  const flag = positional.includes(key)
    ? key.toUpperCase()
    : `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
  throw new AppError("invalid_input", `${flag}: ${describeIssue(issue)}`, {
    hint: "See --help for what it takes.",
  });
}

function describeIssue(issue: z.core.$ZodIssue): string {
  if (issue.code === "invalid_value")
    return `must be one of ${issue.values.map(String).join(", ")}`;
  if (issue.code === "invalid_type" && issue.input === undefined) return "is required";
  return issue.message;
}
