/** The network side of a model's install: one file as a stream of positioned chunks. */

import { AppError, createAbortError } from "../../errors.ts";
import type { WeightsFile, WeightsModel } from "../../model/weights.ts";

/** A server that sends nothing for this long counts as lost. */
const STALL_MS = 30_000;

/** Where the application's own server has a weights file. */
export function modelFileUrl(model: WeightsModel, file: WeightsFile, baseUrl?: string): string {
  return new URL(`models/${model.name}/${file.name}`, baseUrl ?? applicationUrl()).href;
}

/** The folder the application is served from; built workers live in its `assets/`. */
function applicationUrl(): string {
  const assets = location.href.lastIndexOf("/assets/");
  return assets >= 0 ? location.href.slice(0, assets + 1) : `${location.origin}/`;
}

export interface PositionedChunk {
  /** Offset of the chunk in the file. */
  start: number;
  bytes: Uint8Array<ArrayBuffer>;
}

/**
 * The file from `offset` on; from 0 when the server ignores the range. `network` (retryable) when
 * it can't be reached, answers with an error or falls silent.
 */
export async function* fetchFrom(
  url: string,
  offset: number,
  signal?: AbortSignal,
): AsyncGenerator<PositionedChunk> {
  const abort = new AbortController();
  const cancel = () => abort.abort();
  signal?.addEventListener("abort", cancel, { once: true });
  let timer: ReturnType<typeof setTimeout> | undefined;
  const restartTimer = () => {
    clearTimeout(timer);
    timer = setTimeout(cancel, STALL_MS);
  };
  try {
    restartTimer();
    const response = await fetch(url, {
      headers: offset > 0 ? { range: `bytes=${offset}-` } : {},
      signal: abort.signal,
      cache: "no-store",
    });
    if (!response.ok || !response.body) throw statusError(url, response.status);
    let start = response.status === 206 ? offset : 0;
    const reader = response.body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      restartTimer();
      yield { start, bytes: value };
      start += value.length;
    }
  } catch (error) {
    if (signal?.aborted) throw createAbortError();
    if (error instanceof AppError || !isNetworkError(error)) throw error;
    throw new AppError("network", `The model's server can't be reached (${url}).`, {
      hint: "Check the connection and try again: the download continues where it stopped.",
      retryable: true,
      cause: error,
    });
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", cancel);
    abort.abort();
  }
}

/** What fetch and its body throw for a lost connection, or for our own abort after a stall. */
function isNetworkError(error: unknown): boolean {
  return error instanceof TypeError || (error as { name?: string }).name === "AbortError";
}

function statusError(url: string, status: number): AppError {
  return new AppError("network", `The server has no usable answer for ${url} (HTTP ${status}).`, {
    hint:
      status === 404
        ? "The weights are not on the server: run `npm run setup` there, then try again."
        : "Try again later: the download continues where it stopped.",
    retryable: true,
  });
}
