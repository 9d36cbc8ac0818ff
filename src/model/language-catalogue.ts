/**
 * The models that run inside the browser, as data: where their weights are, how large they are (where
 * a source states it), how much memory they take, what device they need, under which licence. WebLLM's
 * names, addresses and memory figures are those of its own list (version 0.2.86; a test compares).
 */

import catalogue from "./language-catalogue.json" with { type: "json" };
import type { DeviceNeeds, ModelTier } from "./language-model.ts";

interface InBrowserModelBase {
  /** The provider's own name of it. */
  name: string;
  title: string;
  tier: ModelTier;
  /** Tokens that it is run with, prompt and answer together. */
  contextTokens: number;
  /** SPDX identifier, or the licence's name. Absent: not stated by a user's own model. */
  licence?: string;
  origin?: string;
  /** Bytes of the download, where they are known before it starts. */
  sizeBytes?: number;
  needs: DeviceNeeds;
  /** Added by the user. */
  custom?: boolean;
}

/** A GGUF for llama.cpp in WebAssembly. */
export interface WllamaModel extends InBrowserModelBase {
  provider: "wllama";
  ggufUrl: string;
  /** Lower-case hex; absent: recorded when it is installed first. */
  sha256?: string;
  /** Its name in the weights table, where the application's own server may have it. */
  weights?: string;
}

/** Weights and a compiled library for WebLLM. */
export interface WebLlmModel extends InBrowserModelBase {
  provider: "webllm";
  weightsUrl: string;
  libraryUrl: string;
  /** Of its mlc-chat-config.json, beside the context. */
  overrides?: Record<string, number>;
}

export const WLLAMA_MODELS: readonly WllamaModel[] = (
  catalogue.wllama as Omit<WllamaModel, "provider">[]
).map((model) => ({ ...model, provider: "wllama" }));

export const WEBLLM_MODELS: readonly WebLlmModel[] = catalogue.webllm.models.map(
  ({ library, vramMegabytes, shaderF16, ...model }) => ({
    ...(model as Omit<WebLlmModel, "provider" | "weightsUrl" | "libraryUrl" | "needs">),
    provider: "webllm",
    weightsUrl: catalogue.webllm.weightsPrefix + model.name,
    libraryUrl: catalogue.webllm.libraryPrefix + library,
    needs: {
      webgpu: true,
      shaderF16,
      // WebLLM states mebibytes.
      memoryBytes: Math.round(vramMegabytes * 1024 * 1024),
    },
  }),
);
