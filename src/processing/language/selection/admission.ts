/**
 * What keeps a model from taking part in one text, checked in the order in which its owner can do
 * something about it. Every answer is a sentence for a person.
 */

import {
  type LanguageModelInfo,
  type LanguageProvider,
  type LanguageSettings,
  type RouteRequest,
} from "../../../model/language-model.ts";
import { MIN_PASS_RATE, tierTakesPart, type RankedModel } from "./model-selector.ts";

/** Everything that a choice depends on, at one moment. */
export interface RouterSnapshot {
  models: readonly LanguageModelInfo[];
  settings: LanguageSettings;
  /** Left of today's budget. */
  remainingUsd: number;
  /** Providers that are held back after failures, until when (ms since epoch). */
  pausedUntil: ReadonlyMap<LanguageProvider, number>;
  /** Providers that their owner turned off. */
  disabled: ReadonlySet<LanguageProvider>;
  /** ms since epoch. */
  now: number;
  /** Running number of the choice; some turns give a model another chance. */
  turn: number;
}

/** How far a model got; the one that got furthest explains best why none was taken. */
export interface Refusal {
  step: number;
  reason: string;
}

export const PROVIDER_TITLES: Readonly<Record<LanguageProvider, string>> = {
  webllm: "WebLLM",
  wllama: "wllama",
  chrome: "the browser's own model",
  ollama: "Ollama",
  openai: "OpenAI",
  claude: "Claude",
  gemini: "Gemini",
  "openai-compatible": "the OpenAI-compatible server",
};

/** From this step on a model could be called, and something else speaks against it. */
export const HELD_BACK = 4;

/** Reasons that don't depend on the text's size: whether it could be called at all. */
export function presence(
  model: LanguageModelInfo,
  request: Pick<RouteRequest, "allowRemote" | "model">,
  snapshot: RouterSnapshot,
): Refusal | null {
  const { settings, disabled, pausedUntil, now } = snapshot;
  const provider = PROVIDER_TITLES[model.provider];
  if (disabled.has(model.provider)) return { step: 1, reason: `Turned off: ${provider}.` };
  switch (model.state) {
    case "missing":
      return { step: 2, reason: "It is not installed." };
    case "partial":
      return { step: 2, reason: "Only a part of it is downloaded." };
    case "needs_key":
      return { step: 2, reason: `No key is set for ${provider}.` };
    case "unavailable":
    case "failed":
      // Whoever names it wants it tried again; it may have been the memory, or the device.
      if (model.state === "failed" && (request.model ?? settings.model) === model.id) break;
      return { step: 2, reason: model.reason ?? "It can't be used here." };
    case "installed":
    case "loaded":
    case "ready":
  }
  if (!model.local && !(request.allowRemote ?? settings.allowRemote))
    return { step: 3, reason: "The text would leave this device, which isn't allowed." };
  if (!model.local && model.price === null)
    return { step: 4, reason: "Its price isn't known, so the budget can't admit it." };
  const paused = pausedUntil.get(model.provider);
  if (paused !== undefined && paused > now)
    return {
      step: 5,
      reason: `Held back for ${Math.ceil((paused - now) / 1000)} s after repeated failures of ${provider}.`,
    };
  return null;
}

/** Reasons that depend on the text: size, money, time, expected quality. `asked`: the owner named this model. */
export function fitness(
  ranked: RankedModel,
  request: RouteRequest,
  snapshot: RouterSnapshot,
  asked: boolean,
): Refusal | null {
  const { model } = ranked;
  if (!asked && !tierTakesPart(model.tier, request.mode))
    return { step: 6, reason: `It takes part from mode ${model.tier} on.` };
  if (!Number.isFinite(ranked.parts))
    return {
      step: 7,
      reason: `Its context of ${model.contextTokens} tokens is too small for a prompt and its answer.`,
    };
  if (request.costLimitUsd !== undefined && (ranked.costUsd ?? 0) > request.costLimitUsd)
    return {
      step: 8,
      reason: `About ${usd(ranked.costUsd ?? 0)} is above the limit of ${usd(request.costLimitUsd)} for one text.`,
    };
  const worst = ranked.worstUsd ?? 0;
  if (worst > 0 && worst > snapshot.remainingUsd)
    return {
      step: 9,
      reason: `It could cost up to ${usd(worst)}, and ${usd(snapshot.remainingUsd)} of today's budget is left.`,
    };
  if (request.latencyBudgetMs !== undefined && ranked.latencyMs > request.latencyBudgetMs)
    return {
      step: 10,
      reason: `About ${seconds(ranked.latencyMs)} is longer than the ${seconds(request.latencyBudgetMs)} allowed.`,
    };
  const least = request.minPassRate ?? MIN_PASS_RATE[request.mode];
  if (!asked && ranked.passRate < least)
    return {
      step: QUALITY_STEP,
      reason: `Its summaries are expected to pass the gate in ${percent(ranked.passRate)}; ${percent(least)} is asked for.`,
    };
  return null;
}

/** The last step: what failed there alone may be tried again now and then. */
export const QUALITY_STEP = 11;

export function usd(amount: number): string {
  return `$${amount === 0 ? "0" : amount < 0.01 ? Number(amount.toPrecision(2)) : amount.toFixed(2)}`;
}

export function seconds(ms: number): string {
  return ms < 950 ? `${Math.round(ms / 10) * 10} ms` : `${(ms / 1000).toFixed(1)} s`;
}

export function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}
