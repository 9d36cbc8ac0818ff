/** What goes wrong inside an engine for models, as an error that a person can act on. */

import { AppError, isAbortError } from "../../../errors.ts";

/** For adapters: an abort stays what it is, everything else becomes `model_failed`. */
export function runtimeError(title: string, error: unknown): Error {
  if (error instanceof AppError || isAbortError(error)) return error as Error;
  const message = error instanceof Error ? error.message : String(error);
  const memory = /out of memory|\bOOM\b|memory access|allocat|failed to grow|bad_alloc/i.test(
    message,
  );
  return new AppError("model_failed", `${title} failed: ${firstLine(message)}`, {
    hint: memory
      ? "There was not enough memory for it. Close other tabs, or take a smaller model."
      : "Try again: the model is loaded afresh. If it fails again, remove it and install it again, or take another one.",
    retryable: true,
    cause: error,
  });
}

function firstLine(message: string): string {
  return message.split("\n", 1)[0]!.trim().slice(0, 300) || "unknown reason";
}
