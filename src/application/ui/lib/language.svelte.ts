/**
 * Language models as the pages show them: what is there, how it is reached, how it did and what it
 * cost. Read once a page asks, and again whenever the engine says that something changed.
 */

import type {
  LanguageModelInfo,
  LanguageSettings,
  ModelProfile,
  ProviderState,
  SpendingReport,
} from "../../../model/language-model.ts";
import { modelTitle } from "./language-words.ts";
import { session } from "./session.svelte.ts";

class LanguageState {
  models = $state.raw<LanguageModelInfo[] | null>(null);
  providers = $state.raw<ProviderState[] | null>(null);
  settings = $state.raw<LanguageSettings | null>(null);
  profiles = $state.raw<ModelProfile[] | null>(null);
  spending = $state.raw<SpendingReport | null>(null);
  /** Of the last read; null when it worked. */
  error = $state.raw<unknown>(null);
  #reading: Promise<void> | null = null;
  #again = false;

  /** Reads models, providers and settings; calls during a read are answered by one more. */
  load(): Promise<void> {
    if (this.#reading) {
      this.#again = true;
      return this.#reading;
    }
    this.#reading = this.#read().finally(() => (this.#reading = null));
    return this.#reading;
  }

  async #read(): Promise<void> {
    do {
      this.#again = false;
      try {
        const { language } = await session.engine();
        const settings = language.settings().then((value) => (this.settings = value));
        const models = language.list().then((value) => (this.models = value));
        const providers = language.providers().then((value) => (this.providers = value));
        await Promise.all([settings, models, providers]);
        this.error = null;
      } catch (error) {
        this.error = error;
      }
    } while (this.#again);
  }

  /** Reads what was spent and measured. */
  async loadCosts(): Promise<void> {
    const { language } = await session.engine();
    const [spending, profiles] = await Promise.all([language.spending(), language.profiles()]);
    this.spending = spending;
    this.profiles = profiles;
  }

  /** Changes settings and shows what the engine made of them. */
  async configure(change: Partial<LanguageSettings>): Promise<void> {
    const { language } = await session.engine();
    this.settings = await language.configure(change);
    session.refreshSoon();
    await this.load();
  }

  title(id: string | null | undefined): string {
    return modelTitle(id, this.models ?? []);
  }
}

export const languageState = new LanguageState();

/** Keeps the models fresh while a component is shown; call it while a component is made. */
export function useLanguage(): void {
  $effect(() => {
    void session.languageGeneration;
    if (session.phase === "ready") void languageState.load();
  });
}
