/** Descriptions of HTTP models: from the catalogue's shape, from what a server says, from what an owner adds. */

import type { CustomModel, LanguageModelInfo, ModelTier } from "../../model/language-model.ts";
import type { RemoteModel } from "./protocols/protocol-adapter.ts";
import type { HttpProvider } from "./providers.ts";

/** A model that is known by name; its state is found out at run time. */
export type CatalogueModel = Omit<
  LanguageModelInfo,
  "id" | "state" | "reason" | "installedBytes" | "custom"
>;

/** A model of unknown context gets what nearly every one of today's has. */
const CAUTIOUS_CONTEXT_TOKENS = 8192;
const LARGE_PARAMETERS_B = 12;
const SMALL_PARAMETERS_B = 3;

/** By size where it is known: below 3 billion parameters fast, from 12 on high. */
export function tierOf(parametersB: number | undefined): ModelTier {
  if (parametersB === undefined) return "balanced";
  if (parametersB < SMALL_PARAMETERS_B) return "fast";
  return parametersB < LARGE_PARAMETERS_B ? "balanced" : "high";
}

/** A model that only its server knows. `local`: the server is on this machine. */
export function remoteInfo(
  provider: HttpProvider,
  model: RemoteModel,
  local: boolean,
): LanguageModelInfo {
  const staysHere = local && !model.forwarded;
  return {
    id: `${provider}:${model.name}`,
    provider,
    name: model.name,
    title: model.title ?? model.name,
    tier: tierOf(model.parametersB ?? parametersInName(model.name)),
    contextTokens: model.contextTokens ?? CAUTIOUS_CONTEXT_TOKENS,
    ...(model.maxOutputTokens ? { maxOutputTokens: model.maxOutputTokens } : {}),
    ...guessThinking(provider, model.name),
    local: staysHere,
    price: staysHere ? { inputUsd: 0, outputUsd: 0 } : null,
    ...(model.sizeBytes ? { sizeBytes: model.sizeBytes, installedBytes: model.sizeBytes } : {}),
    ...(model.licence ? { licence: model.licence } : {}),
    state: "ready",
  };
}

export function customInfo(
  model: Exclude<CustomModel, { provider: "webllm" | "wllama" }>,
): Omit<LanguageModelInfo, "state"> {
  return {
    id: `${model.provider}:${model.name}`,
    provider: model.provider,
    name: model.name,
    title: model.title ?? model.name,
    tier: model.tier ?? tierOf(parametersInName(model.name)),
    contextTokens: model.contextTokens ?? CAUTIOUS_CONTEXT_TOKENS,
    ...guessThinking(model.provider, model.name),
    local: false,
    price: model.price ?? null,
    custom: true,
  };
}

/** "qwen2.5-7b-instruct" → 7, "smollm2:135m" → 0.135. */
function parametersInName(name: string): number | undefined {
  const match = /(?:^|[-_:/])(\d+(?:\.\d+)?)([bm])(?![a-z])/i.exec(name);
  if (!match) return undefined;
  return Number(match[1]) * (match[2]!.toLowerCase() === "m" ? 1e-3 : 1);
}

/** Room for thoughts of models that no catalogue describes, by the families that are known to think. */
export function guessThinking(
  provider: HttpProvider,
  name: string,
): Pick<LanguageModelInfo, "thinkingTokens" | "fixedSampling"> {
  if (provider === "openai" && /^(?:o\d|gpt-(?:[5-9]|\d\d))/.test(name) && !name.includes("chat"))
    return { thinkingTokens: 4096, fixedSampling: true };
  if (provider === "gemini" && /^gemini-(?:2\.5-pro|[3-9]|\d\d)/.test(name))
    return { thinkingTokens: 4096 };
  return {};
}
