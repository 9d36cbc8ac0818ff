/** A text beside its candidate summaries, each judged; and anyone's summary judged the same way. */

import { z } from "zod";
import type { CompressOptions, Engine } from "../engine.ts";
import { AppError } from "../errors.ts";
import type { Comparison, Evaluation } from "../model/comparison.ts";
import { ENTITY_TYPES } from "../model/memory.ts";
import type { TaskOptions } from "../model/task-control.ts";
import { analyzeContent } from "../processing/content/analysis.ts";
import { compressionModeSchema, MAX_MEMORY_CHARACTERS, validate } from "./input-schemas.ts";
import type { EngineParts } from "./local-engine.ts";

/** What `evaluate` takes; also over HTTP. */
export const evaluationInputSchema = z.object({
  original: z.string(),
  summary: z.string(),
  mode: compressionModeSchema.optional(),
  entities: z
    .array(
      z.object({
        text: z.string().min(1).max(1_000),
        type: z.enum(ENTITY_TYPES),
        confidence: z.number().min(0).max(1),
      }),
    )
    .max(10_000)
    .optional(),
});

function checkText(text: string, what: string): void {
  if (text.trim() === "")
    throw new AppError("invalid_input", `${what} is empty.`, {
      hint: "Give a text with at least one sentence.",
    });
  if (text.length > MAX_MEMORY_CHARACTERS)
    throw new AppError(
      "too_large",
      `${what} has ${text.length} characters; at most ${MAX_MEMORY_CHARACTERS} are read at once.`,
      { hint: "Cut it into sections." },
    );
}

/** Judges a summary by the gate of a mode. `invalid_input` for an empty text or summary. */
export async function evaluateSummary(
  parts: Pick<EngineParts, "models">,
  input: Parameters<Engine["evaluate"]>[0],
  options: TaskOptions,
): Promise<Evaluation> {
  validate(evaluationInputSchema, input, "The input");
  checkText(input.original, "The original");
  checkText(input.summary, "The summary");
  const { compressor } = await parts.models.compressor(true);
  return compressor.inspectSummary({
    original: input.original,
    summary: input.summary,
    mode: input.mode ?? "fast",
    kind: analyzeContent(input.original, {}).kind,
    ...(input.entities && { entities: input.entities }),
    ...(options.signal && { signal: options.signal }),
  });
}

/** Summarises a text as storing it would, and shows every candidate; stores nothing. */
export async function compareSummaries(
  parts: Pick<EngineParts, "models">,
  text: string,
  options: CompressOptions,
): Promise<Comparison> {
  checkText(text, "The text");
  const { compressor } = await parts.models.compressor(true);
  return compressor.inspectCandidates({ text, kind: analyzeContent(text, {}).kind }, options);
}
