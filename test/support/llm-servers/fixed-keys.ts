/** Keys that a test gives, in place of a key store. */

import type { LanguageProvider } from "../../../src/model/language-model.ts";
import type { KeyStore } from "../../../src/ports/language-model.ts";

export function fixedKeys(
  keys: Partial<Record<LanguageProvider, string>>,
): KeyStore & { keys: Partial<Record<LanguageProvider, string>> } {
  return {
    keys,
    get: async (provider) => keys[provider] ?? null,
    where: async (provider) => (keys[provider] ? "memory" : "none"),
    set: async (provider, key) => void (keys[provider] = key),
    remove: async (provider) => void delete keys[provider],
  };
}
