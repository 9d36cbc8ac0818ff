import { afterAll, beforeAll, describe, it } from "vitest";
import { HTTP_MODELS } from "../../src/model/http-models.ts";
import type { LanguageProvider } from "../../src/model/language-model.ts";
import { FetchTransport } from "../../src/processing/language/fetch-transport.ts";
import {
  createHttpSources,
  type CatalogueModel,
} from "../../src/processing/language/http-model-source.ts";
import {
  COMPLETION_MODEL,
  fixedKeys,
  startClaudeServer,
  startGeminiServer,
  startOllamaServer,
  startOpenAiServer,
  type LlmServer,
} from "../support/llm-servers/index.ts";
import { describeLanguageModel } from "./language-model.ts";

const SERVERS: {
  name: string;
  provider: LanguageProvider;
  model: string;
  start: () => Promise<LlmServer>;
}[] = [
  {
    name: "OpenAI, chat completions",
    provider: "openai",
    model: "gpt-4o-mini",
    start: () => startOpenAiServer(),
  },
  {
    name: "OpenAI, a model that thinks",
    provider: "openai",
    model: "gpt-5-mini",
    start: () => startOpenAiServer(),
  },
  {
    name: "OpenAI, responses",
    provider: "openai",
    model: "gpt-5-pro",
    start: () => startOpenAiServer({ models: ["gpt-5-pro"] }),
  },
  {
    name: "Claude",
    provider: "claude",
    model: "claude-haiku-4-5",
    start: () => startClaudeServer(),
  },
  {
    name: "Gemini",
    provider: "gemini",
    model: "gemini-2.5-flash-lite",
    start: () => startGeminiServer(),
  },
  { name: "Ollama", provider: "ollama", model: "smollm2:135m", start: () => startOllamaServer() },
  {
    name: "Ollama, a model that continues prompts",
    provider: "ollama",
    model: COMPLETION_MODEL.name,
    start: () => startOllamaServer({ models: [COMPLETION_MODEL] }),
  },
  {
    name: "an OpenAI-compatible server",
    provider: "openai-compatible",
    model: "qwen2.5-7b-instruct",
    start: () => startOpenAiServer({ compatible: true, models: ["qwen2.5-7b-instruct"] }),
  },
];

const catalogue = HTTP_MODELS.map(({ prices: _prices, ...model }): CatalogueModel => ({
  ...model,
  local: model.provider === "ollama",
  price: null,
}));

describe.each(SERVERS)("language model over $name", ({ provider, model, start }) => {
  let server: LlmServer;
  let transport: FetchTransport;
  beforeAll(async () => {
    server = await start();
    transport = new FetchTransport({ environment: "process" });
  });
  afterAll(async () => {
    await transport.close();
    await server.close();
  });

  const open = async () => {
    const sources = createHttpSources({
      transport,
      keys: fixedKeys(provider === "ollama" ? {} : { [provider]: "test-key" }),
      settings: async (asked) => ({ provider: asked, enabled: true, baseUrl: server.url }),
      catalogue,
    });
    return sources.find((source) => source.provider === provider)!.open(model);
  };

  describeLanguageModel((name, run) => (run ? it(name, run) : it.skip(name)), open);
});
