/**
 * How each provider is reached, as its owner set it: address, limits, on or off. Keys are never part
 * of it. The platforms hand `providerSettingsReader` to the HTTP sources, which ask before each call,
 * so that a change holds at once.
 */

import { z } from "zod";
import {
  LANGUAGE_PROVIDERS,
  type LanguageProvider,
  type ProviderSettings,
} from "../model/language-model.ts";
import type { SettingsStore } from "./settings-store.ts";

export const PROVIDERS_RECORD = "providers";

const count = z.int().min(1).max(10_000_000);

export const providerSettingsSchema = z.strictObject({
  provider: z.enum(LANGUAGE_PROVIDERS),
  enabled: z.boolean(),
  baseUrl: z
    .url({ protocol: /^https?$/, error: "must be an address like http://localhost:11434" })
    .max(2_000)
    .optional(),
  requestsPerMinute: count.optional(),
  tokensPerMinute: count.optional(),
  concurrency: z.int().min(1).max(64).optional(),
  timeoutMs: z.int().min(1_000).max(3_600_000).optional(),
});

const recordSchema = z.array(providerSettingsSchema);

/** What is off until its owner sets it up: a page must not knock at local servers by itself. */
export type OffAtFirst = readonly LanguageProvider[];

/** Settings of every provider, defaults where nothing was set. */
export async function readAllProviderSettings(
  store: SettingsStore,
  offAtFirst: OffAtFirst,
): Promise<ProviderSettings[]> {
  const stored = await store.read<ProviderSettings[]>(PROVIDERS_RECORD, recordSchema, []);
  return LANGUAGE_PROVIDERS.map(
    (provider) =>
      stored.find((entry) => entry.provider === provider) ?? {
        provider,
        enabled: !offAtFirst.includes(provider),
      },
  );
}

/** Durable when resolved. */
export async function writeProviderSettings(
  store: SettingsStore,
  settings: ProviderSettings,
): Promise<void> {
  const stored = await store.read<ProviderSettings[]>(PROVIDERS_RECORD, recordSchema, []);
  const others = stored.filter((entry) => entry.provider !== settings.provider);
  await store.write(PROVIDERS_RECORD, [...others, settings]);
}

/** What HTTP sources call to know how a provider is reached now. */
export function providerSettingsReader(
  store: SettingsStore,
  offAtFirst: OffAtFirst = [],
): (provider: LanguageProvider) => Promise<ProviderSettings> {
  return async (provider) => {
    const all = await readAllProviderSettings(store, offAtFirst);
    return all[LANGUAGE_PROVIDERS.indexOf(provider)]!;
  };
}
