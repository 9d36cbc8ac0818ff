/**
 * Language models as the façade shows them: what is there, which one would be chosen, how they did,
 * what they cost, and everything that their owner may set. The work is `LanguageRuntime`'s.
 */

import type { EngineStatus, LanguageModels } from "../engine.ts";
import { AppError } from "../errors.ts";
import {
  LANGUAGE_PROVIDERS,
  type CustomModel,
  type LanguageModelInfo,
  type LanguageProvider,
  type LanguageSettings,
  type ModelProfile,
  type ProviderSettings,
  type ProviderState,
  type RouteDecision,
  type RouteRequest,
  type SpendingReport,
} from "../model/language-model.ts";
import type { TaskOptions } from "../model/task-control.ts";
import { priceSource } from "../processing/language/cost/prices.ts";
import { LanguageSummaryWriter } from "../processing/language/language-summary-writer.ts";
import { buildProbePrompt } from "../processing/language/prompts/prompt-builder.ts";
import { presence } from "../processing/language/selection/admission.ts";
import { validate } from "./input-schemas.ts";
import {
  customModelSchema,
  keySchema,
  languageSettingsSchema,
  routeRequestSchema,
  writeCustomModels,
  writeLanguageSettings,
} from "./language-records.ts";
import { LanguageRuntime, unknownModel, type LanguageParts } from "./language-runtime.ts";
import {
  providerSettingsSchema,
  readAllProviderSettings,
  writeProviderSettings,
} from "./provider-settings.ts";

const PROBE_ANSWER_TOKENS = 48;
export class LanguageService implements LanguageModels {
  readonly #parts: LanguageParts;
  readonly #emit: () => void;
  readonly #runtime: LanguageRuntime;
  /** What the compressor asks for summaries. */
  readonly writer: LanguageSummaryWriter;

  constructor(parts: LanguageParts, emit: () => void) {
    this.#parts = parts;
    this.#emit = emit;
    this.#runtime = new LanguageRuntime(parts, emit);
    this.writer = new LanguageSummaryWriter(this.#runtime, () => parts.clock.elapsed());
  }

  async list(): Promise<LanguageModelInfo[]> {
    const { catalog } = await this.#runtime.load();
    await catalog.refresh();
    return [...catalog.models];
  }

  async install(id: string, options: TaskOptions = {}): Promise<void> {
    const { name, title, source } = await this.#findInstallable(id);
    if (!source.install)
      throw new AppError("unsupported_input", `${title} needs no installation.`, {
        hint: "It is used over the network; a key may be needed.",
      });
    const { onProgress, signal } = options;
    try {
      await source.install(name, {
        ...(signal ? { signal } : {}),
        onProgress: ({ doneBytes, totalBytes }) =>
          onProgress?.({
            stage: `Installing ${title}`,
            done: doneBytes,
            total: totalBytes,
            doneBytes,
            totalBytes,
          }),
      });
    } finally {
      await this.#changed();
    }
  }

  async remove(id: string): Promise<void> {
    const { catalog, profiler } = await this.#runtime.load();
    const { model, source } = await this.#find(id);
    if (!source.remove && !model.custom)
      throw new AppError("unsupported_input", `${model.title} is not stored here.`, {
        hint: "Turn its provider off to keep it out.",
      });
    await this.#runtime.models.close(id);
    await source.remove?.(model.name);
    if (catalog.drop(id)) await writeCustomModels(this.#parts.settings, catalog.custom);
    profiler.forget(id);
    await this.#changed();
  }

  async add(model: CustomModel): Promise<LanguageModelInfo> {
    validate(customModelSchema, model, "The model");
    const { catalog } = await this.#runtime.load();
    const info = await catalog.add(model);
    await writeCustomModels(this.#parts.settings, catalog.custom);
    const provider = await this.#providerSettings(model.provider);
    if (!provider.enabled) await this.configureProvider({ ...provider, enabled: true });
    await this.#changed();
    return catalog.model(info.id) ?? info;
  }

  async settings(): Promise<LanguageSettings> {
    return { ...(await this.#runtime.load()).settings };
  }

  async configure(settings: Partial<LanguageSettings>): Promise<LanguageSettings> {
    validate(languageSettingsSchema.partial(), settings, "The settings");
    const loaded = await this.#runtime.load();
    const next = { ...loaded.settings, ...settings };
    await writeLanguageSettings(this.#parts.settings, next);
    loaded.settings = next;
    this.#emit();
    return { ...next };
  }

  async providers(): Promise<ProviderState[]> {
    const settings = await readAllProviderSettings(this.#parts.settings, this.#parts.offAtFirst);
    return Promise.all(settings.map((entry) => this.#providerState(entry)));
  }

  async configureProvider(
    settings: Partial<ProviderSettings> & { provider: LanguageProvider },
  ): Promise<ProviderState> {
    validate(
      providerSettingsSchema.partial().required({ provider: true }),
      settings,
      "The provider's settings",
    );
    const known = await this.#providerSettings(settings.provider);
    // An address of "" takes the provider's own again.
    // Who sets a provider up wants it, unless they say otherwise.
    const next: ProviderSettings = { ...known, enabled: true, ...settings };
    await writeProviderSettings(this.#parts.settings, next);
    await this.#runtime.reloadProviders();
    this.#runtime.health.reset(next.provider);
    await this.#runtime.models.closeAll(`${next.provider}:`);
    await this.#changed();
    return this.#providerState(next);
  }

  async setKey(
    provider: LanguageProvider,
    key: string,
    options: { save?: boolean } = {},
  ): Promise<ProviderState> {
    validate(keySchema, { provider, key: key.trim() }, "The key");
    const { keys } = this.#parts;
    if (!keys)
      throw new AppError("unsupported_input", "Keys can't be kept here.", {
        hint: "Open the store in the app or with the command line.",
      });
    const given = key.trim();
    if (given === "") await keys.remove(provider);
    else await keys.set(provider, given, options);
    this.#runtime.health.reset(provider);
    await this.#runtime.models.closeAll(`${provider}:`);
    await this.#changed();
    return this.#providerState(await this.#providerSettings(provider));
  }

  async route(request: RouteRequest): Promise<RouteDecision> {
    validate(routeRequestSchema, request, "The request");
    const { catalog } = await this.#runtime.load();
    await catalog.ensureFresh();
    return this.#runtime.route(request);
  }

  async profiles(): Promise<ModelProfile[]> {
    return (await this.#runtime.load()).profiler.profiles();
  }

  async spending(): Promise<SpendingReport> {
    const { ledger, catalog } = await this.#runtime.load();
    await catalog.ensureFresh();
    return {
      ...ledger.report(),
      prices: catalog.models.flatMap((model) =>
        model.price === null
          ? []
          : [{ modelId: model.id, price: model.price, source: priceSource(model) }],
      ),
    };
  }

  async probe(
    id: string,
    options: TaskOptions = {},
  ): Promise<{ text: string; elapsedMs: number; tokensPerSecond: number | null }> {
    const { model } = await this.#find(id);
    const { signal, onProgress } = options;
    // Loading is no part of how fast it answers.
    await this.#runtime.models.lend(
      id,
      signal,
      () => Promise.resolve(),
      ({ doneBytes, totalBytes }) =>
        onProgress?.({
          stage: `Loading ${model.title}`,
          done: doneBytes,
          total: totalBytes,
          doneBytes,
          totalBytes,
        }),
    );
    const { text, elapsedMs, tokensPerSecond } = await this.#runtime.call(model, {
      messages: buildProbePrompt().messages,
      answerTokens: PROBE_ANSWER_TOKENS,
      ...(signal ? { signal } : {}),
    });
    return { text, elapsedMs, tokensPerSecond };
  }

  /** For the engine's status. */
  async status(): Promise<EngineStatus["language"]> {
    const { catalog, settings, ledger, profiler } = await this.#runtime.load();
    await catalog.ensureFresh();
    const snapshot = this.#runtime.snapshot();
    return {
      settings: { ...settings },
      readyCount: settings.enabled
        ? catalog.models.filter((model) => presence(model, {}, snapshot) === null).length
        : 0,
      todayUsd: ledger.report().todayUsd,
      profiles: profiler.profiles(),
    };
  }

  async #find(id: string) {
    const { catalog } = await this.#runtime.load();
    if (!catalog.model(id)) await catalog.refresh();
    const model = catalog.model(id);
    if (!model) throw unknownModel(id);
    return { model, source: catalog.source(model.provider) };
  }

  /** What is listed; and whatever an Ollama server may find in its library, which is longer than any list. */
  async #findInstallable(id: string) {
    const { catalog } = await this.#runtime.load();
    const [, name] = /^ollama:(\S+)$/.exec(id) ?? [];
    if (name && catalog.has("ollama") && !catalog.model(id)) {
      await catalog.refresh();
      if (!catalog.model(id)) return { name, title: name, source: catalog.source("ollama") };
    }
    const { model, source } = await this.#find(id);
    return { name: model.name, title: model.title, source };
  }

  async #providerSettings(provider: LanguageProvider): Promise<ProviderSettings> {
    const all = await readAllProviderSettings(this.#parts.settings, this.#parts.offAtFirst);
    return all[LANGUAGE_PROVIDERS.indexOf(provider)]!;
  }

  async #providerState(settings: ProviderSettings): Promise<ProviderState> {
    const { provider } = settings;
    const pausedUntil = this.#runtime.health.pausedUntil().get(provider);
    let error = this.#runtime.health.lastError(provider);
    let key: ProviderState["key"] = "none";
    try {
      key = (await this.#parts.keys?.where(provider)) ?? "none";
    } catch (failure) {
      error = failure instanceof Error ? failure.message : String(failure);
    }
    return {
      ...settings,
      key,
      available: this.#parts.languageSources.some((source) => source.provider === provider),
      ...(pausedUntil === undefined ? {} : { pausedUntil }),
      ...(error === undefined ? {} : { error }),
    };
  }

  close(): Promise<void> {
    return this.#runtime.close();
  }

  /** Models came, went or changed: the list is made again, and who watches is told. */
  async #changed(): Promise<void> {
    const { catalog } = await this.#runtime.load();
    catalog.invalidate();
    await catalog.refresh();
    this.#emit();
  }
}
