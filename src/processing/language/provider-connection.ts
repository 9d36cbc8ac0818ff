/**
 * How a provider is reached now: its settings and key, checked, as the `Connection` of a call. Asked
 * for at every call, so that a change of the owner's holds at once.
 */

import { AppError } from "../../errors.ts";
import type { LanguageProvider, ProviderSettings } from "../../model/language-model.ts";
import type { KeyStore } from "../../ports/language-model.ts";
import type { Connection } from "./answering.ts";
import type { CallTimeouts } from "./call-deadline.ts";
import {
  isLoopback,
  normalizeBaseUrl,
  PROVIDER_TRAITS,
  refuseReadableKey,
  type HttpProvider,
} from "./providers.ts";

export interface ConnectionSources {
  keys: Pick<KeyStore, "get">;
  settings: (provider: LanguageProvider) => Promise<ProviderSettings>;
  /** Replaces single times of all providers; the owner's `timeoutMs` still bounds the whole call. */
  timeouts?: Partial<CallTimeouts>;
}

/**
 * Throws what is in the way: `invalid_input` when it is turned off, has no address, one that can't be
 * right, or one that a key would travel to unencrypted; `unauthorized` without a key where one is needed.
 */
export async function connectProvider(
  provider: HttpProvider,
  sources: ConnectionSources,
): Promise<Connection> {
  const traits = PROVIDER_TRAITS[provider];
  const settings = await sources.settings(provider);
  if (!settings.enabled)
    throw new AppError("invalid_input", `${traits.title} is turned off.`, {
      hint: "Turn it on in the providers' settings.",
    });
  const address = settings.baseUrl ?? traits.baseUrl;
  if (address === null)
    throw new AppError("invalid_input", `${traits.title} has no address.`, {
      hint: "Set its address in the providers' settings.",
    });
  const baseUrl = normalizeBaseUrl(provider, address);
  const key = (await sources.keys.get(provider)) || null;
  if (key === null && traits.needsKey)
    throw new AppError("unauthorized", `${traits.title} needs a key.`, {
      hint: "Set one; it is kept as you choose and sent to this provider alone.",
    });
  refuseReadableKey(baseUrl, key);
  const timeouts = { ...traits.timeouts, ...sources.timeouts };
  const totalMs = settings.timeoutMs ?? timeouts.totalMs;
  return {
    baseUrl,
    key,
    limits: {
      requestsPerMinute: settings.requestsPerMinute,
      tokensPerMinute: settings.tokensPerMinute,
    },
    concurrency: settings.concurrency ?? traits.concurrency,
    timeouts: { ...timeouts, totalMs, firstByteMs: Math.min(timeouts.firstByteMs, totalMs) },
  };
}

/** Whether text stays on this machine; `baseUrl` null stands for the provider's own address. */
export function staysHere(provider: HttpProvider, baseUrl: string | null): boolean {
  const address = baseUrl ?? PROVIDER_TRAITS[provider].baseUrl;
  return address !== null && isLoopback(new URL(address).hostname);
}
