/** Language models and providers in plain words: where they run, what they need, what their state means. */

import type {
  DeviceNeeds,
  LanguageModelInfo,
  LanguageModelState,
  LanguageProvider,
  ModelTier,
  ProviderState,
} from "../../../model/language-model.ts";
import { formatBytes } from "./format.ts";

export const PROVIDER_NAMES: Record<LanguageProvider, string> = {
  webllm: "WebLLM",
  wllama: "wllama",
  chrome: "Browser's own model",
  ollama: "Ollama",
  openai: "OpenAI",
  claude: "Claude",
  gemini: "Gemini",
  "openai-compatible": "OpenAI-compatible server",
};

/** What a provider is, in one sentence. */
export const PROVIDER_ABOUT: Record<LanguageProvider, string> = {
  webllm: "Runs models in this browser on the graphics card (WebGPU).",
  wllama:
    "Runs GGUF models in this browser on the processor (WebAssembly); works everywhere, slowly.",
  chrome: "The model that some browsers bring along; it runs on this device.",
  ollama: "A server for models on this machine, or on another one of yours.",
  openai: "A paid service in the cloud.",
  claude: "A paid service in the cloud.",
  gemini: "A paid service in the cloud.",
  "openai-compatible":
    "Any server that speaks the same protocol: llama.cpp, vLLM, LM Studio, a hosted service.",
};

export type Place = "browser" | "machine" | "elsewhere";

export const PLACE_NAMES: Record<Place, string> = {
  browser: "In this browser",
  machine: "On this machine",
  elsewhere: "Elsewhere",
};

export const PLACE_ABOUT: Record<Place, string> = {
  browser: "Installed once, then works offline. The text stays in this browser.",
  machine: "Served by a program on this machine. The text leaves the browser, not the machine.",
  elsewhere:
    "The text of a memory is sent to that server when one of these writes its summary. Used only where you allowed it.",
};

const IN_BROWSER: ReadonlySet<LanguageProvider> = new Set(["webllm", "wllama", "chrome"]);

/** Providers that take an address and perhaps a key. */
export function isServer(provider: LanguageProvider): boolean {
  return !IN_BROWSER.has(provider);
}

export function placeOf(model: Pick<LanguageModelInfo, "provider" | "local">): Place {
  if (IN_BROWSER.has(model.provider)) return "browser";
  return model.local ? "machine" : "elsewhere";
}

export const TIER_NAMES: Record<ModelTier, string> = {
  fast: "Fast",
  balanced: "Balanced",
  high: "High",
};

export const TIER_ABOUT: Record<ModelTier, string> = {
  fast: "takes part in every mode",
  balanced: "takes part in balanced and high",
  high: "takes part in high only",
};

export const TIERS: readonly ModelTier[] = ["fast", "balanced", "high"];

export const STATE_WORDS: Record<LanguageModelState, string> = {
  missing: "not installed",
  partial: "partly downloaded",
  installed: "installed",
  loaded: "loaded, ready",
  ready: "ready",
  needs_key: "needs a key",
  unavailable: "can't run here",
  failed: "failed",
};

export type Tone = "good" | "plain" | "warn" | "bad";

export function stateTone(state: LanguageModelState): Tone {
  if (state === "installed" || state === "loaded" || state === "ready") return "good";
  if (state === "failed") return "bad";
  return state === "missing" ? "plain" : "warn";
}

/** True when it could answer now. */
export function canAnswer(model: Pick<LanguageModelInfo, "state">): boolean {
  return stateTone(model.state) === "good";
}

/** What this device offers; null where the browser doesn't say. */
export interface Device {
  webgpu: boolean | null;
  shaderF16: boolean | null;
  /** Working memory, coarse and capped by browsers at 8 GB. */
  memoryBytes: number | null;
}

export interface Need {
  name: string;
  /** Null: can't be told. */
  met: boolean | null;
}

/** Where an installed model is, and for how long. */
export function keptWhere({ provider }: Pick<LanguageModelInfo, "provider">): string {
  return provider === "ollama"
    ? "They stay on the Ollama server until you remove them."
    : "They stay in this browser until you remove them, and work offline.";
}

/** What goes when a model is removed, and how to have it back. */
export function removalWords(model: LanguageModelInfo): string {
  const bytes = model.installedBytes ? formatBytes(model.installedBytes) : "";
  if (model.provider === "ollama" && model.custom)
    return "It is taken from your list; what is on the Ollama server stays there.";
  if (model.provider === "ollama")
    return `It is deleted from the Ollama server${bytes ? ` (${bytes})` : ""}. It can be installed again if Ollama's library has it; one that was made on that server can't.`;
  const back = model.custom
    ? "You added it; to have it back, add it again."
    : "It can be installed again.";
  return bytes ? `${bytes} are freed. ${back}` : back;
}

/** Browsers report at most this much memory, however much there is. */
const REPORTED_MEMORY_CAP_BYTES = 8 * 1024 ** 3;

/** Each thing that a model needs of a device, and whether this one has it. */
export function deviceNeeds(needs: DeviceNeeds | undefined, device: Device): Need[] {
  if (!needs) return [];
  const list: Need[] = [];
  if (needs.webgpu) list.push({ name: "WebGPU", met: device.webgpu });
  if (needs.shaderF16) list.push({ name: "16-bit shaders", met: device.shaderF16 });
  if (needs.memoryBytes !== undefined) {
    const have = device.memoryBytes;
    const enough = have !== null && have >= needs.memoryBytes;
    const capped = have !== null && have >= REPORTED_MEMORY_CAP_BYTES;
    list.push({
      name: `${formatBytes(needs.memoryBytes)} of memory`,
      met: enough ? true : have === null || capped ? null : false,
    });
  }
  return list;
}

export interface ModelGroup {
  place: Place;
  /** Ready, half-way, failed or added by the user: what one came for. */
  mine: LanguageModelInfo[];
  /** Could be had. */
  offers: LanguageModelInfo[];
  /** Not usable here now: no key, no server, not on this device. */
  blocked: LanguageModelInfo[];
}

const byTierThenSize = (a: LanguageModelInfo, b: LanguageModelInfo): number =>
  TIERS.indexOf(a.tier) - TIERS.indexOf(b.tier) ||
  // Those whose size isn't known come last.
  (a.sizeBytes ?? Number.MAX_SAFE_INTEGER) - (b.sizeBytes ?? Number.MAX_SAFE_INTEGER) ||
  a.title.localeCompare(b.title);

function isMine(model: LanguageModelInfo): boolean {
  return (
    canAnswer(model) ||
    model.custom === true ||
    model.state === "partial" ||
    model.state === "failed"
  );
}

function isBlocked(model: LanguageModelInfo, device: Device | null): boolean {
  if (model.state !== "missing") return true;
  return device !== null && deviceNeeds(model.needs, device).some((need) => need.met === false);
}

/** Models by where they run, in each place by use, tier and size; places without any are left out. */
export function groupModels(
  models: readonly LanguageModelInfo[],
  device: Device | null,
): ModelGroup[] {
  const sorted = [...models].sort(byTierThenSize);
  return (["browser", "machine", "elsewhere"] as const)
    .map((place) => {
      const here = sorted.filter((model) => placeOf(model) === place);
      const rest = here.filter((model) => !isMine(model));
      return {
        place,
        mine: here.filter(isMine),
        offers: rest.filter((model) => !isBlocked(model, device)),
        blocked: rest.filter((model) => isBlocked(model, device)),
      };
    })
    .filter(({ mine, offers, blocked }) => mine.length + offers.length + blocked.length > 0);
}

/** Whether every word is in the model's title, id or licence. */
export function matchesWords(model: LanguageModelInfo, text: string): boolean {
  const about = `${model.title} ${model.id} ${model.licence ?? ""}`.toLowerCase();
  return text
    .toLowerCase()
    .split(/\s+/)
    .every((word) => about.includes(word));
}

export const KEY_WORDS: Record<ProviderState["key"], string> = {
  none: "no key",
  memory: "key held in memory, until this page is closed",
  saved: "key saved on this device, encrypted",
  environment: "key from the environment",
  file: "key from the configuration file",
};

/** A model's title for anyone who has only its id. */
export function modelTitle(
  id: string | null | undefined,
  models: readonly Pick<LanguageModelInfo, "id" | "title">[],
): string {
  if (id === null || id === undefined || id === "" || id === "extractive")
    return "Sentences of the original";
  if (id === "verbatim") return "The text itself";
  if (id === "auto") return "The router's choice";
  return models.find((model) => model.id === id)?.title ?? id;
}
