/**
 * Which pool of connections a request takes: through a proxy, one shared connection per host that
 * speaks HTTP/2, or as many as are needed for one that speaks HTTP/1.1. What a host speaks is known
 * only once it was reached: the first request finds out, those that come meanwhile wait for it.
 */

import { Agent, buildConnector, EnvHttpProxyAgent, type Dispatcher } from "undici";
import type { NodeHttpTransportOptions } from "./http-transport.ts";

/** Streams that one connection carries before another waits; servers allow 100 or more. */
const STREAMS_PER_CONNECTION = 100;
const LOOPBACK = /^(?:localhost|.+\.localhost|127(?:\.\d+){3}|\[::1\])$/i;

export interface ChosenAgent {
  dispatcher: Dispatcher;
  /** True when requests run beside each other on one connection. */
  shared: boolean;
  /** To call when the request was sent or failed: others may wait for what it finds out. */
  settled?: () => void;
}

/** Pools of one time to connect: in practice there is one such set, since a provider's time is fixed. */
interface Pools {
  /** One connection per host. */
  shared: Agent;
  /** HTTP/1.1: a connection per request under way. */
  plain: Agent;
  proxied: EnvHttpProxyAgent | null;
}

export class ConnectionAgents {
  readonly #options: NodeHttpTransportOptions;
  readonly #hasProxy: boolean;
  readonly #pools = new Map<number, Pools>();
  /** By "https://host:port": whether its last connection spoke HTTP/2. */
  readonly #speaksHttp2 = new Map<string, boolean>();
  /** Hosts that are being reached for the first time. */
  readonly #asking = new Map<string, { answered: Promise<void>; done: () => void }>();

  constructor(options: NodeHttpTransportOptions) {
    this.#options = options;
    const env = options.env ?? process.env;
    this.#hasProxy = ["https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY"].some(
      (name) => (env[name] ?? "") !== "",
    );
  }

  /** Waits while another request finds out what the host speaks, but no longer than the signal allows. */
  async choose(url: URL, connectTimeoutMs: number, signal: AbortSignal): Promise<ChosenAgent> {
    const pools = this.#poolsFor(connectTimeoutMs);
    if (pools.proxied && !LOOPBACK.test(url.hostname))
      return { dispatcher: pools.proxied, shared: false };
    if (url.protocol !== "https:" || this.#options.http2 === false)
      return { dispatcher: pools.plain, shared: false };
    const host = hostOf(url.hostname, url.port);
    if (!this.#speaksHttp2.has(host)) {
      const asking = this.#asking.get(host);
      if (!asking) {
        const settled = this.#ask(host);
        return { dispatcher: pools.shared, shared: false, settled };
      }
      await unlessAborted(asking.answered, signal);
    }
    // Not known even now: it wasn't reached, and each request says so for itself.
    const http2 = this.#speaksHttp2.get(host) ?? false;
    return { dispatcher: http2 ? pools.shared : pools.plain, shared: http2 };
  }

  /** Ends all connections with the requests on them. */
  async close(): Promise<void> {
    const pools = [...this.#pools.values()];
    this.#pools.clear();
    for (const { done } of this.#asking.values()) done();
    await Promise.all(
      pools.flatMap(({ shared, plain, proxied }) =>
        [shared, plain, proxied].map((agent) => agent?.destroy()),
      ),
    );
  }

  #ask(host: string): () => void {
    let resolve!: () => void;
    const answered = new Promise<void>((done) => (resolve = done));
    const done = () => {
      this.#asking.delete(host);
      resolve();
    };
    this.#asking.set(host, { answered, done });
    return done;
  }

  #poolsFor(connectTimeoutMs: number): Pools {
    const known = this.#pools.get(connectTimeoutMs);
    if (known) return known;
    const { keepAliveMs = 30_000, http2 = true, ca } = this.#options;
    const connect = { timeout: connectTimeoutMs, ...(ca === undefined ? {} : { ca }) };
    const common = { keepAliveTimeout: keepAliveMs };
    const pools: Pools = {
      shared: new Agent({
        ...common,
        allowH2: true,
        connections: 1,
        pipelining: STREAMS_PER_CONNECTION,
        connect: this.#connector({ ...connect, allowH2: true }),
      }),
      plain: new Agent({ ...common, connect }),
      proxied: this.#hasProxy
        ? new EnvHttpProxyAgent({ ...common, allowH2: http2, connect })
        : null,
    };
    this.#pools.set(connectTimeoutMs, pools);
    return pools;
  }

  /** Connects, and notes what was agreed on. */
  #connector(options: buildConnector.BuildOptions): buildConnector.connector {
    const connect = buildConnector(options);
    return (target, callback) =>
      connect(target, (...outcome: Parameters<buildConnector.Callback>) => {
        const host = hostOf(target.hostname, target.port);
        const [, socket] = outcome;
        if (socket)
          this.#speaksHttp2.set(host, "alpnProtocol" in socket && socket.alpnProtocol === "h2");
        this.#asking.get(host)?.done();
        callback(...outcome);
      });
  }
}

function hostOf(hostname: string, port: string): string {
  return `${hostname.replace(/^\[|\]$/g, "")}:${port || "443"}`;
}

function unlessAborted(work: Promise<void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    // The caller turns whatever it is into a cancellation.
    const abort = () => reject(new Error("aborted"));
    if (signal.aborted) return abort();
    signal.addEventListener("abort", abort, { once: true });
    void work.then(() => {
      signal.removeEventListener("abort", abort);
      resolve();
    });
  });
}
