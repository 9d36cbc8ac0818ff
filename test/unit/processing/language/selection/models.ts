import {
  DEFAULT_LANGUAGE_SETTINGS,
  type LanguageModelInfo,
} from "../../../../../src/model/language-model.ts";
import type { RouterSnapshot } from "../../../../../src/processing/language/selection/admission.ts";

type Change = Partial<LanguageModelInfo> & { id: string };

/** A model that could answer now; local ones cost nothing. */
export function modelInfo({ id, ...change }: Change): LanguageModelInfo {
  const at = id.indexOf(":");
  const provider = id.slice(0, at) as LanguageModelInfo["provider"];
  const local = change.local ?? ["wllama", "webllm", "chrome", "ollama"].includes(provider);
  return {
    id,
    provider,
    name: id.slice(at + 1),
    title: id.slice(at + 1),
    tier: "balanced",
    contextTokens: 32_768,
    local,
    price: local ? { inputUsd: 0, outputUsd: 0 } : { inputUsd: 0.25, outputUsd: 2 },
    state: local ? "installed" : "ready",
    ...change,
  };
}

export const SMOL = modelInfo({ id: "wllama:smollm2-135m", tier: "fast", contextTokens: 2_048 });
export const QWEN = modelInfo({ id: "ollama:qwen2.5:3b", state: "ready" });
export const MINI = modelInfo({ id: "openai:gpt-5-mini", contextTokens: 400_000 });
export const OPUS = modelInfo({
  id: "claude:claude-opus-5-5",
  tier: "high",
  price: { inputUsd: 4, outputUsd: 20 },
});

export function snapshotOf(
  models: readonly LanguageModelInfo[],
  change: Partial<Omit<RouterSnapshot, "settings">> & {
    settings?: Partial<RouterSnapshot["settings"]>;
  } = {},
): RouterSnapshot {
  return {
    models,
    remainingUsd: 1,
    pausedUntil: new Map(),
    disabled: new Set(),
    now: Date.UTC(2026, 10, 25),
    turn: 1,
    ...change,
    settings: { ...DEFAULT_LANGUAGE_SETTINGS, ...change.settings },
  };
}
