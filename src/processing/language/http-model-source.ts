/**
 * The models of one HTTP provider as a `LanguageModelSource`: those of the catalogue, those that the
 * server itself lists, those that the owner added. Settings and keys are asked for at every call, so
 * that a change holds at once. The same in pages and in Node: only the transport differs.
 */

import { AppError, throwIfAborted, toError } from "../../errors.ts";
import type { CustomModel, LanguageModelInfo } from "../../model/language-model.ts";
import { systemClock, type Clock } from "../../ports/clock.ts";
import type { HttpTransport } from "../../ports/http.ts";
import type {
  InstallProgress,
  LanguageModel,
  LanguageModelSource,
} from "../../ports/language-model.ts";
import type { CircuitBreakerOptions } from "./circuit-breaker.ts";
import { LLMClient, type Connection } from "./client.ts";
import { ConnectionPool } from "./connection-pool.ts";
import { customInfo, guessThinking, type CatalogueModel } from "./http-model-info.ts";
import { joinModels, unusable, type NamedModel } from "./model-list.ts";
import { deleteModel, pullModel } from "./ollama-installation.ts";
import { ollamaGenerate } from "./protocols/ollama.ts";
import { connectProvider, staysHere, type ConnectionSources } from "./provider-connection.ts";
import { ProviderLane } from "./provider-lane.ts";
import { HTTP_PROVIDERS, PROVIDER_TRAITS, type HttpProvider } from "./providers.ts";
import { RateLimiter } from "./rate-limiter.ts";
import { RetryPolicy, type RetryEvent, type RetryOptions } from "./retry-policy.ts";
import type { ServerParts } from "./server-talk.ts";
import { findModel, ServerListing } from "./server-listing.ts";

export type { CatalogueModel } from "./http-model-info.ts";

export interface HttpSourceOptions extends ConnectionSources {
  transport: HttpTransport;
  /** Models that are known by name; those of other providers are skipped. */
  catalogue: readonly CatalogueModel[];
  clock?: Clock;
  retry?: RetryOptions;
  breaker?: CircuitBreakerOptions;
  onRetry?: (event: RetryEvent & { provider: HttpProvider; model: string }) => void;
}

const DEFAULT_CONTEXT_TOKENS = 8192;

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
  readonly #listing: ServerListing;
  /** Models whose loading was begun and not finished, in this session. */
  readonly #begun = new Set<string>();
  readonly #clients = new Set<LLMClient>();
  readonly #shared: SharedParts;
  /** Where the last connection went: whose breaker counts. */
  #host: string | null = null;
  #closed = false;

  /**
   * Ollama alone: has its server load a model. Cancelling pauses; the server keeps what arrived. See
   * `pullModel` for the errors.
   */
  readonly install?: NonNullable<LanguageModelSource["install"]>;

  constructor(provider: HttpProvider, options: HttpSourceOptions, shared: SharedParts) {
    this.provider = provider;
    this.#options = options;
    this.#shared = shared;
    this.#clock = options.clock ?? systemClock;
    this.#listing = new ServerListing(provider, options.transport, this.#clock);
    this.#lane = new ProviderLane({
      pool: shared.pool,
      limiter: shared.limiter,
      ...(options.breaker && { breaker: options.breaker }),
    });
    this.#retry = new RetryPolicy(options.retry, { clock: this.#clock });
    if (provider === "ollama")
      this.install = (name, { signal, onProgress } = {}) => this.#install(name, signal, onProgress);
  }

  /** Never throws: a provider that is off, has no key or doesn't answer says so at each of its models. */
  async list(): Promise<LanguageModelInfo[]> {
    const named = this.#named();
    let connection: Connection;
    try {
      connection = await this.#connect();
    } catch (error) {
      return unusable(named, staysHere(this.provider, null), toError(error) as AppError);
    }
    if (!this.#listsItself())
      return named.map((model) => ({ ...model, local: false, state: "ready" }));
    const local = staysHere(this.provider, connection.baseUrl);
    const { models: remote, error } = await this.#listing.ask(connection);
    if (error) return unusable(named, local, error);
    return joinModels({
      provider: this.provider,
      named,
      remote,
      local,
      guessed: new Set(
        [...this.#custom.values()]
          .filter(({ contextTokens }) => contextTokens === undefined)
          .map(({ name }) => name),
      ),
      begun: this.#begun,
    });
  }

  /**
   * A client for a model. `unauthorized` without a key where one is needed, `unavailable` addresses are
   * `invalid_input`, a name that the server doesn't have is `model_missing`. Paid services are not asked
   * for that: their first call tells.
   */
  async open(name: string, options: { signal?: AbortSignal } = {}): Promise<LanguageModel> {
    throwIfAborted(options.signal);
    this.#refuseClosed();
    const connection = await this.#connect();
    const known = this.#named().some((model) => model.name === name);
    let adapter = PROVIDER_TRAITS[this.provider].adapter(name);
    if (this.#listsItself()) {
      const { models, error } = await this.#listing.ask(connection);
      if (error) throw error;
      const found = findModel(models, name);
      // Servers of one model often answer to any name: what the owner added is believed.
      if (!found && !(this.provider === "openai-compatible" && known))
        throw this.#notThere(connection, name);
      if (this.provider === "ollama" && found?.completionOnly) adapter = ollamaGenerate;
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
      adapter,
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
    checkName(model.name);
    this.#custom.set(model.name, model);
    const info = (await this.list()).find((one) => one.name === model.name);
    return info ?? { ...customInfo(model), state: "ready" };
  }

  /**
   * Takes a model of the owner's from the list; what is on a server stays there. Any other one is deleted
   * from an Ollama server; `not_found` for those that are no one's to remove.
   */
  async remove(name: string): Promise<void> {
    if (this.#custom.delete(name)) return;
    if (this.provider !== "ollama")
      throw new AppError("not_found", `No model “${name}” was added to ${this.provider}.`, {
        hint: "Only models that were added by hand can be taken from the list.",
      });
    this.#refuseClosed();
    checkName(name);
    try {
      await deleteModel(this.#server(await this.#connect()), name);
      this.#begun.delete(name);
    } finally {
      this.#listing.forget();
    }
  }

  /** ms since epoch until which requests are held back after failures in a row, or null. */
  pausedUntil(): number | null {
    return this.#host === null ? null : this.#lane.pausedUntil(this.#host);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await Promise.all([...this.#clients].map((client) => client.close()));
    this.#listing.forget();
    await this.#shared.closed();
  }

  /** Those that are known without asking anyone. */
  #named(): NamedModel[] {
    return [
      ...this.#options.catalogue
        .filter((model) => model.provider === this.provider)
        .map((model) => ({ id: `${this.provider}:${model.name}`, ...model })),
      ...[...this.#custom.values()].map((model) => customInfo(model)),
    ];
  }

  async #install(
    name: string,
    signal: AbortSignal | undefined,
    onProgress: ((progress: InstallProgress) => void) | undefined,
  ): Promise<void> {
    throwIfAborted(signal);
    this.#refuseClosed();
    checkName(name);
    try {
      await pullModel(this.#server(await this.#connect(), signal), name, (progress) => {
        this.#begun.add(name);
        onProgress?.(progress);
      });
      this.#begun.delete(name);
    } finally {
      this.#listing.forget();
    }
  }

  #server(connection: Connection, signal?: AbortSignal): ServerParts {
    return {
      provider: this.provider,
      connection,
      transport: this.#options.transport,
      signal,
      nowMs: () => this.#clock.now(),
    };
  }

  async #connect(): Promise<Connection> {
    const connection = await connectProvider(this.provider, this.#options);
    this.#host = new URL(connection.baseUrl).host;
    return connection;
  }

  #listsItself(): boolean {
    return this.provider === "ollama" || this.provider === "openai-compatible";
  }

  #notThere(connection: Connection, name: string): AppError {
    const { title } = PROVIDER_TRAITS[this.provider];
    const { host } = new URL(connection.baseUrl);
    return new AppError("model_missing", `${title} (${host}) has no model “${name}”.`, {
      hint:
        this.provider === "ollama"
          ? `Install it (“llm-compress models install ollama:${name}”, or “ollama pull ${name}”), or choose one from the list.`
          : "Choose one from the list of models.",
    });
  }

  #refuseClosed(): void {
    if (this.#closed)
      throw new AppError("closed", `The models of ${this.provider} were closed.`, {
        hint: "Open the store again.",
      });
  }
}

/** `invalid_input` for what can't be a provider's name of a model. */
function checkName(name: string): void {
  if (!/^[^\s\0]{1,200}$/.test(name))
    throw new AppError("invalid_input", `“${name}” can't be the name of a model.`, {
      hint: "Give the provider's own name of it, without spaces.",
    });
}
