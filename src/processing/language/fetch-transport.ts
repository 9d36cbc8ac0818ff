/**
 * `HttpTransport` over `fetch`: in pages and workers, and wherever else there is one.
 *
 * In a page requests stand under CORS: the server must allow this origin, the method and the headers
 * `content-type` and that of the key. OpenAI and Gemini do; Claude does for requests that carry
 * `anthropic-dangerous-direct-browser-access` (its adapter adds it); Ollama answers only origins named
 * in `OLLAMA_ORIGINS`; other servers have switches of their own. Headers that a server doesn't expose
 * (`Access-Control-Expose-Headers`), such as its limits, can't be read there.
 */

import { AppError, createAbortError } from "../../errors.ts";
import type { HttpRequest, HttpResponse, HttpTransport } from "../../ports/http.ts";

export interface FetchTransportOptions {
  /** Default: "page" where there is a location, else "process". */
  environment?: "page" | "process";
  fetch?: typeof fetch;
}

export class FetchTransport implements HttpTransport {
  readonly environment: "page" | "process";
  readonly #fetch: typeof fetch;
  readonly #running = new Set<AbortController>();
  #closed = false;

  constructor(options: FetchTransportOptions = {}) {
    this.environment =
      options.environment ?? (typeof globalThis.location === "object" ? "page" : "process");
    this.#fetch = options.fetch ?? ((input, init) => globalThis.fetch(input, init));
  }

  async send(request: HttpRequest): Promise<HttpResponse> {
    if (this.#closed) throw new AppError("closed", "The connections were closed.");
    const closing = new AbortController();
    this.#running.add(closing);
    const signal = AbortSignal.any([request.signal, closing.signal]);
    const fail = (error: unknown): Error => {
      if (request.signal.aborted) return createAbortError();
      if (closing.signal.aborted) return new AppError("closed", "The connections were closed.");
      return this.#networkError(request, error);
    };
    let response: Response;
    try {
      response = await this.#fetch(request.url, {
        method: request.method,
        headers: request.headers,
        ...(request.body === undefined ? {} : { body: request.body }),
        redirect: "error",
        // No cookies, nothing cached, no page address: a request tells nothing but itself.
        credentials: "omit",
        cache: "no-store",
        referrerPolicy: "no-referrer",
        signal,
      });
    } catch (error) {
      this.#running.delete(closing);
      throw fail(error);
    }
    const done = () => this.#running.delete(closing);
    return {
      status: response.status,
      headers: response.headers,
      header: (name) => response.headers.get(name),
      body: readBody(response, fail, done),
    };
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const controller of this.#running) controller.abort();
    this.#running.clear();
  }

  #networkError(request: HttpRequest, cause: unknown): AppError {
    const { host } = new URL(request.url);
    // Browsers give no reason; Node's fetch puts it into the cause.
    const inner = (cause as { cause?: { code?: unknown; message?: unknown } } | null)?.cause;
    const reason = [inner?.code, inner?.message].filter((part) => typeof part === "string");
    return new AppError(
      "network",
      `${host} can't be reached${reason.length > 0 ? ` (${reason.join(": ")})` : ""}.`,
      {
        hint:
          this.environment === "page"
            ? "Check the address, that the server runs, and that it allows requests from this page (CORS)."
            : "Check the address and that the server runs.",
        retryable: true,
        ...(inner instanceof Error ? { cause: inner } : {}),
      },
    );
  }
}

async function* readBody(
  response: Response,
  fail: (error: unknown) => Error,
  done: () => void,
): AsyncGenerator<Uint8Array> {
  const reader = response.body?.getReader();
  let ended = false;
  try {
    if (!reader) return;
    for (;;) {
      const { done: last, value } = await reader.read();
      if (last) {
        ended = true;
        return;
      }
      yield value;
    }
  } catch (error) {
    ended = true;
    throw fail(error);
  } finally {
    // Left early: the connection is of no more use to anyone.
    if (!ended) await reader?.cancel().catch(() => undefined);
    done();
  }
}
