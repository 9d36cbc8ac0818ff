/** The network side of a model's install: one file as a stream of positioned chunks, or a small one whole. */

import { AppError, createAbortError } from "../../errors.ts";
import type { WeightsFile, WeightsModel } from "../../model/weights.ts";

/** A server that sends nothing for this long counts as lost. */
const STALL_MS = 30_000;

/** Where the application's own server has a weights file. */
export function modelFileUrl(
  model: Pick<WeightsModel, "name">,
  file: Pick<WeightsFile, "name">,
  baseUrl?: string,
): string {
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
  /** Size of the whole file as the server says; null when it doesn't. */
  totalBytes: number | null;
}

/**
 * The file from `offset` on; from 0 when the server ignores the range. `network` (retryable) when
 * it can't be reached, answers with an error or falls silent; `not_found` when the server hasn't it
 * (404, or a page where a file should be).
 */
export async function* fetchFrom(
  url: string,
  offset: number,
  signal?: AbortSignal,
): AsyncGenerator<PositionedChunk> {
  const abort = new AbortController();
  const cancel = () => abort.abort();
  if (signal?.aborted) throw createAbortError();
  signal?.addEventListener("abort", cancel, { once: true });
  let timer: ReturnType<typeof setTimeout> | undefined;
  const restartTimer = () => {
    clearTimeout(timer);
    timer = setTimeout(cancel, STALL_MS);
  };
  try {
    restartTimer();
    const request = (from: number) =>
      fetch(url, {
        headers: from > 0 ? { range: `bytes=${from}-` } : {},
        signal: abort.signal,
        cache: "no-store",
      });
    let response = await request(offset);
    // Nothing is there at that offset: another file than the one that was begun, or all of it.
    if (response.status === 416 && offset > 0) response = await request(0);
    if (!response.ok || !response.body) throw statusError(url, response.status);
    if (response.headers.get("content-type")?.startsWith("text/html"))
      // What a server of single-page applications answers for a file that it doesn't have.
      throw statusError(url, 404);
    const first = response.status === 206 ? offset : 0;
    const length = Number(response.headers.get("content-length") ?? NaN);
    const totalBytes = Number.isSafeInteger(length) && length > 0 ? first + length : null;
    let start = first;
    const reader = response.body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      restartTimer();
      yield { start, bytes: value, totalBytes };
      start += value.length;
    }
  } catch (error) {
    if (signal?.aborted) throw createAbortError();
    if (error instanceof AppError || !isNetworkError(error)) throw error;
    throw new AppError("network", `The model's server can't be reached (${url}).`, {
      hint: `Check the connection and try again: the download continues where it stopped.${foreign(url) ? " A server of another origin must also allow this page to read its files (CORS: Access-Control-Allow-Origin)." : ""}`,
      retryable: true,
      cause: error,
    });
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", cancel);
    abort.abort();
  }
}

/** A small file whole; `too_large` beyond `maxBytes`, otherwise as `fetchFrom`. */
export async function fetchWhole(
  url: string,
  maxBytes: number,
  signal?: AbortSignal,
): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  for await (const { bytes } of fetchFrom(url, 0, signal)) {
    size += bytes.length;
    if (size > maxBytes)
      throw new AppError("too_large", `${url} is larger than ${maxBytes} bytes.`, {
        hint: "Check the address: a small description is expected there.",
      });
    chunks.push(bytes);
  }
  const whole = new Uint8Array(size);
  let offset = 0;
  for (const chunk of chunks) {
    whole.set(chunk, offset);
    offset += chunk.length;
  }
  return whole;
}

function foreign(url: string): boolean {
  return new URL(url).origin !== location.origin;
}

/** What fetch and its body throw for a lost connection, or for our own abort after a stall. */
function isNetworkError(error: unknown): boolean {
  return error instanceof TypeError || (error as { name?: string }).name === "AbortError";
}

function statusError(url: string, status: number): AppError {
  if (status === 404 || status === 410)
    return new AppError("not_found", `The server doesn't have ${url} (HTTP ${status}).`, {
      hint: foreign(url)
        ? "Check the model's address."
        : "The weights are not on the server: run `npm run setup` there, then try again.",
      retryable: true,
    });
  return new AppError("network", `The server has no usable answer for ${url} (HTTP ${status}).`, {
    hint: "Try again later: the download continues where it stopped.",
    retryable: true,
  });
}
