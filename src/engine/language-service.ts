/** Language models behind the engine: what is there, how they did, what they cost. */

import type { EngineStatus, LanguageModels } from "../engine.ts";
import { AppError } from "../errors.ts";
import { DEFAULT_LANGUAGE_SETTINGS } from "../model/language-model.ts";
import type { EngineParts } from "./local-engine.ts";

const none = (): never => {
  throw new AppError("unsupported_input", "No language models here.");
};

export class LanguageService implements LanguageModels {
  constructor(_parts: EngineParts) {}
  list = () => Promise.resolve([]);
  install = () => Promise.resolve(none());
  remove = () => Promise.resolve(none());
  add = () => Promise.resolve(none());
  settings = () => Promise.resolve({ ...DEFAULT_LANGUAGE_SETTINGS });
  configure = () => Promise.resolve(none());
  providers = () => Promise.resolve([]);
  configureProvider = () => Promise.resolve(none());
  setKey = () => Promise.resolve(none());
  route = () => Promise.resolve(none());
  profiles = () => Promise.resolve([]);
  spending = () => Promise.resolve(none());
  probe = () => Promise.resolve(none());
  status(): Promise<EngineStatus["language"]> {
    return Promise.resolve({
      settings: { ...DEFAULT_LANGUAGE_SETTINGS },
      readyCount: 0,
      todayUsd: 0,
      profiles: [],
    });
  }
  close(): Promise<void> {
    return Promise.resolve();
  }
}
