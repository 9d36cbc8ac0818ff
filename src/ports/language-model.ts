/**
 * Generates text. HTTP providers live in `processing/language`; in-browser models are adapters in
 * `platform/browser`. One contract suite runs over all of them.
 */

import type { CustomModel, LanguageModelInfo, LanguageProvider } from "../model/language-model.ts";

export interface ChatMessage {
  role: "system" | "user" | "assistant";
  content: string;
}

export interface GenerateRequest {
  messages: ChatMessage[];
  /** Longest answer in tokens. */
  maxTokens?: number;
  /** 0 repeats as exactly as the model can. */
  temperature?: number;
  stop?: string[];
  /** Asks for JSON; with a schema (JSON Schema) the answer follows it where the protocol can, and is checked. */
  json?: { schema?: Record<string, unknown>; name?: string };
  signal?: AbortSignal;
  /** Whole call, retries included. */
  timeoutMs?: number;
  /**
   * Called before every attempt after the first (a retry, a repair of its JSON), with what is known
   * of the one before: each attempt may be billed. A rejection ends the call with that error.
   */
  onAttempt?: (previous: { error?: unknown; usage?: TokenUsage }) => Promise<void>;
  /** Called when an attempt begins to wait for its turn, and when it is sent: what was never sent costs nothing. */
  onTurn?: (state: "waiting" | "sent") => void;
}

export interface TokenUsage {
  inputTokens: number;
  outputTokens: number;
  /** Part of `inputTokens` that the provider had cached. */
  cachedInputTokens?: number;
  /** True when the provider didn't say and the tokens were estimated. */
  estimated?: boolean;
}

export interface GenerateResult {
  text: string;
  /** "filtered": the provider's content filter ended the answer. */
  finishReason: "stop" | "length" | "filtered";
  usage: TokenUsage;
  /** The model as the provider names it. */
  model: string;
}

/**
 * One model, ready to answer. Failures: `invalid_input` (refused request), `too_large` (context
 * overflow), `rate_limited`, `unauthorized`, `network`, `model_failed` (cut stream, unreadable
 * answer, lost device), `budget_exceeded`; `AbortError` when cancelled.
 */
export interface LanguageModel {
  readonly id: string;
  readonly contextTokens: number;
  generate(request: GenerateRequest): Promise<GenerateResult>;
  /** Yields text deltas; the return value is the whole result. */
  stream(request: GenerateRequest): AsyncGenerator<string, GenerateResult>;
  /** Where the protocol has it; unit length is not promised. */
  embed?(texts: readonly string[], options?: { signal?: AbortSignal }): Promise<Float32Array[]>;
  close(): Promise<void>;
}

export interface InstallProgress {
  doneBytes: number;
  totalBytes: number;
}

/** The models of one provider on this platform. */
export interface LanguageModelSource {
  readonly provider: LanguageProvider;
  /** What is there or could be; never throws, a source that can't be reached says so per model. */
  list(): Promise<LanguageModelInfo[]>;
  /** Loads or connects. `model_missing`, `model_failed`, `unauthorized`. */
  open(
    name: string,
    options?: { signal?: AbortSignal; onProgress?: (progress: InstallProgress) => void },
  ): Promise<LanguageModel>;
  /** Downloads and checks; continues a broken download. Aborting pauses it: what arrived stays. */
  install?(
    name: string,
    options?: { signal?: AbortSignal; onProgress?: (progress: InstallProgress) => void },
  ): Promise<void>;
  remove?(name: string): Promise<void>;
  /** Adds a model of the user's own; `invalid_input` for an address that can't be one. */
  add?(model: CustomModel): Promise<LanguageModelInfo>;
  /** ms since epoch until which calls are held back after failures in a row; null when they are not. */
  pausedUntil?(): number | null;
  close(): Promise<void>;
}

/** Where API keys are. A key never leaves it but into a request's header, and is never logged. */
export interface KeyStore {
  get(provider: LanguageProvider): Promise<string | null>;
  where(provider: LanguageProvider): Promise<"none" | "memory" | "saved" | "environment" | "file">;
  /** `save` keeps it (encrypted) beyond this page or process; `unsupported_input` where that can't be. */
  set(provider: LanguageProvider, key: string, options?: { save?: boolean }): Promise<void>;
  remove(provider: LanguageProvider): Promise<void>;
}
