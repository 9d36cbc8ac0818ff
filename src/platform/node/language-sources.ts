/** The language models of Node: the HTTP providers, with addresses that the environment may name. */

import { httpCatalogue } from "../../model/http-models.ts";
import type { LanguageProvider, ProviderSettings } from "../../model/language-model.ts";
import type { KeyStore, LanguageModelSource } from "../../ports/language-model.ts";
import { createHttpSources } from "../../processing/language/http-model-source.ts";
import { NodeHttpTransport } from "./http-transport.ts";
import { withEnvironmentAddress } from "./key-store.ts";

export function createNodeLanguageSources(
  keys: KeyStore,
  settings: (provider: LanguageProvider) => Promise<ProviderSettings>,
): LanguageModelSource[] {
  return createHttpSources({
    transport: new NodeHttpTransport(),
    keys,
    settings: async (provider) => withEnvironmentAddress(await settings(provider)),
    catalogue: httpCatalogue(Date.now()),
  });
}
