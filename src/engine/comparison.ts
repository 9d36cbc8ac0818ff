/** A text beside its candidate summaries, each judged. */

import type { CompressOptions, Engine } from "../engine.ts";
import { AppError } from "../errors.ts";
import type { Comparison, Evaluation } from "../model/comparison.ts";
import type { TaskOptions } from "../model/task-control.ts";
import type { EngineParts } from "./local-engine.ts";

export function evaluateSummary(
  _parts: EngineParts,
  _input: Parameters<Engine["evaluate"]>[0],
  _options: TaskOptions,
): Promise<Evaluation> {
  return Promise.reject(new AppError("internal", "Not there yet."));
}

export function compareSummaries(
  _parts: EngineParts,
  _text: string,
  _options: CompressOptions,
): Promise<Comparison> {
  return Promise.reject(new AppError("internal", "Not there yet."));
}
