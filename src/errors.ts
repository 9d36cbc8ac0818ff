/**
 * The one error type of the system, and its form on a wire (worker, HTTP, CLI).
 *
 * Every failure that a person or program can meet carries a code from a closed union, a message
 * (what was wrong, where) and a hint (what to do). Cancellation is not a failure: it stays the
 * platform's `AbortError`.
 */

export const ERROR_CODES = [
  "invalid_input", // the caller's value is wrong; nothing was done
  "unsupported_input", // well-formed, but of a kind that is not handled (binary, unknown archive)
  "too_large", // over a stated limit
  "not_found", // no memory, file or model of that name
  "corrupt_data", // stored or given bytes fail their check
  "unsupported_version", // a format written by a newer program
  "storage_full", // quota or disk exhausted; nothing of this write was kept
  "storage_unavailable", // no OPFS, no permission, directory not writable
  "store_locked", // another process holds the store
  "model_missing", // weights are not installed
  "model_failed", // a model could not be loaded or run
  "embedding_mismatch", // vectors of different models would be mixed
  "query_failed", // SQL or search expression refused
  "read_only", // a write was asked of a read-only surface
  "worker_lost", // the worker or the leading tab ended before it answered
  "device_lost", // the graphics processor ended before it answered
  "closed", // the engine was closed
  "network", // a source could not be reached
  "rate_limited", // a provider asks to wait
  "unauthorized", // a provider refused the key, or none is set
  "budget_exceeded", // the daily budget for language models is used up
  "internal", // a defect of ours
] as const;

export type ErrorCode = (typeof ERROR_CODES)[number];

export interface AppErrorOptions {
  /** What the reader can do about it, in plain words. */
  hint?: string;
  /** True when the same call may succeed later without change. */
  retryable?: boolean;
  cause?: unknown;
}

/** The form in which an error crosses a worker, HTTP or process boundary. */
export interface WireError {
  code: ErrorCode | "aborted";
  message: string;
  hint?: string;
  retryable: boolean;
}

export class AppError extends Error {
  override readonly name = "AppError";
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly retryable: boolean;

  constructor(code: ErrorCode, message: string, options: AppErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.hint = options.hint;
    this.retryable = options.retryable ?? false;
  }
}

/** Code → HTTP status. */
export const HTTP_STATUS: Record<ErrorCode, number> = {
  invalid_input: 400,
  unsupported_input: 415,
  too_large: 413,
  not_found: 404,
  corrupt_data: 422,
  unsupported_version: 422,
  storage_full: 507,
  storage_unavailable: 503,
  store_locked: 423,
  model_missing: 503,
  model_failed: 503,
  embedding_mismatch: 409,
  query_failed: 400,
  read_only: 403,
  worker_lost: 503,
  device_lost: 503,
  closed: 503,
  network: 502,
  rate_limited: 429,
  unauthorized: 401,
  budget_exceeded: 402,
  internal: 500,
};

/** Code → exit code of the command line (0 success, 130 interrupted). */
export const EXIT_CODE: Record<ErrorCode, number> = {
  invalid_input: 2,
  unsupported_input: 3,
  too_large: 3,
  not_found: 4,
  corrupt_data: 5,
  unsupported_version: 5,
  storage_full: 6,
  storage_unavailable: 6,
  store_locked: 7,
  model_missing: 8,
  model_failed: 8,
  embedding_mismatch: 8,
  query_failed: 2,
  read_only: 2,
  worker_lost: 9,
  device_lost: 9,
  closed: 9,
  network: 9,
  rate_limited: 9,
  unauthorized: 8,
  budget_exceeded: 8,
  internal: 1,
};

export function isAbortError(error: unknown): boolean {
  return error instanceof Error && error.name === "AbortError";
}

/** True for the failure of a call that the engine's own end cut off. */
export function isClosed(error: unknown): boolean {
  return error instanceof AppError && error.code === "closed";
}

export function createAbortError(): Error {
  return new DOMException("The operation was cancelled.", "AbortError");
}

/** Throws `AbortError` when the signal has fired. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw createAbortError();
}

/** Any thrown value as an `AppError`; a cancellation is returned unchanged. */
export function toError(error: unknown): AppError | Error {
  if (error instanceof AppError || isAbortError(error)) return error as AppError | Error;
  const name = error instanceof Error ? error.name : "";
  const message = error instanceof Error ? error.message : String(error);
  const nodeCode = (error as { code?: unknown } | null)?.code;
  if (name === "QuotaExceededError" || nodeCode === "ENOSPC" || nodeCode === "EDQUOT")
    return new AppError("storage_full", `The storage is full: ${message}`, {
      hint: "Free some space (Settings → Storage, or the disk) and try again; what was acknowledged is kept.",
      retryable: true,
      cause: error,
    });
  return new AppError("internal", message || "Unknown error", { cause: error });
}

export function toWireError(error: unknown): WireError {
  if (isAbortError(error))
    return { code: "aborted", message: (error as Error).message, retryable: true };
  const app = toError(error) as AppError;
  return {
    code: app.code,
    message: app.message,
    ...(app.hint === undefined ? {} : { hint: app.hint }),
    retryable: app.retryable,
  };
}

export function fromWireError(wire: WireError): Error {
  if (wire.code === "aborted") return createAbortError();
  return new AppError(wire.code, wire.message, {
    ...(wire.hint === undefined ? {} : { hint: wire.hint }),
    retryable: wire.retryable,
  });
}
