/**
 * The browser's built-in models as their published interface has them: the Prompt API
 * (webmachinelearning.github.io/prompt-api) and the Summarizer
 * (webmachinelearning.github.io/writing-assistance-apis). Only what is used; names that browsers had
 * before the current draft are optional.
 */

import type { Availability } from "./built-in-protocol.ts";

export interface DownloadMonitor {
  addEventListener(type: "downloadprogress", listener: (event: { loaded: number }) => void): void;
}

export interface PromptMessage {
  role: "system" | "user" | "assistant";
  content: string;
}

interface Lived {
  signal?: AbortSignal;
}

export interface PromptSession {
  promptStreaming(
    input: PromptMessage[],
    options?: Lived & { responseConstraint?: object },
  ): ReadableStream<string>;
  measureContextUsage?(input: PromptMessage[], options?: Lived): Promise<number>;
  readonly contextUsage?: number;
  readonly contextWindow?: number;
  measureInputUsage?(input: PromptMessage[], options?: Lived): Promise<number>;
  readonly inputUsage?: number;
  readonly inputQuota?: number;
  destroy(): void;
}

interface PromptCoreOptions {
  expectedInputs?: { type: "text"; languages?: string[] }[];
  expectedOutputs?: { type: "text"; languages?: string[] }[];
}

export interface PromptInterface {
  availability(options?: PromptCoreOptions): Promise<Exclude<Availability, "absent">>;
  create(
    options?: PromptCoreOptions &
      Lived & { initialPrompts?: PromptMessage[]; monitor?: (monitor: DownloadMonitor) => void },
  ): Promise<PromptSession>;
}

export interface SummarizerSession {
  summarizeStreaming(text: string, options?: Lived & { context?: string }): ReadableStream<string>;
  measureInputUsage?(text: string, options?: Lived & { context?: string }): Promise<number>;
  readonly inputQuota?: number;
  destroy(): void;
}

interface SummarizerCoreOptions {
  type?: "tldr" | "teaser" | "key-points" | "headline";
  format?: "plain-text" | "markdown";
  length?: "short" | "medium" | "long";
  expectedInputLanguages?: string[];
  outputLanguage?: string;
}

export interface SummarizerInterface {
  availability(options?: SummarizerCoreOptions): Promise<Exclude<Availability, "absent">>;
  create(
    options?: SummarizerCoreOptions & Lived & { monitor?: (monitor: DownloadMonitor) => void },
  ): Promise<SummarizerSession>;
}

export interface BuiltInInterfaces {
  LanguageModel?: PromptInterface;
  Summarizer?: SummarizerInterface;
}
