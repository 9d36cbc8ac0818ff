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

class Preferences {
  theme = $state<Theme>(stored("theme", ["system", "light", "dark"], "system"));
  keep = $state<"exact" | "summary">(stored("keep", ["exact", "summary"], "exact"));
  mode = $state<CompressionMode>(stored("mode", ["fast", "balanced", "high"], "fast"));

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
}

export const preferences = new Preferences();
