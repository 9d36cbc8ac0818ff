/** Writes the summaries of stored memories again. */

import type { Engine, Receipt, RememberOptions } from "../engine.ts";
import { AppError } from "../errors.ts";
import type { EngineParts } from "./local-engine.ts";

export function resummarize(
  _parts: EngineParts,
  _target: Parameters<Engine["resummarize"]>[0],
  _options: RememberOptions,
): Promise<Receipt[]> {
  return Promise.reject(new AppError("internal", "Not there yet."));
}
