/**
 * The page's side of the browser's built-in models: asks the interfaces of the window and answers the
 * engine's worker over a port. A prompt is measured before it is given, because the interface itself
 * drops the oldest messages when they don't fit.
 */

import { expose } from "comlink";
import { AppError, toWireError } from "../../../errors.ts";
import type { GenerateResult } from "../../../ports/language-model.ts";
import type {
  BuiltInInterfaces,
  DownloadMonitor,
  PromptMessage,
  PromptSession,
  SummarizerSession,
} from "./built-in-interfaces.ts";
import type {
  Availability,
  BuiltInHostApi,
  BuiltInModel,
  BuiltInState,
} from "./built-in-protocol.ts";
import { checkJsonAnswer } from "./json-answer.ts";
import { wrapNews, type WireRequest, type WorkerNews } from "./language-protocol.ts";
import type { StoppableReply } from "../worker-session.ts";

const TITLES: Record<BuiltInModel, string> = {
  prompt: "The browser's built-in model",
  summarizer: "The browser's built-in summarizer",
};
/** English is the language that every such browser has; others are asked for by their text. */
const TEXT = [{ type: "text" as const, languages: ["en"] }];
const PROMPT_OPTIONS = { expectedInputs: TEXT, expectedOutputs: TEXT };
const SUMMARIZER_OPTIONS = {
  type: "tldr" as const,
  format: "plain-text" as const,
  length: "long" as const,
  outputLanguage: "en",
};

/** Answers on `port` from what `interfaces` (a window) has; returns what stops it. */
export function serveBuiltInModels(port: MessagePort, interfaces: BuiltInInterfaces): () => void {
  const running = new Map<string, AbortController>();
  const tell = (news: WorkerNews) => port.postMessage(wrapNews(news));
  const run = async <T>(
    callId: string,
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<StoppableReply<T>> => {
    const controller = new AbortController();
    running.set(callId, controller);
    try {
      return { ok: true, value: await work(controller.signal) };
    } catch (error) {
      return { ok: false, error: toWireError(error), fatal: false };
    } finally {
      running.delete(callId);
    }
  };
  const monitorFor = (callId: string) => (monitor: DownloadMonitor) =>
    monitor.addEventListener("downloadprogress", ({ loaded }) =>
      tell({ kind: "progress", callId, progress: { doneBytes: loaded, totalBytes: 1 } }),
    );

  const api: BuiltInHostApi = {
    states: () => readStates(interfaces),
    download: (callId, model) =>
      run(callId, async (signal) => {
        const options = { signal, monitor: monitorFor(callId) };
        const session =
          model === "prompt"
            ? await present(interfaces.LanguageModel, model).create({
                ...PROMPT_OPTIONS,
                ...options,
              })
            : await present(interfaces.Summarizer, model).create({
                ...SUMMARIZER_OPTIONS,
                ...options,
              });
        session.destroy();
        return null;
      }).then((reply) => explainReply(model, reply)),
    generate: (callId, model, request) =>
      run(callId, (signal) => {
        const onDelta = (text: string) => tell({ kind: "delta", callId, text });
        return model === "prompt"
          ? prompt(interfaces, request, signal, onDelta)
          : summarize(interfaces, request, signal, onDelta);
      }).then((reply) => explainReply(model, reply)),
    cancel: (callId) => running.get(callId)?.abort(),
  };
  expose(api, port);
  port.start();
  return () => {
    for (const controller of running.values()) controller.abort();
    port.close();
  };
}

function present<T>(api: T | undefined, model: BuiltInModel): T {
  if (api) return api;
  throw new AppError("model_missing", `${TITLES[model]} is not part of this browser.`, {
    hint: "Take another model.",
  });
}

async function readStates(interfaces: BuiltInInterfaces): Promise<BuiltInState[]> {
  const ask = async (
    availability: (() => Promise<Availability>) | undefined,
  ): Promise<Availability> => {
    if (!availability) return "absent";
    return availability().catch(() => "unavailable" as const);
  };
  const { LanguageModel, Summarizer } = interfaces;
  return [
    {
      model: "prompt",
      availability: await ask(LanguageModel && (() => LanguageModel.availability(PROMPT_OPTIONS))),
    },
    {
      model: "summarizer",
      availability: await ask(Summarizer && (() => Summarizer.availability(SUMMARIZER_OPTIONS))),
    },
  ];
}

async function prompt(
  interfaces: BuiltInInterfaces,
  request: WireRequest,
  signal: AbortSignal,
  onDelta: (text: string) => void,
): Promise<GenerateResult> {
  const title = TITLES.prompt;
  const [first, ...rest] = request.messages as [PromptMessage, ...PromptMessage[]];
  const system = first.role === "system" ? [first] : [];
  const messages = first.role === "system" ? rest : [first, ...rest];
  const session = await present(interfaces.LanguageModel, "prompt").create({
    ...PROMPT_OPTIONS,
    ...(system.length > 0 && { initialPrompts: system }),
    signal,
  });
  try {
    const inputTokens = await measure(session, messages, signal);
    const window = session.contextWindow ?? session.inputQuota;
    const used = session.contextUsage ?? session.inputUsage ?? 0;
    if (inputTokens !== null && window !== undefined && used + inputTokens > window)
      throw tooLarge(title, window);
    const { text, cut } = await readAnswer(
      session.promptStreaming(messages, {
        signal,
        ...(request.json && { responseConstraint: request.json.schema ?? { type: "object" } }),
      }),
      request,
      onDelta,
    );
    checkJsonAnswer(title, request, text, cut);
    return answerOf("prompt", request, text, cut, inputTokens);
  } finally {
    session.destroy();
  }
}

async function summarize(
  interfaces: BuiltInInterfaces,
  request: WireRequest,
  signal: AbortSignal,
  onDelta: (text: string) => void,
): Promise<GenerateResult> {
  if (request.json)
    throw new AppError("invalid_input", `${TITLES.summarizer} can't answer with JSON.`, {
      hint: "Take another model for this.",
    });
  const session = await present(interfaces.Summarizer, "summarizer").create({
    ...SUMMARIZER_OPTIONS,
    signal,
  });
  try {
    const content = request.messages.at(-1)!.content;
    const system = request.messages.find(({ role }) => role === "system")?.content;
    const options = { signal, ...(system !== undefined && { context: system }) };
    const inputTokens = await measureSummary(session, content, options);
    if (
      inputTokens !== null &&
      session.inputQuota !== undefined &&
      inputTokens > session.inputQuota
    )
      throw tooLarge(TITLES.summarizer, session.inputQuota);
    const { text, cut } = await readAnswer(
      session.summarizeStreaming(content, options),
      request,
      onDelta,
    );
    return answerOf("summarizer", request, text, cut, inputTokens);
  } finally {
    session.destroy();
  }
}

function measure(
  session: PromptSession,
  messages: PromptMessage[],
  signal: AbortSignal,
): Promise<number> | null {
  if (session.measureContextUsage) return session.measureContextUsage(messages, { signal });
  if (session.measureInputUsage) return session.measureInputUsage(messages, { signal });
  return null;
}

function measureSummary(
  session: SummarizerSession,
  text: string,
  options: { signal: AbortSignal; context?: string },
): Promise<number> | null {
  return session.measureInputUsage?.(text, options) ?? null;
}

/** The interfaces know neither stop words nor a limit: both are kept here, and the rest is not waited for. */
async function readAnswer(
  stream: ReadableStream<string>,
  request: WireRequest,
  onDelta: (text: string) => void,
): Promise<{ text: string; cut: boolean }> {
  const limit = (request.maxTokens ?? Infinity) * CHARACTERS_PER_TOKEN;
  const held = Math.max(0, ...(request.stop ?? []).map((word) => word.length - 1));
  let text = "";
  let told = 0;
  const tellUntil = (end: number) => {
    if (end > told) onDelta(text.slice(told, end));
    told = Math.max(told, end);
  };
  const reader = stream.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    text += value;
    const stops = (request.stop ?? []).map((word) => text.indexOf(word)).filter((at) => at >= 0);
    const end = stops.length > 0 ? Math.min(...stops) : Infinity;
    if (end <= limit && end !== Infinity) {
      await reader.cancel();
      text = text.slice(0, end);
      tellUntil(end);
      return { text, cut: false };
    }
    if (text.length >= limit) {
      await reader.cancel();
      text = text.slice(0, limit);
      tellUntil(limit);
      return { text, cut: true };
    }
    // A stop word may be half there.
    tellUntil(text.length - held);
  }
  tellUntil(text.length);
  return { text, cut: false };
}

const CHARACTERS_PER_TOKEN = 4;

function answerOf(
  model: BuiltInModel,
  request: WireRequest,
  text: string,
  cut: boolean,
  inputTokens: number | null,
): GenerateResult {
  const characters = request.messages.reduce((sum, { content }) => sum + content.length, 0);
  return {
    text,
    finishReason: cut ? "length" : "stop",
    usage: {
      inputTokens: inputTokens ?? Math.ceil(characters / CHARACTERS_PER_TOKEN),
      outputTokens: Math.ceil(text.length / CHARACTERS_PER_TOKEN),
      estimated: true,
    },
    model,
  };
}

function tooLarge(title: string, tokens: number): AppError {
  return new AppError(
    "too_large",
    `The prompt doesn't fit into the ${tokens} tokens of ${title}.`,
    {
      hint: "Give a shorter text, or take a model with a longer context.",
    },
  );
}

/** The browser's own exceptions in plain words. */
function explainReply<T>(model: BuiltInModel, reply: StoppableReply<T>): StoppableReply<T> {
  // What the interface throws for a prompt that doesn't fit has the name of a full disk.
  if (!reply.ok && reply.error.code === "storage_full")
    return {
      ok: false,
      fatal: false,
      error: {
        code: "too_large",
        message: `The prompt doesn't fit into ${TITLES[model]}.`,
        hint: "Give a shorter text, or take a model with a longer context.",
        retryable: false,
      },
    };
  if (reply.ok || reply.error.code !== "internal") return reply;
  return {
    ok: false,
    fatal: false,
    error: {
      code: "model_failed",
      message: `${TITLES[model]} failed: ${reply.error.message}`,
      hint: "Try again. Before its first use the browser downloads it, and wants that you clicked something on the page just before.",
      retryable: true,
    },
  };
}
