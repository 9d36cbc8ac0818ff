/** All language models that a browser can reach, for the engine: those inside it and those over HTTP. */

import { httpCatalogue } from "../../../model/http-models.ts";
import type { LanguageProvider, ProviderSettings } from "../../../model/language-model.ts";
import type { KeyStore, LanguageModelSource } from "../../../ports/language-model.ts";
import { FetchTransport } from "../../../processing/language/fetch-transport.ts";
import { createHttpSources } from "../../../processing/language/http-model-source.ts";
import { ChromeModelSource } from "./chrome-model-source.ts";
import { WebLlmModelSource } from "./webllm-model-source.ts";
import { WllamaModelSource } from "./wllama-model-source.ts";

export interface BrowserSourceParts {
  keys: KeyStore;
  settings: (provider: LanguageProvider) => Promise<ProviderSettings>;
  /** To the page that has the browser's built-in models; null where there is none. */
  builtInModels: MessagePort | null;
}

export function createBrowserLanguageSources(parts: BrowserSourceParts): LanguageModelSource[] {
  const createWorker = () =>
    new Worker(new URL("../../../../workers/language.worker.ts", import.meta.url), {
      type: "module",
      name: "language",
    });
  return [
    new WebLlmModelSource({ createWorker }),
    new WllamaModelSource({ createWorker }),
    new ChromeModelSource(parts.builtInModels),
    ...createHttpSources({
      transport: new FetchTransport(),
      keys: parts.keys,
      settings: parts.settings,
      catalogue: httpCatalogue(Date.now()),
    }),
  ];
}
