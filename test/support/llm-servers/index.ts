/**
 * Stand-ins for the services of language models: real HTTP servers on the loopback, written from the
 * protocols' published descriptions, as strict with requests as the services, with scripted faults.
 */

export { startClaudeServer } from "./claude.ts";
export { startGeminiServer } from "./gemini.ts";
export {
  COMPLETION_MODEL,
  startOllamaServer,
  type OllamaModel,
  type OllamaServerOptions,
} from "./ollama.ts";
export type { LibraryModel } from "./ollama-library.ts";
export { startOpenAiServer, type OpenAiServerOptions } from "./openai.ts";
export { echo, type Prompt, type Reply, type Responder } from "./scripted-model.ts";
export type { Fault, LlmServer, LlmServerOptions, RecordedRequest } from "./wire.ts";
export { fixedKeys } from "./fixed-keys.ts";
