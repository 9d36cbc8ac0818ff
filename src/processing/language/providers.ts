/** The HTTP providers: their addresses, protocols, whether they need a key; and what an address may be. */

import { AppError } from "../../errors.ts";
import type { LanguageProvider } from "../../model/language-model.ts";
import type { CallTimeouts } from "./call-deadline.ts";
import { claude } from "./protocols/claude.ts";
import { gemini } from "./protocols/gemini.ts";
import { ollama } from "./protocols/ollama.ts";
import { openAiChat } from "./protocols/openai-chat.ts";
import { openAiResponses } from "./protocols/openai-responses.ts";
import type { ProtocolAdapter } from "./protocols/protocol-adapter.ts";

export const HTTP_PROVIDERS = [
  "ollama",
  "openai",
  "claude",
  "gemini",
  "openai-compatible",
] as const satisfies readonly LanguageProvider[];
export type HttpProvider = (typeof HTTP_PROVIDERS)[number];

export interface ProviderTraits {
  /** As people call it. */
  title: string;
  /** Null: only its owner knows it. */
  baseUrl: string | null;
  /** Added to an address that names a host alone. */
  path: string;
  needsKey: boolean;
  adapter(model: string): ProtocolAdapter;
  timeouts: CallTimeouts;
  /** Requests under way at once. */
  concurrency: number;
}

/** A remote service: connections are fast, thinking may take a while. */
const REMOTE: CallTimeouts = {
  connectMs: 10_000,
  firstByteMs: 60_000,
  idleMs: 45_000,
  totalMs: 180_000,
};
/** A machine of one's own may have to load the model first. */
const OWN: CallTimeouts = {
  connectMs: 5_000,
  firstByteMs: 300_000,
  idleMs: 120_000,
  totalMs: 900_000,
};

const chat = openAiChat("openai");
const compatible = openAiChat("compatible");
/** Models that OpenAI serves by its newer protocol alone. */
const RESPONSES_ONLY = /(?:-pro|-codex|codex-|deep-research|computer-use)/;

export const PROVIDER_TRAITS: Readonly<Record<HttpProvider, ProviderTraits>> = {
  ollama: {
    title: "Ollama",
    baseUrl: "http://127.0.0.1:11434",
    path: "",
    needsKey: false,
    adapter: () => ollama,
    timeouts: OWN,
    concurrency: 2,
  },
  openai: {
    title: "OpenAI",
    baseUrl: "https://api.openai.com/v1",
    path: "/v1",
    needsKey: true,
    adapter: (model) => (RESPONSES_ONLY.test(model) ? openAiResponses : chat),
    timeouts: REMOTE,
    concurrency: 8,
  },
  claude: {
    title: "Claude",
    baseUrl: "https://api.anthropic.com/v1",
    path: "/v1",
    needsKey: true,
    adapter: () => claude,
    timeouts: REMOTE,
    concurrency: 4,
  },
  gemini: {
    title: "Gemini",
    baseUrl: "https://generativelanguage.googleapis.com/v1beta",
    path: "/v1beta",
    needsKey: true,
    adapter: () => gemini,
    timeouts: REMOTE,
    concurrency: 4,
  },
  "openai-compatible": {
    title: "OpenAI-compatible server",
    baseUrl: null,
    path: "/v1",
    needsKey: false,
    adapter: () => compatible,
    timeouts: OWN,
    concurrency: 4,
  },
};

export function isHttpProvider(provider: LanguageProvider): provider is HttpProvider {
  return (HTTP_PROVIDERS as readonly string[]).includes(provider);
}

/** The address without a slash at its end, with the provider's path where it names a host alone. */
export function normalizeBaseUrl(provider: HttpProvider, baseUrl: string): string {
  const url = URL.canParse(baseUrl) ? new URL(baseUrl) : null;
  if (!url || (url.protocol !== "http:" && url.protocol !== "https:"))
    throw new AppError("invalid_input", `“${baseUrl}” is no address of a server.`, {
      hint: "It looks like http://localhost:11434 or https://host/v1.",
    });
  if (url.username || url.password)
    throw new AppError("invalid_input", "The address holds a name or password.", {
      hint: "Leave it out of the address, and set it as the provider's key.",
    });
  if (url.search || url.hash)
    throw new AppError("invalid_input", `The address “${baseUrl}” has a part after “?” or “#”.`, {
      hint: "Give host and path alone.",
    });
  const path = url.pathname.replace(/\/+$/, "");
  return `${url.origin}${path === "" ? PROVIDER_TRAITS[provider].path : path}`;
}

export function isLoopback(hostname: string): boolean {
  return /^(?:localhost|.+\.localhost|127(?:\.\d+){3}|\[::1\])$/i.test(hostname);
}

/** Loopback, a private network, or a name that only a local network knows. */
function isNear(hostname: string): boolean {
  return (
    isLoopback(hostname) ||
    /^(?:10(?:\.\d+){3}|192\.168(?:\.\d+){2}|172\.(?:1[6-9]|2\d|3[01])(?:\.\d+){2}|169\.254(?:\.\d+){2})$/.test(
      hostname,
    ) ||
    /^\[f[cd]/i.test(hostname) ||
    /\.(?:local|lan|internal|home\.arpa)$/i.test(hostname) ||
    !/[.:]/.test(hostname)
  );
}

/** A key must not cross the open network readable. `invalid_input` when it would. */
export function refuseReadableKey(baseUrl: string, key: string | null): void {
  const url = new URL(baseUrl);
  if (key === null || url.protocol === "https:" || isNear(url.hostname)) return;
  throw new AppError("invalid_input", `The key would be sent to ${url.host} unencrypted.`, {
    hint: "Use an https:// address, or remove the key when the server needs none.",
  });
}
