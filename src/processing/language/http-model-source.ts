/**
 * The models of one HTTP provider as a `LanguageModelSource`: those of the catalogue, those that the
 * server itself lists, those that the owner added. Settings and keys are asked for at every call, so
 * that a change holds at once. The same in pages and in Node: only the transport differs.
 */

import { AppError, isAbortError, throwIfAborted, toError } from "../../errors.ts";
import type {
  CustomModel,
  LanguageModelInfo,
  LanguageProvider,
  ProviderSettings,
} from "../../model/language-model.ts";
import { systemClock, type Clock } from "../../ports/clock.ts";
import type { HttpTransport } from "../../ports/http.ts";
import type { KeyStore, LanguageModel, LanguageModelSource } from "../../ports/language-model.ts";
import type { CallTimeouts } from "./call-deadline.ts";
import type { CircuitBreakerOptions } from "./circuit-breaker.ts";
import { LLMClient, type Connection } from "./client.ts";
import { ConnectionPool } from "./connection-pool.ts";
import { customInfo, guessThinking, remoteInfo, type CatalogueModel } from "./http-model-info.ts";
import { ProviderLane } from "./provider-lane.ts";
import {
  HTTP_PROVIDERS,
  isLoopback,
  normalizeBaseUrl,
  PROVIDER_TRAITS,
  refuseReadableKey,
  type HttpProvider,
} from "./providers.ts";
import { RateLimiter } from "./rate-limiter.ts";
import { listRemoteModels } from "./remote-models.ts";
import type { RemoteModel } from "./protocols/protocol-adapter.ts";
import { RetryPolicy, type RetryEvent, type RetryOptions } from "./retry-policy.ts";

export type { CatalogueModel } from "./http-model-info.ts";

export interface HttpSourceOptions {
  transport: HttpTransport;
  keys: Pick<KeyStore, "get">;
  /** Asked before each call. */
  settings: (provider: LanguageProvider) => Promise<ProviderSettings>;
  /** Models that are known by name; those of other providers are skipped. */
  catalogue: readonly CatalogueModel[];
  clock?: Clock;
  retry?: RetryOptions;
  breaker?: CircuitBreakerOptions;
  /** Replaces single times of all providers; the owner's `timeoutMs` still bounds the whole call. */
  timeouts?: Partial<CallTimeouts>;
  onRetry?: (event: RetryEvent & { provider: HttpProvider; model: string }) => void;
}

/** What a server said, kept for a moment: the list is looked at more often than it changes. */
const LIST_FRESH_MS = 15_000;
const UNREACHABLE_FRESH_MS = 3_000;
const DEFAULT_CONTEXT_TOKENS = 8192;

interface Listing {
  address: string;
  until: number;
  models: RemoteModel[];
  error: AppError | null;
}

/**
 * One source per HTTP provider, with places at hosts and limits shared between them. The transport is
 * theirs from then on: it is closed with the last of them.
 */
export function createHttpSources(options: HttpSourceOptions): HttpModelSource[] {
  let open = HTTP_PROVIDERS.length;
  const shared: SharedParts = {
    pool: new ConnectionPool(),
    limiter: new RateLimiter(),
    closed: async () => {
      if (--open === 0) await options.transport.close();
    },
  };
  return HTTP_PROVIDERS.map((provider) => new HttpModelSource(provider, options, shared));
}

interface SharedParts {
  pool: ConnectionPool;
  limiter: RateLimiter;
  /** Called once by each source when it is closed. */
  closed(): Promise<void>;
}

export class HttpModelSource implements LanguageModelSource {
  readonly provider: HttpProvider;
  readonly #options: HttpSourceOptions;
  readonly #clock: Clock;
  readonly #lane: ProviderLane;
  readonly #retry: RetryPolicy;
  readonly #custom = new Map<string, Exclude<CustomModel, { provider: "webllm" | "wllama" }>>();
  readonly #details = new Map<string, Partial<RemoteModel>>();
  readonly #clients = new Set<LLMClient>();
  readonly #shared: SharedParts;
  #closed = false;
  #listing: Listing | null = null;
  #asking: Promise<Listing> | null = null;

  constructor(provider: HttpProvider, options: HttpSourceOptions, shared: SharedParts) {
    this.provider = provider;
    this.#options = options;
    this.#shared = shared;
    this.#clock = options.clock ?? systemClock;
    this.#lane = new ProviderLane({
      pool: shared.pool,
      limiter: shared.limiter,
      ...(options.breaker && { breaker: options.breaker }),
    });
    this.#retry = new RetryPolicy(options.retry, { clock: this.#clock });
  }

  /** Never throws: a provider that is off, has no key or doesn't answer says so at each of its models. */
  async list(): Promise<LanguageModelInfo[]> {
    const named = [
      ...this.#options.catalogue
        .filter((model) => model.provider === this.provider)
        .map((model) => ({ id: `${this.provider}:${model.name}`, ...model })),
      ...[...this.#custom.values()].map((model) => customInfo(model)),
    ];
    let connection: Connection;
    try {
      connection = await this.#connect();
    } catch (error) {
      const failure = toError(error) as AppError;
      const state = failure.code === "unauthorized" ? "needs_key" : "unavailable";
      const reason = [failure.message, failure.hint].filter(Boolean).join(" ");
      return named.map((model) => ({ ...model, local: this.#staysHere(null), state, reason }));
    }
    const local = this.#staysHere(connection.baseUrl);
    if (!this.#listsItself())
      return named.map((model) => ({ ...model, local: false, ...this.#health(connection) }));

    const listing = await this.#ask(connection);
    if (listing.error) {
      const reason = [listing.error.message, listing.error.hint].filter(Boolean).join(" ");
      const state = listing.error.code === "unauthorized" ? "needs_key" : "unavailable";
      return named.map((model) => ({ ...model, local, state, reason }));
    }
    const present = new Map(
      listing.models.filter((model) => model.generates).map((model) => [model.name, model]),
    );
    const seen = new Set<string>();
    const infos = named.map((model): LanguageModelInfo => {
      const remote = present.get(model.name) ?? present.get(`${model.name}:latest`);
      if (!remote)
        return {
          ...model,
          local,
          state: "unavailable",
          reason:
            this.provider === "ollama"
              ? `Not on this Ollama server. Install it with “ollama pull ${model.name}”.`
              : "The server doesn't list it.",
        };
      seen.add(remote.name);
      return {
        ...model,
        ...(remote.sizeBytes
          ? { sizeBytes: remote.sizeBytes, installedBytes: remote.sizeBytes }
          : {}),
        contextTokens: Math.min(model.contextTokens, remote.contextTokens ?? model.contextTokens),
        local: local && !remote.forwarded,
        price: model.price ?? (local && !remote.forwarded ? { inputUsd: 0, outputUsd: 0 } : null),
        ...this.#health(connection),
      };
    });
    const others = [...present.values()].filter((model) => !seen.has(model.name));
    return [
      ...infos,
      ...others.map((model) => ({
        ...remoteInfo(this.provider, model, local),
        ...this.#health(connection),
      })),
    ];
  }

  /**
   * A client for a model. `unauthorized` without a key where one is needed, `unavailable` addresses are
   * `invalid_input`, a name that the server doesn't have is `model_missing`. Paid services are not asked
   * for that: their first call tells.
   */
  async open(name: string, options: { signal?: AbortSignal } = {}): Promise<LanguageModel> {
    throwIfAborted(options.signal);
    if (this.#closed)
      throw new AppError("closed", `The models of ${this.provider} were closed.`, {
        hint: "Open the store again.",
      });
    const connection = await this.#connect();
    const known =
      this.#custom.has(name) ||
      this.#options.catalogue.some((m) => m.provider === this.provider && m.name === name);
    if (this.#listsItself()) {
      const listing = await this.#ask(connection);
      const there = listing.models.some((m) => m.name === name || m.name === `${name}:latest`);
      if (listing.error) throw listing.error;
      // Servers of one model often answer to any name: what the owner added is believed.
      if (!there && !(this.provider === "openai-compatible" && known))
        throw new AppError(
          "model_missing",
          `${PROVIDER_TRAITS[this.provider].title} (${new URL(connection.baseUrl).host}) has no model “${name}”.`,
          {
            hint:
              this.provider === "ollama"
                ? `Install it with “ollama pull ${name}”, or choose one from the list.`
                : "Choose one from the list of models.",
          },
        );
    }
    const info: Partial<LanguageModelInfo> =
      (await this.list()).find((model) => model.name === name) ??
      guessThinking(this.provider, name);
    const client: LLMClient = new LLMClient({
      id: `${this.provider}:${name}`,
      provider: this.provider,
      providerTitle: PROVIDER_TRAITS[this.provider].title,
      model: name,
      contextTokens: info.contextTokens ?? DEFAULT_CONTEXT_TOKENS,
      maxOutputTokens: info.maxOutputTokens,
      thinkingTokens: info.thinkingTokens,
      fixedSampling: info.fixedSampling,
      adapter: PROVIDER_TRAITS[this.provider].adapter(name),
      transport: this.#options.transport,
      connect: () => this.#connect(),
      lane: this.#lane,
      retry: this.#retry,
      clock: this.#clock,
      onRetry: (event) =>
        this.#options.onRetry?.({ ...event, provider: this.provider, model: name }),
      onClose: () => this.#clients.delete(client),
    });
    this.#clients.add(client);
    return client;
  }

  /** Adds a model by its name at this provider; the same name again replaces its description. */
  async add(model: CustomModel): Promise<LanguageModelInfo> {
    if (
      model.provider === "webllm" ||
      model.provider === "wllama" ||
      model.provider !== this.provider
    )
      throw new AppError(
        "invalid_input",
        `A model of “${model.provider}” can't be added to ${PROVIDER_TRAITS[this.provider].title}.`,
        { hint: "Choose the provider that serves the model." },
      );
    if (!/^[^\s\0]{1,200}$/.test(model.name))
      throw new AppError("invalid_input", `“${model.name}” can't be the name of a model.`, {
        hint: "Give the provider's own name of it, without spaces.",
      });
    this.#custom.set(model.name, model);
    const info = (await this.list()).find((one) => one.name === model.name);
    return info ?? { ...customInfo(model), state: "ready" };
  }

  /** Takes a model of the owner's from the list; what is on a server stays there. */
  async remove(name: string): Promise<void> {
    if (this.#custom.delete(name)) return;
    throw new AppError("not_found", `No model “${name}” was added to ${this.provider}.`, {
      hint: "Only models that were added by hand can be taken from the list.",
    });
  }

  /** ms since epoch until which requests are held back after failures, or null. */
  async pausedUntil(): Promise<number | null> {
    const connection = await this.#connect().catch(() => null);
    return connection ? this.#lane.pausedUntil(new URL(connection.baseUrl).host) : null;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await Promise.all([...this.#clients].map((client) => client.close()));
    this.#listing = null;
    await this.#shared.closed();
  }

  #listsItself(): boolean {
    return this.provider === "ollama" || this.provider === "openai-compatible";
  }

  #staysHere(baseUrl: string | null): boolean {
    const address = baseUrl ?? PROVIDER_TRAITS[this.provider].baseUrl;
    return address !== null && isLoopback(new URL(address).hostname);
  }

  #health(connection: Connection): Pick<LanguageModelInfo, "state" | "reason"> {
    const until = this.#lane.pausedUntil(new URL(connection.baseUrl).host);
    if (until === null) return { state: "ready" };
    const seconds = Math.ceil((until - this.#clock.now()) / 1000);
    return {
      state: "unavailable",
      reason: `It failed several times in a row and is left alone for ${seconds} s.`,
    };
  }

  /** How the provider is reached now; throws what is in the way. */
  async #connect(): Promise<Connection> {
    const traits = PROVIDER_TRAITS[this.provider];
    const settings = await this.#options.settings(this.provider);
    if (!settings.enabled)
      throw new AppError("invalid_input", `${traits.title} is turned off.`, {
        hint: "Turn it on in the providers' settings.",
      });
    const address = settings.baseUrl ?? traits.baseUrl;
    if (address === null)
      throw new AppError("invalid_input", `${traits.title} has no address.`, {
        hint: "Set its address in the providers' settings.",
      });
    const baseUrl = normalizeBaseUrl(this.provider, address);
    const key = (await this.#options.keys.get(this.provider)) || null;
    if (key === null && traits.needsKey)
      throw new AppError("unauthorized", `${traits.title} needs a key.`, {
        hint: "Set one; it is kept as you choose and sent to this provider alone.",
      });
    refuseReadableKey(baseUrl, key);
    const timeouts = { ...traits.timeouts, ...this.#options.timeouts };
    const totalMs = settings.timeoutMs ?? timeouts.totalMs;
    return {
      baseUrl,
      key,
      limits: {
        requestsPerMinute: settings.requestsPerMinute,
        tokensPerMinute: settings.tokensPerMinute,
      },
      concurrency: settings.concurrency ?? traits.concurrency,
      timeouts: { ...timeouts, totalMs, firstByteMs: Math.min(timeouts.firstByteMs, totalMs) },
    };
  }

  /** What the server lists, from a moment ago where that will do. */
  async #ask(connection: Connection): Promise<Listing> {
    const address = `${connection.baseUrl} ${connection.key ?? ""}`;
    const now = this.#clock.elapsed();
    if (this.#listing?.address === address && this.#listing.until > now) return this.#listing;
    this.#asking ??= this.#askNow(connection, address).finally(() => (this.#asking = null));
    return this.#asking;
  }

  async #askNow(connection: Connection, address: string): Promise<Listing> {
    let models: RemoteModel[] = [];
    let error: AppError | null = null;
    try {
      models = await listRemoteModels({
        provider: this.provider,
        connection,
        transport: this.#options.transport,
        details: this.#details,
        nowMs: () => this.#clock.now(),
      });
    } catch (cause) {
      if (isAbortError(cause)) throw cause;
      error = toError(cause) as AppError;
    }
    const freshMs = error ? UNREACHABLE_FRESH_MS : LIST_FRESH_MS;
    this.#listing = { address, models, error, until: this.#clock.elapsed() + freshMs };
    return this.#listing;
  }
}
