/**
 * All models of all sources, as one list: brought up to date when it is old, kept as a snapshot
 * between, so that choosing asks nobody. A source that fails or hangs costs its own models only.
 */

import { AppError, throwIfAborted, toError } from "../errors.ts";
import { findHttpModel } from "../model/http-models.ts";
import type { CustomModel, LanguageModelInfo, LanguageProvider } from "../model/language-model.ts";
import type { Clock } from "../ports/clock.ts";
import type { LanguageModelSource } from "../ports/language-model.ts";
import { modelPrice } from "../processing/language/cost/prices.ts";

/** Age at which the list is asked for again. */
const FRESH_MS = 60_000;
/** Longest that one source may take to list its models. */
const LIST_TIMEOUT_MS = 4_000;

export class ModelCatalog {
  readonly #sources: ReadonlyMap<LanguageProvider, LanguageModelSource>;
  readonly #clock: Clock;
  readonly #custom: CustomModel[];
  #models: readonly LanguageModelInfo[] = [];
  #byId: ReadonlyMap<string, LanguageModelInfo> = new Map();
  #listedAt: number | null = null;
  #listing: Promise<void> | null = null;
  #added: Promise<void> | null = null;

  /** `custom`: models of the owner's own, which the sources are told of before they are asked. */
  constructor(
    sources: readonly LanguageModelSource[],
    custom: readonly CustomModel[],
    clock: Clock,
  ) {
    this.#sources = new Map(sources.map((source) => [source.provider, source]));
    this.#custom = [...custom];
    this.#clock = clock;
  }

  /** What was there when it was asked last; empty before the first time. */
  get models(): readonly LanguageModelInfo[] {
    return this.#models;
  }

  get custom(): readonly CustomModel[] {
    return this.#custom;
  }

  model(id: string): LanguageModelInfo | undefined {
    return this.#byId.get(id);
  }

  has(provider: LanguageProvider): boolean {
    return this.#sources.has(provider);
  }

  /** `unsupported_input` for a provider that this platform doesn't have. */
  source(provider: LanguageProvider): LanguageModelSource {
    const source = this.#sources.get(provider);
    if (source) return source;
    throw new AppError("unsupported_input", `There are no models of "${provider}" here.`, {
      hint: "WebLLM, wllama and Chrome's model run in a browser; see `llm-compress models providers`.",
    });
  }

  get stale(): boolean {
    return this.#listedAt === null || Math.abs(this.#clock.elapsed() - this.#listedAt) > FRESH_MS;
  }

  /** The next look asks the sources again. */
  invalidate(): void {
    this.#listedAt = null;
  }

  /** Asks every source; one question at a time. */
  refresh(): Promise<void> {
    this.#listing ??= this.#list().finally(() => (this.#listing = null));
    return this.#listing;
  }

  /** Asks only when the list is old. */
  async ensureFresh(signal?: AbortSignal): Promise<void> {
    if (this.stale) await this.refresh();
    throwIfAborted(signal);
  }

  async add(model: CustomModel): Promise<LanguageModelInfo> {
    const source = this.source(model.provider);
    await this.#tellSources();
    if (!source.add)
      throw new AppError("unsupported_input", `"${model.provider}" takes no models by address.`);
    const info = await source.add(model);
    const at = this.#custom.findIndex((known) => idOf(known) === idOf(model));
    if (at >= 0) this.#custom[at] = model;
    else this.#custom.push(model);
    this.invalidate();
    return this.#complete(info);
  }

  /** Takes a model of the owner's own out of the list; true when it was one. */
  drop(id: string): boolean {
    const at = this.#custom.findIndex((model) => idOf(model) === id);
    if (at < 0) return false;
    this.#custom.splice(at, 1);
    this.invalidate();
    return true;
  }

  async close(): Promise<void> {
    await Promise.allSettled([...this.#sources.values()].map((source) => source.close()));
  }

  async #list(): Promise<void> {
    await this.#tellSources();
    const lists = await Promise.all(
      [...this.#sources.values()].map((source) => this.#listSource(source)),
    );
    const ids = new Set(this.#custom.map(idOf));
    this.#models = lists.flat().filter((info) => !info.custom || ids.has(info.id));
    this.#byId = new Map(this.#models.map((info) => [info.id, info]));
    this.#listedAt = this.#clock.elapsed();
  }

  async #listSource(source: LanguageModelSource): Promise<LanguageModelInfo[]> {
    try {
      const infos = await withTimeout(source.list(), LIST_TIMEOUT_MS);
      return infos.map((info) => this.#complete(info));
    } catch (error) {
      const reason = `Its source didn't answer: ${(toError(error) as AppError).message}`;
      return this.#models
        .filter((info) => info.provider === source.provider)
        .map((info) => ({ ...info, state: "unavailable", reason }));
    }
  }

  /** Facts that the table knows and the source didn't say; today's price. */
  #complete(info: LanguageModelInfo): LanguageModelInfo {
    const known = findHttpModel(info.provider, info.name);
    return {
      ...(known?.thinkingTokens === undefined ? {} : { thinkingTokens: known.thinkingTokens }),
      ...(known?.fixedSampling === undefined ? {} : { fixedSampling: known.fixedSampling }),
      ...info,
      price: modelPrice(info, this.#clock.now()),
    };
  }

  /** Once: sources keep weights, not what the owner added. One that refuses loses that model only. */
  #tellSources(): Promise<void> {
    this.#added ??= Promise.allSettled(
      this.#custom.map((model) => this.#sources.get(model.provider)?.add?.(model)),
    ).then(() => undefined);
    return this.#added;
  }
}

export function idOf(model: { provider: LanguageProvider; name: string }): string {
  return `${model.provider}:${model.name}`;
}

function withTimeout<T>(work: Promise<T>, timeoutMs: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new AppError("network", `no list within ${timeoutMs / 1000} s`)),
      timeoutMs,
    );
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
