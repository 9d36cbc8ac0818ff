/** Failures in plain words with a next step; the one table between error codes and what a person reads. */

import { AppError, type ErrorCode, type WireError } from "../../../errors.ts";

export interface Explanation {
  title: string;
  message: string;
  next: string | null;
  /** What a button beside it may do. */
  action: "retry" | "reload" | "settings" | "models" | "costs" | null;
}

const BY_CODE: Partial<
  Record<ErrorCode, Pick<Explanation, "title" | "action"> & { next: string }>
> = {
  worker_lost: {
    title: "The engine stopped",
    next: "Reload the page. Everything that was acknowledged is stored.",
    action: "reload",
  },
  device_lost: {
    title: "The graphics processor was lost",
    next: "Run it again. If it is lost again, choose the processor instead.",
    action: "retry",
  },
  closed: {
    title: "The engine was closed",
    next: "Reload the page to open it again.",
    action: "reload",
  },
  storage_unavailable: {
    title: "This browser gives the page no storage",
    next: "Private windows and some settings switch it off. Open the page in a normal window, or allow this site to keep data.",
    action: "reload",
  },
  storage_full: {
    title: "The storage is full",
    next: "Export what you want to keep elsewhere, erase what you no longer need, then try again. What was acknowledged is kept.",
    action: "settings",
  },
  store_locked: {
    title: "Another window holds the memory",
    next: "Close other tabs of this page, then reload.",
    action: "reload",
  },
  model_missing: {
    title: "The model is not installed",
    next: "The embedding model is installed under Settings, language models under Models. Keyword search works without any.",
    action: "settings",
  },
  model_failed: {
    title: "The model could not run",
    next: "Try again, or remove and install it again. Keyword search still works, and summaries are made of the original's sentences.",
    action: "settings",
  },
  rate_limited: {
    title: "The server asks to wait",
    next: "Too many requests went to it. Try again in a while, or set a limit under Models.",
    action: "retry",
  },
  unauthorized: {
    title: "The server refused the key",
    next: "Set a valid key for it under Models.",
    action: "models",
  },
  budget_exceeded: {
    title: "Today's budget is used up",
    next: "Models on this device and the original's sentences are used until tomorrow. The budget is set under Costs.",
    action: "costs",
  },
  corrupt_data: {
    title: "Some stored bytes are damaged",
    next: "The damage was found by a checksum and nothing wrong is shown. Other memories are not touched.",
    action: null,
  },
  unsupported_version: {
    title: "Written by a newer version",
    next: "Update this page and try again.",
    action: "reload",
  },
  network: {
    title: "The source could not be reached",
    next: "Check the connection and try again. Memories and search need no network.",
    action: "retry",
  },
  not_found: {
    title: "Not found",
    next: "It may have been forgotten or erased.",
    action: null,
  },
};

/** Any thrown value, or an error as it crossed the worker. */
export function explainError(error: unknown): Explanation {
  const wire = error as Partial<WireError> | null;
  const code = error instanceof AppError ? error.code : wire?.code;
  const known = code === undefined || code === "aborted" ? undefined : BY_CODE[code];
  const message =
    typeof wire?.message === "string" && wire.message !== "" ? wire.message : String(error);
  const hint = typeof wire?.hint === "string" ? wire.hint : null;
  return {
    title: known?.title ?? "That didn't work",
    message,
    next: hint ?? known?.next ?? null,
    action: known?.action ?? (wire?.retryable === true ? "retry" : null),
  };
}
