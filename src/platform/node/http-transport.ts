/**
 * `HttpTransport` of Node: connections are kept and shared per host, HTTP/2 where the server offers it
 * over TLS, else HTTP/1.1. Proxies that the environment names are used, but never for this machine.
 */

import { Agent, EnvHttpProxyAgent, request as send, type Dispatcher } from "undici";
import { AppError, createAbortError } from "../../errors.ts";
import type { HttpRequest, HttpResponse, HttpTransport } from "../../ports/http.ts";

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
const LOOPBACK = /^(?:localhost|.+\.localhost|127(?:\.\d+){3}|\[::1\])$/i;

export class NodeHttpTransport implements HttpTransport {
  readonly environment = "process";
  readonly #direct: Map<number, Agent> = new Map();
  readonly #proxied: Map<number, EnvHttpProxyAgent> = new Map();
  readonly #options: NodeHttpTransportOptions;
  readonly #hasProxy: boolean;
  #closed = false;

  constructor(options: NodeHttpTransportOptions = {}) {
    this.#options = options;
    const env = options.env ?? process.env;
    this.#hasProxy = ["https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY"].some(
      (name) => (env[name] ?? "") !== "",
    );
  }

  async send(request: HttpRequest): Promise<HttpResponse> {
    if (this.#closed) throw new AppError("closed", "The connections were closed.");
    const fail = (error: unknown): Error => {
      if (request.signal.aborted) return createAbortError();
      if (this.#closed) return new AppError("closed", "The connections were closed.");
      return networkError(request.url, error);
    };
    let response: Dispatcher.ResponseData;
    try {
      response = await send(request.url, {
        method: request.method,
        headers: { "user-agent": "llm-compress", ...request.headers },
        body: request.body ?? null,
        signal: request.signal,
        dispatcher: this.#dispatcher(new URL(request.url), request.connectTimeoutMs ?? 10_000),
        // The client watches times itself, per call.
        headersTimeout: 0,
        bodyTimeout: 0,
      });
    } catch (error) {
      throw fail(error);
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
    const agents = [...this.#direct.values(), ...this.#proxied.values()];
    this.#direct.clear();
    this.#proxied.clear();
    await Promise.all(agents.map((agent) => agent.destroy()));
  }

  /** One pool per time to connect: in practice one, since a provider's is fixed. */
  #dispatcher(url: URL, connectTimeoutMs: number): Dispatcher {
    const { keepAliveMs = 30_000, http2 = true, ca } = this.#options;
    const options = {
      allowH2: http2,
      keepAliveTimeout: keepAliveMs,
      connect: { timeout: connectTimeoutMs, ...(ca === undefined ? {} : { ca }) },
    };
    if (this.#hasProxy && !LOOPBACK.test(url.hostname)) {
      const known = this.#proxied.get(connectTimeoutMs);
      if (known) return known;
      const agent = new EnvHttpProxyAgent(options);
      this.#proxied.set(connectTimeoutMs, agent);
      return agent;
    }
    const known = this.#direct.get(connectTimeoutMs);
    if (known) return known;
    const agent = new Agent(options);
    this.#direct.set(connectTimeoutMs, agent);
    return agent;
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
