/**
 * What runs behind the language models of one store: sources, ledger, profiles, health and open
 * models, read from the store on first use. The compressor's writer asks it; `LanguageService` shows
 * and configures it.
 */

import { AppError, isAbortError } from "../errors.ts";
import type {
  LanguageModelInfo,
  LanguageProvider,
  LanguageSettings,
  RouteDecision,
  RouteRequest,
} from "../model/language-model.ts";
import type { WriterPreferences } from "../processing/compression/summary.ts";
import { CostLedger } from "../processing/language/cost/cost-ledger.ts";
import type { LanguageAccess } from "../processing/language/language-summary-writer.ts";
import { MeteredCaller } from "../processing/language/metered-caller.ts";
import {
  HELD_BACK,
  presence,
  type RouterSnapshot,
} from "../processing/language/selection/admission.ts";
import { ModelProfiler } from "../processing/language/selection/model-profiler.ts";
import { ModelRouter } from "../processing/language/selection/model-router.ts";
import { ProviderHealth } from "../processing/language/selection/provider-health.ts";
import { readCustomModels, readLanguageSettings } from "./language-records.ts";
import type { EngineParts } from "./local-engine.ts";
import { ModelCatalog } from "./model-catalog.ts";
import { OpenModels } from "./open-models.ts";
import { readAllProviderSettings } from "./provider-settings.ts";

/** Calls come in rows; who watches is told once. */
const NEWS_DELAY_MS = 500;

export type LanguageParts = Pick<
  EngineParts,
  "clock" | "settings" | "languageSources" | "keys" | "offAtFirst"
>;

/** What is read from the store once, on first use. */
export interface LoadedLanguage {
  settings: LanguageSettings;
  disabled: ReadonlySet<LanguageProvider>;
  catalog: ModelCatalog;
  ledger: CostLedger;
  profiler: ModelProfiler;
  caller: MeteredCaller;
}

export class LanguageRuntime implements LanguageAccess {
  readonly #parts: LanguageParts;
  readonly #emit: () => void;
  readonly #router = new ModelRouter();
  readonly health: ProviderHealth;
  readonly models: OpenModels;
  #loading: Promise<LoadedLanguage> | null = null;
  #loaded: LoadedLanguage | null = null;
  #turn = 1;
  #news: ReturnType<typeof setTimeout> | null = null;
  #closed = false;

  constructor(parts: LanguageParts, emit: () => void) {
    this.#parts = parts;
    this.#emit = emit;
    this.health = new ProviderHealth(parts.clock, parts.languageSources);
    this.models = new OpenModels(async (id, onProgress) => {
      const { catalog } = await this.load();
      const model = catalog.model(id);
      if (!model) throw unknownModel(id);
      return catalog.source(model.provider).open(model.name, onProgress ? { onProgress } : {});
    });
  }

  load(): Promise<LoadedLanguage> {
    if (this.#closed) return Promise.reject(new AppError("closed", "The engine was closed."));
    this.#loading ??= this.#read().catch((error: unknown) => {
      this.#loading = null;
      throw error;
    });
    return this.#loading;
  }

  async #read(): Promise<LoadedLanguage> {
    const { settings: store, clock, languageSources } = this.#parts;
    const settings = await readLanguageSettings(store);
    const catalog = new ModelCatalog(languageSources, await readCustomModels(store), clock);
    const ledger = await CostLedger.open(
      store,
      clock,
      () => this.#loaded?.settings.dailyBudgetUsd ?? settings.dailyBudgetUsd,
    );
    const profiler = await ModelProfiler.open(store, clock);
    const caller = new MeteredCaller({
      ledger,
      profiler,
      health: this.health,
      clock,
      lend: (id, signal, work) => this.models.lend(id, signal, work),
    });
    const disabled = await this.#disabled();
    return (this.#loaded = { settings, disabled, catalog, ledger, profiler, caller });
  }

  // What the writer asks.

  mightAnswer({ model }: WriterPreferences): boolean {
    if (this.#parts.languageSources.length === 0) return false;
    const loaded = this.#loaded;
    // Nobody was asked yet: `refresh` will.
    if (!loaded) return true;
    const { settings, catalog } = loaded;
    if (!settings.enabled) return false;
    // A named model that can't answer deserves its reason.
    if (model !== undefined && model !== "auto") return true;
    if (settings.model === "extractive") return false;
    // What was absent may have come: asked for in passing, known by the next text.
    if (catalog.stale) {
      catalog.refresh().catch(() => undefined);
      if (catalog.models.length === 0) return true;
    }
    const snapshot = this.snapshot();
    // One that is only held back deserves its reason too.
    return catalog.models.some(
      (info) => (presence(info, {}, snapshot)?.step ?? HELD_BACK) >= HELD_BACK,
    );
  }

  async refresh(signal?: AbortSignal): Promise<void> {
    const { catalog } = await this.load();
    await catalog.ensureFresh(signal);
  }

  choose(request: RouteRequest): RouteDecision {
    const decision = this.route(request);
    this.#turn++;
    return decision;
  }

  model(id: string): LanguageModelInfo | undefined {
    return this.#loaded?.catalog.model(id);
  }

  async call(...call: Parameters<MeteredCaller["call"]>): ReturnType<MeteredCaller["call"]> {
    const { caller, catalog } = await this.load();
    try {
      return await caller.call(...call);
    } catch (error) {
      // What failed may be gone: removed, without its key, its server stopped.
      if (!isAbortError(error)) catalog.invalidate();
      throw error;
    } finally {
      this.#tellLater();
    }
  }

  judged(...[modelId, verdict]: Parameters<LanguageAccess["judged"]>): void {
    this.#loaded?.profiler.judged(modelId, verdict);
    this.#tellLater();
  }

  /** What would be chosen now; changes nothing. */
  route(request: RouteRequest): RouteDecision {
    const estimates = this.#loaded?.profiler.estimates() ?? new Map();
    return this.#router.route(request, this.snapshot(), estimates);
  }

  snapshot(): RouterSnapshot {
    const { catalog, settings, ledger, disabled } = this.#loaded!;
    return {
      models: catalog.models,
      settings,
      remainingUsd: ledger.remainingUsd(),
      pausedUntil: this.health.pausedUntil(),
      disabled,
      now: this.#parts.clock.now(),
      turn: this.#turn,
    };
  }

  /** Providers are read again: one was turned on or off. */
  async reloadProviders(): Promise<void> {
    (await this.load()).disabled = await this.#disabled();
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#news !== null) clearTimeout(this.#news);
    await this.models.closeAll();
    const loaded = await this.#loading?.catch(() => null);
    if (loaded) {
      await Promise.allSettled([loaded.ledger.close(), loaded.profiler.close()]);
      await loaded.catalog.close();
    } else await Promise.allSettled(this.#parts.languageSources.map((source) => source.close()));
  }

  async #disabled(): Promise<ReadonlySet<LanguageProvider>> {
    const settings = await readAllProviderSettings(this.#parts.settings, this.#parts.offAtFirst);
    return new Set(settings.filter(({ enabled }) => !enabled).map(({ provider }) => provider));
  }

  #tellLater(): void {
    if (this.#news !== null || this.#closed) return;
    this.#news = setTimeout(() => {
      this.#news = null;
      this.#emit();
    }, NEWS_DELAY_MS);
    (this.#news as { unref?: () => void }).unref?.();
  }
}

export function unknownModel(id: string): AppError {
  return new AppError("not_found", `There is no model "${id}" here.`, {
    hint: "`llm-compress models` and the Models page list them; add one of your own by its address.",
  });
}
