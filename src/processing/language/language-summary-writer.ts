/**
 * Summaries by language models, as one of the compressor's writers: asks the router, calls the model
 * it chose, and whoever stands by when that fails. Texts that don't fit are summarised in parts.
 *
 * Nothing that a model says is believed here: candidates go to the quality gate, and its verdicts
 * come back to the profile.
 */

import { AppError, isAbortError, throwIfAborted, toError } from "../../errors.ts";
import type { LanguageModelInfo, RouteDecision, RouteRequest } from "../../model/language-model.ts";
import type { CompressionMode, ContentKind } from "../../model/memory.ts";
import type {
  SummaryCandidate,
  SummaryRequest,
  SummaryWriter,
  WriterPreferences,
  WrittenSummaries,
} from "../compression/summary.ts";
import type { MeteredRequest, MeteredResult } from "./metered-caller.ts";
import { fitSentences, readAnswer } from "./prompts/answer.ts";
import { buildSummaryPrompt, type SummaryPromptInput } from "./prompts/prompt-builder.ts";
import { MIN_CAPACITY_TOKENS, textCapacityTokens } from "./selection/model-estimate.ts";
import { joinParts, ownSegments } from "./text-parts.ts";
import { estimateTokens } from "./token-estimate.ts";

/** The models behind the writer: what is there, who is chosen, how they are called. */
export interface LanguageAccess {
  /** Whether a call might give anything, as far as is known without asking anyone. */
  mightAnswer(preferences: WriterPreferences): boolean;
  /** Brings what is known of the models up to date. */
  refresh(signal?: AbortSignal): Promise<void>;
  /** A choice that will be acted on. */
  choose(request: RouteRequest): RouteDecision;
  model(id: string): LanguageModelInfo | undefined;
  call(model: LanguageModelInfo, request: MeteredRequest): Promise<MeteredResult>;
  judged(
    modelId: string,
    verdict: { pass: boolean; similarity: number | null; kind: ContentKind | null },
  ): void;
}

/** Longer sources are several texts or chapters: they get a gist. */
const GIST_BYTES = 12_000;
/** A summary that is longer than asked by more than this is offered shortened too. */
const LENGTH_TOLERANCE = 1.15;
/** Summaries of parts are summarised again when they are together this much too long. */
const REDUCE_FACTOR = 1.6;
const MIN_PART_BYTES = 120;
/** Tokens of an answer per byte that it should have, with room for JSON and for languages with short tokens. */
const TOKENS_PER_BYTE = 0.4;
const ANSWER_OVERHEAD_TOKENS = 48;
/** How often a part is halved when a model says that it is too large after all. */
const MAX_HALVINGS = 3;
/** A provider that hangs may take this many times the latency budget before it is given up. */
const TIMEOUT_FACTOR = 3;

interface Running {
  request: SummaryRequest;
  segments: string[];
  costUsd: number;
  startedAt: number;
}

export class LanguageSummaryWriter implements SummaryWriter {
  readonly #access: LanguageAccess;
  readonly #elapsed: () => number;
  /** What the gate will be judging; null: a shortened form, which says nothing of the model. */
  readonly #written = new WeakMap<SummaryCandidate, { kind: ContentKind | null } | null>();

  constructor(access: LanguageAccess, elapsed: () => number = () => performance.now()) {
    this.#access = access;
    this.#elapsed = elapsed;
  }

  supports(mode: CompressionMode, preferences: WriterPreferences = {}): boolean {
    const model = preferences.model ?? "auto";
    if (model === "extractive") return false;
    if (mode === "fast" && model === "auto") return false;
    return this.#access.mightAnswer(preferences);
  }

  async write(request: SummaryRequest): Promise<WrittenSummaries> {
    const { signal, preferences = {} } = request;
    throwIfAborted(signal);
    const notes: string[] = [];
    let route: RouteDecision | null = null;
    try {
      await this.#access.refresh(signal);
      const segments = ownSegments(request.source);
      if (segments.length === 0) return { candidates: [], route, notes };
      route = this.#access.choose(routeRequest(request, segments));
      if (route.modelId === null) return { candidates: [], route, notes: [route.reason] };
      const running: Running = { request, segments, costUsd: 0, startedAt: this.#elapsed() };
      for (const id of [route.modelId, ...route.fallbacks]) {
        const stop = this.#exhausted(running, preferences);
        if (stop && id !== route.modelId) {
          notes.push(stop);
          break;
        }
        const candidates = await this.#tryModel(id, running, notes);
        if (candidates.length > 0) return { candidates, route, notes };
      }
    } catch (error) {
      if (isAbortError(error)) throw error;
      notes.push((toError(error) as AppError).message);
    }
    return { candidates: [], route, notes };
  }

  judged(candidate: SummaryCandidate, verdict: { pass: boolean; similarity: number | null }): void {
    const written = this.#written.get(candidate);
    if (written === null || !this.#access.model(candidate.model)) return;
    this.#access.judged(candidate.model, { ...verdict, kind: written?.kind ?? null });
  }

  /** What one text may take is used up by models that failed. */
  #exhausted(
    running: Running,
    { costLimitUsd, latencyBudgetMs }: WriterPreferences,
  ): string | null {
    if (costLimitUsd !== undefined && running.costUsd > 0 && running.costUsd >= costLimitUsd)
      return "The cost limit of this text is used up.";
    const elapsedMs = this.#elapsed() - running.startedAt;
    if (latencyBudgetMs !== undefined && elapsedMs >= latencyBudgetMs)
      return "The time allowed for this text is used up.";
    return null;
  }

  /** Candidates of one model, or none and a note why. */
  async #tryModel(id: string, running: Running, notes: string[]): Promise<SummaryCandidate[]> {
    const model = this.#access.model(id);
    if (!model) {
      notes.push(`${id} is gone.`);
      return [];
    }
    const startedAt = this.#elapsed();
    const costBefore = running.costUsd;
    try {
      const text = await this.#summarize(model, running);
      const made = {
        costUsd: running.costUsd - costBefore,
        elapsedMs: this.#elapsed() - startedAt,
      };
      return this.#candidates(model, text, running.request, made);
    } catch (error) {
      if (isAbortError(error)) throw error;
      notes.push(`${model.title}: ${(toError(error) as AppError).message}`);
      return [];
    }
  }

  #candidates(
    model: LanguageModelInfo,
    text: string,
    { budgetBytes, kind }: SummaryRequest,
    made: { costUsd: number; elapsedMs: number },
  ): SummaryCandidate[] {
    const full: SummaryCandidate = { text, model: model.id, ...made };
    this.#written.set(full, { kind: kind ?? null });
    if (byteLength(text) <= budgetBytes * LENGTH_TOLERANCE) return [full];
    const fitted = fitSentences(text, budgetBytes);
    if (fitted === text) return [full];
    const short: SummaryCandidate = { text: fitted, model: model.id, costUsd: 0, elapsedMs: 0 };
    this.#written.set(short, null);
    return [full, short];
  }

  /** The whole text, in parts where it doesn't fit; each part's share of the budget is its share of the text. */
  async #summarize(model: LanguageModelInfo, running: Running): Promise<string> {
    const { request, segments } = running;
    const { budgetBytes } = request;
    let capacity = textCapacityTokens(model, answerTokens(budgetBytes));
    for (let halvings = 0; ; halvings++) {
      if (capacity < MIN_CAPACITY_TOKENS)
        throw new AppError(
          "too_large",
          `its context of ${model.contextTokens} tokens is too small`,
        );
      try {
        const parts = joinParts(segments, capacity);
        return await this.#summarizeParts(model, running, parts, capacity);
      } catch (error) {
        const tooLarge = error instanceof AppError && error.code === "too_large";
        if (!tooLarge || halvings >= MAX_HALVINGS) throw error;
        capacity = Math.floor(capacity / 2);
      }
    }
  }

  async #summarizeParts(
    model: LanguageModelInfo,
    running: Running,
    parts: readonly string[],
    capacity: number,
  ): Promise<string> {
    const { kind, mode, budgetBytes, feedback } = running.request;
    const totalBytes = parts.reduce((sum, part) => sum + byteLength(part), 0);
    const shared = { kind, mode, gist: totalBytes > GIST_BYTES, ...(feedback ? { feedback } : {}) };
    const summaries: string[] = [];
    for (const text of parts) {
      const share = Math.round((budgetBytes * byteLength(text)) / Math.max(1, totalBytes));
      const partBytes = parts.length === 1 ? budgetBytes : Math.max(MIN_PART_BYTES, share);
      summaries.push(await this.#ask(model, running, { ...shared, text, budgetBytes: partBytes }));
    }
    const joined = summaries.join(" ");
    const reducible =
      parts.length > 1 &&
      byteLength(joined) > budgetBytes * REDUCE_FACTOR &&
      estimateTokens(joined) <= capacity;
    if (!reducible) return joined;
    return this.#ask(model, running, { ...shared, gist: true, text: joined, budgetBytes });
  }

  async #ask(
    model: LanguageModelInfo,
    running: Running,
    input: SummaryPromptInput,
  ): Promise<string> {
    const { signal, preferences } = running.request;
    const { messages, schema } = buildSummaryPrompt(model, input);
    const latencyBudgetMs = preferences?.latencyBudgetMs;
    const result = await this.#access.call(model, {
      messages,
      answerTokens: answerTokens(input.budgetBytes),
      ...(schema ? { schema } : {}),
      ...(signal ? { signal } : {}),
      ...(latencyBudgetMs === undefined
        ? {}
        : { timeoutMs: Math.max(5_000, latencyBudgetMs * TIMEOUT_FACTOR) }),
    });
    running.costUsd += result.costUsd;
    if (result.finishReason === "filtered")
      throw new AppError("model_failed", "its provider's content filter ended the answer");
    const answer = readAnswer(result.text, {
      json: schema !== undefined,
      cut: result.finishReason === "length",
    });
    if (answer.problem !== undefined) throw new AppError("model_failed", `it ${answer.problem}`);
    return answer.text;
  }
}

function routeRequest(request: SummaryRequest, segments: readonly string[]): RouteRequest {
  const { kind, mode, budgetBytes, preferences = {} } = request;
  const { model, latencyBudgetMs, costLimitUsd } = preferences;
  return {
    kind,
    mode,
    inputTokens: segments.reduce((sum, segment) => sum + estimateTokens(segment), 0),
    outputTokens: answerTokens(budgetBytes),
    ...(model === undefined ? {} : { model }),
    ...(latencyBudgetMs === undefined ? {} : { latencyBudgetMs }),
    ...(costLimitUsd === undefined ? {} : { costLimitUsd }),
  };
}

/** Most tokens that a summary of so many bytes needs. */
export function answerTokens(budgetBytes: number): number {
  return Math.ceil(budgetBytes * TOKENS_PER_BYTE) + ANSWER_OVERHEAD_TOKENS;
}

function byteLength(text: string): number {
  return new TextEncoder().encode(text).length;
}
