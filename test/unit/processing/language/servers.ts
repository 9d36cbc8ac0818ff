/** A stand-in server of each protocol with a model opened on it, for tests that run over all of them. */

import type { LanguageProvider, ProviderSettings } from "../../../../src/model/language-model.ts";
import type { HttpTransport } from "../../../../src/ports/http.ts";
import type {
  ChatMessage,
  GenerateResult,
  LanguageModel,
} from "../../../../src/ports/language-model.ts";
import { FetchTransport } from "../../../../src/processing/language/fetch-transport.ts";
import {
  createHttpSources,
  type HttpModelSource,
  type HttpSourceOptions,
} from "../../../../src/processing/language/http-model-source.ts";
import { httpCatalogue } from "../../../../src/model/http-models.ts";
import {
  COMPLETION_MODEL,
  echo,
  fixedKeys,
  startClaudeServer,
  startGeminiServer,
  startOllamaServer,
  startOpenAiServer,
  type LlmServer,
  type LlmServerOptions,
} from "../../../support/llm-servers/index.ts";

export interface ProtocolCase {
  name: string;
  provider: LanguageProvider;
  model: string;
  start(options?: Omit<LlmServerOptions, "models">): Promise<LlmServer>;
}

export const PROTOCOLS: ProtocolCase[] = [
  {
    name: "OpenAI chat completions",
    provider: "openai",
    model: "gpt-4o-mini",
    start: (options) => startOpenAiServer(options),
  },
  {
    name: "OpenAI responses",
    provider: "openai",
    model: "gpt-5-pro",
    start: (options) => startOpenAiServer({ ...options, models: ["gpt-5-pro"] }),
  },
  {
    name: "Claude messages",
    provider: "claude",
    model: "claude-haiku-4-5",
    start: (options) => startClaudeServer(options),
  },
  {
    name: "Gemini generateContent",
    provider: "gemini",
    model: "gemini-2.5-flash-lite",
    start: (options) => startGeminiServer(options),
  },
  {
    name: "Ollama chat",
    provider: "ollama",
    model: "llama3.2:3b",
    start: (options) => startOllamaServer(options),
  },
  {
    name: "Ollama generate",
    provider: "ollama",
    model: COMPLETION_MODEL.name,
    start: async (options) => {
      const server = await startOllamaServer({ ...options, models: [COMPLETION_MODEL] });
      // The prompt holds what the system message said, too: it is not to be repeated.
      server.respond((prompt) => echo({ ...prompt, user: prompt.user.split("\n\n").at(-1)! }));
      return server;
    },
  },
  {
    name: "OpenAI-compatible",
    provider: "openai-compatible",
    model: "mistral-7b",
    start: (options) => startOpenAiServer({ ...options, compatible: true, models: ["mistral-7b"] }),
  },
];

export interface OpenedModel {
  model: LanguageModel;
  source: HttpModelSource;
  sources: HttpModelSource[];
  close(): Promise<void>;
}

/** Short waits, so that a test of a slow server ends soon. */
export async function openModel(
  { provider, model }: Pick<ProtocolCase, "provider" | "model">,
  server: Pick<LlmServer, "url">,
  options: Partial<HttpSourceOptions> & {
    key?: string;
    providerSettings?: Partial<ProviderSettings>;
    transport?: HttpTransport;
  } = {},
): Promise<OpenedModel> {
  const { key = "test-key", providerSettings, ...rest } = options;
  const sources = createHttpSources({
    transport: new FetchTransport({ environment: "process" }),
    keys: fixedKeys(provider === "ollama" ? {} : { [provider]: key }),
    settings: async (asked) => ({
      provider: asked,
      enabled: true,
      baseUrl: server.url,
      ...providerSettings,
    }),
    catalogue: httpCatalogue(Date.now()),
    retry: { maxRetries: 0 },
    ...rest,
  });
  const source = sources.find((one) => one.provider === provider)!;
  return {
    model: await source.open(model),
    source,
    sources,
    close: async () => {
      await Promise.all(sources.map((one) => one.close()));
    },
  };
}

export const LETTER =
  "Dear Ruth, the roof of the boat house was mended on 14 March for 1,250 pounds. Mr Hale wants the second half by Easter. The keys are with Ida.";

export function ask(content: string = LETTER): ChatMessage[] {
  return [
    { role: "system", content: "Answer in one paragraph." },
    { role: "user", content },
  ];
}

export async function drain(
  stream: AsyncGenerator<string, GenerateResult>,
): Promise<{ text: string; deltas: string[]; result?: GenerateResult; error?: unknown }> {
  const deltas: string[] = [];
  try {
    for (;;) {
      const next = await stream.next();
      if (next.done) return { text: deltas.join(""), deltas, result: next.value };
      deltas.push(next.value);
    }
  } catch (error) {
    return { text: deltas.join(""), deltas, error };
  }
}
