/** Generates text. The providers live in `processing/language`; an in-browser model is one more adapter. */

export interface ChatMessage {
  role: "system" | "user" | "assistant";
  content: string;
}

export interface GenerateRequest {
  messages: ChatMessage[];
  maxTokens?: number;
  temperature?: number;
  stop?: string[];
  signal?: AbortSignal;
}

export interface GenerateResult {
  text: string;
  finishReason: "stop" | "length" | "filtered";
  usage: { inputTokens: number; outputTokens: number };
  model: string;
}

export interface LanguageModel {
  readonly id: string;
  readonly contextTokens: number;
  generate(request: GenerateRequest): Promise<GenerateResult>;
  /** Yields text deltas; the return value is the whole result. */
  stream(request: GenerateRequest): AsyncGenerator<string, GenerateResult>;
  close(): Promise<void>;
}
