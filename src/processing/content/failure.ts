/** Turns what a parser threw into the failure of one item; a cancellation is thrown on. */

import { AppError, isAbortError, toError } from "../../errors.ts";
import type { ParsedFailure } from "./parsed-item.ts";

/** @throws the error itself when it is a cancellation */
export function toFailure(locator: string, error: unknown): ParsedFailure {
  if (isAbortError(error)) throw error;
  if (error instanceof Error && error.name === "NotReadableError")
    return {
      locator,
      error: new AppError("not_found", `${locator} can't be read any more: ${error.message}`, {
        hint: "The file was moved, changed or its permission was withdrawn; add it again.",
        cause: error,
      }),
    };
  return { locator, error: toError(error) as AppError };
}
