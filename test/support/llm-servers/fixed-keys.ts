/** Keys that a test gives, in place of a key store. */

import type { LanguageProvider } from "../../../src/model/language-model.ts";
import type { KeyStore } from "../../../src/ports/language-model.ts";

export function fixedKeys(initial: Partial<Record<LanguageProvider, string>>): KeyStore {
  const keys = new Map(Object.entries(initial));
  return {
    get: async (provider) => keys.get(provider) ?? null,
    where: async (provider) => (keys.has(provider) ? "memory" : "none"),
    set: async (provider, key) => void keys.set(provider, key),
    remove: async (provider) => void keys.delete(provider),
  };
}
