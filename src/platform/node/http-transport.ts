/**
 * `HttpTransport` of Node: connections are kept and shared per host, HTTP/2 where the server offers it
 * over TLS, else HTTP/1.1. Proxies that the environment names are used, but never for this machine.
 */

import { request as send, type Dispatcher } from "undici";
import { AppError, createAbortError } from "../../errors.ts";
import type { HttpRequest, HttpResponse, HttpTransport } from "../../ports/http.ts";
import { ConnectionAgents } from "./connection-agents.ts";

export interface NodeHttpTransportOptions {
  /** Idle connections are kept that long. Default 30,000. */
  keepAliveMs?: number;
  /** Further authorities to trust, PEM. */
  ca?: string;
  /** False never speaks HTTP/2. */
  http2?: boolean;
  /** Where proxies are named; default this process's environment. */
  env?: Readonly<Record<string, string | undefined>>;
}

const HINTS: Record<string, string> = {
  ENOTFOUND: "Check the address; is this machine online?",
  EAI_AGAIN: "Check the address; is this machine online?",
  ECONNREFUSED: "Check the address, and that the server runs there.",
  UND_ERR_CONNECT_TIMEOUT: "Check the address; a firewall may stand in between.",
};

export class NodeHttpTransport implements HttpTransport {
  readonly environment = "process";
  readonly #agents: ConnectionAgents;
  #closed = false;

  constructor(options: NodeHttpTransportOptions = {}) {
    this.#agents = new ConnectionAgents(options);
  }

  async send(request: HttpRequest): Promise<HttpResponse> {
    if (this.#closed) throw new AppError("closed", "The connections were closed.");
    const fail = (error: unknown): Error => {
      if (request.signal.aborted) return createAbortError();
      if (this.#closed) return new AppError("closed", "The connections were closed.");
      return networkError(request.url, error);
    };
    let response: Dispatcher.ResponseData;
    let settled: (() => void) | undefined;
    try {
      const chosen = await this.#agents.choose(
        new URL(request.url),
        request.connectTimeoutMs ?? 10_000,
        request.signal,
      );
      if (this.#closed) throw new AppError("closed", "The connections were closed.");
      settled = chosen.settled;
      response = await send(request.url, {
        method: request.method,
        headers: { "user-agent": "llm-compress", ...request.headers },
        body: request.body ?? null,
        signal: request.signal,
        dispatcher: chosen.dispatcher,
        // A stream of a shared connection doesn't wait for the others; the library repeats nothing by itself.
        ...(chosen.shared ? { idempotent: true } : {}),
        // The client watches times itself, per call.
        headersTimeout: 0,
        bodyTimeout: 0,
      });
    } catch (error) {
      throw fail(error);
    } finally {
      settled?.();
    }
    const header = (name: string): string | null => {
      const value = response.headers[name];
      return value === undefined ? null : Array.isArray(value) ? value.join(", ") : value;
    };
    return {
      status: response.statusCode,
      header,
      headers: Object.keys(response.headers).map((name) => [name, header(name) ?? ""] as const),
      body: readBody(response, fail),
    };
  }

  /** Ends all connections; requests under way fail with `closed`. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#agents.close();
  }
}

async function* readBody(
  response: Dispatcher.ResponseData,
  fail: (error: unknown) => Error,
): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of response.body) yield chunk as Uint8Array;
  } catch (error) {
    throw fail(error);
  }
}

/** What the system says, without anything of the request but its host. */
function networkError(url: string, error: unknown): AppError {
  const { host } = new URL(url);
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown };
  const said = [code, message].filter(
    (part): part is string => typeof part === "string" && part !== "",
  );
  return new AppError(
    "network",
    `${host} can't be reached (${said.join(": ") || "no reason given"}).`,
    {
      hint: HINTS[String(code)] ?? "Try again; check the address and that the server runs.",
      retryable: true,
      cause: error,
    },
  );
}
