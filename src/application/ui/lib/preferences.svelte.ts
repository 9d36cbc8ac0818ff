/** The reader's own settings of the page, kept in this browser: theme, and how new text is kept. */

import type { CompressionMode } from "../../../model/memory.ts";

export type Theme = "system" | "light" | "dark";

function stored<T extends string>(key: string, allowed: readonly T[], fallback: T): T {
  try {
    const value = localStorage.getItem(key);
    return allowed.find((one) => one === value) ?? fallback;
  } catch {
    return fallback; // storage is switched off
  }
}

function store(key: string, value: string): void {
  try {
    localStorage.setItem(key, value);
  } catch {
    // It holds for this visit then.
  }
}

function storedText(key: string): string {
  try {
    return localStorage.getItem(key) ?? "";
  } catch {
    return "";
  }
}

class Preferences {
  theme = $state<Theme>(stored("theme", ["system", "light", "dark"], "system"));
  keep = $state<"exact" | "summary">(stored("keep", ["exact", "summary"], "exact"));
  mode = $state<CompressionMode>(stored("mode", ["fast", "balanced", "high"], "fast"));

  /** Of new text: a model's id, "auto", "extractive", or "" for what the settings say. */
  model = $state(storedText("model"));

  setTheme(theme: Theme): void {
    this.theme = theme;
    store("theme", theme);
    this.applyTheme();
  }

  applyTheme(): void {
    const root = document.documentElement;
    if (this.theme === "system") delete root.dataset["theme"];
    else root.dataset["theme"] = this.theme;
  }

  setKeep(keep: "exact" | "summary"): void {
    this.keep = keep;
    store("keep", keep);
  }

  setMode(mode: CompressionMode): void {
    this.mode = mode;
    store("mode", mode);
  }

  setModel(model: string): void {
    this.model = model;
    store("model", model);
  }
}

export const preferences = new Preferences();
