/**
 * What is known of a language model before it is called: where it runs, what it needs, what it
 * costs, how it did so far; and the choices that are made between them. Data alone.
 */

import type { CompressionMode, ContentKind } from "./memory.ts";

export const LANGUAGE_PROVIDERS = [
  "webllm", // WebGPU, in the browser
  "wllama", // WebAssembly, in the browser
  "chrome", // the browser's built-in model
  "ollama",
  "openai",
  "claude",
  "gemini",
  "openai-compatible",
] as const;
export type LanguageProvider = (typeof LANGUAGE_PROVIDERS)[number];

/** What a model is good for: the mode from which on it takes part. */
export type ModelTier = CompressionMode;

/** US dollars per million tokens. */
export interface TokenPrice {
  inputUsd: number;
  outputUsd: number;
  /** Of input that the provider had cached, where it says so. */
  cachedInputUsd?: number;
}

/** What a device must have for a model that runs on it. */
export interface DeviceNeeds {
  webgpu?: boolean;
  /** The WebGPU feature `shader-f16`. */
  shaderF16?: boolean;
  /** Memory while it runs. */
  memoryBytes?: number;
}

export type LanguageModelState =
  | "missing" // can be installed
  | "partial" // half a download is there
  | "installed"
  | "loaded"
  | "ready" // a remote one, or the browser's own
  | "needs_key"
  | "unavailable" // this device or browser can't run it, or its server doesn't answer: `reason`
  | "failed";

export interface LanguageModelInfo {
  /** "PROVIDER:NAME", unique: "wllama:smollm2-135m-instruct-q4_1". */
  id: string;
  provider: LanguageProvider;
  /** The provider's own name of it. */
  name: string;
  title: string;
  tier: ModelTier;
  /** Tokens of prompt and answer together. */
  contextTokens: number;
  /** Longest answer, where the provider limits it further. */
  maxOutputTokens?: number;
  /** Room that its thinking needs beside the answer, within the output limit and billed as output. */
  thinkingTokens?: number;
  /** True when a request that sets a temperature is refused. */
  fixedSampling?: boolean;
  /** True when the text doesn't leave the device (or, for Ollama, its own machine). */
  local: boolean;
  /** Null: its price is not known, so a budget can't admit it. A local one costs 0. */
  price: TokenPrice | null;
  /** Download, where there is one. */
  sizeBytes?: number;
  installedBytes?: number;
  /** SPDX identifier, or the licence's name. */
  licence?: string;
  origin?: string;
  needs?: DeviceNeeds;
  state: LanguageModelState;
  /** Why it is unavailable or failed, and what to do. */
  reason?: string;
  /** Added by the user. */
  custom?: boolean;
}

/** A model that a user adds by address. */
export type CustomModel =
  | {
      provider: "webllm";
      name: string;
      title?: string;
      /** Folder with mlc-chat-config.json, tokenizer.json, tensor-cache.json, params_shard_N.bin. */
      weightsUrl: string;
      /** The compiled model library (.wasm). */
      libraryUrl: string;
      contextTokens?: number;
      tier?: ModelTier;
      licence?: string;
      /** Whether its library needs `shader-f16`; default: as its name says ("q4f16" does, "q4f32" doesn't). */
      shaderF16?: boolean;
    }
  | {
      provider: "wllama";
      name: string;
      title?: string;
      ggufUrl: string;
      /** Lower-case hex; checked where given. */
      sha256?: string;
      contextTokens?: number;
      tier?: ModelTier;
      licence?: string;
    }
  | {
      provider: "ollama" | "openai" | "claude" | "gemini" | "openai-compatible";
      name: string;
      title?: string;
      contextTokens?: number;
      tier?: ModelTier;
      price?: TokenPrice;
    };

/** How a provider is reached. Keys are never part of it. */
export interface ProviderSettings {
  provider: LanguageProvider;
  enabled: boolean;
  /** Default: the provider's own address. */
  baseUrl?: string;
  requestsPerMinute?: number;
  tokensPerMinute?: number;
  /** Requests under way at once. */
  concurrency?: number;
  timeoutMs?: number;
}

export interface ProviderState extends ProviderSettings {
  /** Where its key is: "memory" ends with the page or process, "saved" is encrypted on this device. */
  key: "none" | "memory" | "saved" | "environment" | "file";
  /** False for providers that this platform doesn't have. */
  available: boolean;
  /** Requests are held back until then after repeated failures, ms since epoch. */
  pausedUntil?: number;
  error?: string;
}

/** What was measured of one model over its last calls. */
export interface ModelProfile {
  modelId: string;
  calls: number;
  failures: number;
  latencyMs: { p50: number; p95: number } | null;
  /** Output tokens per second of generation. */
  tokensPerSecond: number | null;
  /** Share of its summaries that passed the quality gate, and their mean similarity. */
  quality: { passRate: number; similarity: number | null; count: number } | null;
  costUsd: number;
  inputTokens: number;
  outputTokens: number;
  lastUsedAt: number | null;
  /** Last failure, in plain words. */
  lastError?: string;
}

/** What a text needs of a model. */
export interface RouteRequest {
  kind: ContentKind | undefined;
  mode: CompressionMode;
  inputTokens: number;
  outputTokens: number;
  /** Share of summaries that must be expected to pass the gate; default by mode. */
  minPassRate?: number;
  latencyBudgetMs?: number;
  /** For this one text. */
  costLimitUsd?: number;
  /** True admits models to which the text leaves the device. Default: as the settings say. */
  allowRemote?: boolean;
  /** A model by id, or "extractive": no other is considered. */
  model?: string;
}

/** The choice of a model and why; `considered` says of every other one why not. */
export interface RouteDecision {
  /** Null: no language model takes part, the summary is extractive. */
  modelId: string | null;
  /** One sentence in plain words. */
  reason: string;
  expectedCostUsd: number;
  expectedLatencyMs: number | null;
  /** What takes over when it fails, in order; extractive is always last and not listed. */
  fallbacks: string[];
  considered: { modelId: string; chosen: boolean; reason: string }[];
  /** Time that the choice took. */
  elapsedMs: number;
}

/** Money spent, as far as the price table knows. */
export interface SpendingReport {
  dailyBudgetUsd: number;
  todayUsd: number;
  /** Of calls under way, counted against the budget until their real cost is known. */
  reservedUsd: number;
  /** The day that "today" is, local time: "2026-11-25". */
  day: string;
  days: { day: string; usd: number; calls: number; byProvider: Record<string, number> }[];
  /** Newest first, at most 200. */
  calls: {
    at: number;
    modelId: string;
    usd: number;
    inputTokens: number;
    outputTokens: number;
    elapsedMs: number;
    ok: boolean;
  }[];
  prices: { modelId: string; price: TokenPrice; source: string }[];
}

export interface LanguageSettings {
  /** False: language models take no part; summaries are extractive. */
  enabled: boolean;
  /** Whether text may be sent to providers on other machines. Default false. */
  allowRemote: boolean;
  dailyBudgetUsd: number;
  /** "auto" lets the router choose. */
  model: string;
}

export const DEFAULT_LANGUAGE_SETTINGS: Readonly<LanguageSettings> = {
  enabled: true,
  allowRemote: false,
  dailyBudgetUsd: 1,
  model: "auto",
};
