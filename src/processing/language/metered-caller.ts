/**
 * One call to a model with everything that must happen around it: reserve its worst case, ask, count
 * what it really took, settle, and tell the profile and the provider's health how it went.
 *
 * Every way that text takes to a model goes through here, so nothing is sent that the budget didn't
 * admit. See docs/decisions/0015-routing-and-cost.md.
 */

import { AppError, isAbortError, throwIfAborted, toError, type ErrorCode } from "../../errors.ts";
import type { LanguageModelInfo, TokenPrice } from "../../model/language-model.ts";
import type { Clock } from "../../ports/clock.ts";
import type {
  ChatMessage,
  GenerateRequest,
  GenerateResult,
  LanguageModel,
  TokenUsage,
} from "../../ports/language-model.ts";
import type { CostLedger, Reservation } from "./cost/cost-ledger.ts";
import { costNano, toUsd, type BilledTokens } from "./cost/money.ts";
import { modelPrice } from "./cost/prices.ts";
import type { ModelProfiler } from "./selection/model-profiler.ts";
import type { ProviderHealth } from "./selection/provider-health.ts";
import { estimateMessageTokens, estimateTokens, mostTokens } from "./token-estimate.ts";

export interface MeteredRequest {
  messages: ChatMessage[];
  /** Tokens of the answer itself; room for thinking is added where a model needs it. */
  answerTokens: number;
  /** JSON Schema that the answer follows. */
  schema?: Record<string, unknown>;
  signal?: AbortSignal;
  timeoutMs?: number;
}

export interface MeteredResult extends GenerateResult {
  elapsedMs: number;
  costUsd: number;
  /** Output tokens per second. */
  tokensPerSecond: number | null;
}

/** Opens a model and lends it for the time of one piece of work. */
export type LendModel = <T>(
  id: string,
  signal: AbortSignal | undefined,
  work: (model: LanguageModel) => Promise<T>,
) => Promise<T>;

export interface MeteredParts {
  ledger: CostLedger;
  profiler: ModelProfiler;
  health: ProviderHealth;
  clock: Clock;
  lend: LendModel;
}

/** Roles, separators, the instruction that a schema is turned into. */
const OVERHEAD_PER_MESSAGE = 16;
const OVERHEAD_PER_CALL = 256;
/** What a request to repair JSON says beside the answer that it repeats. */
const REPAIR_TOKENS = 1_024;
/** An honest count of a prompt isn't this far below the estimate. */
const HONEST_SHARE = 0.5;

/** Answers of a provider that come before it does any work. */
const NOT_BILLED: ReadonlySet<ErrorCode> = new Set([
  "rate_limited",
  "unauthorized",
  "invalid_input",
  "model_missing",
  "too_large",
  "budget_exceeded",
]);
/** Failures of the network in which the request never left. */
const NEVER_SENT = new Set(["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "UND_ERR_CONNECT_TIMEOUT"]);

export class MeteredCaller {
  readonly #parts: MeteredParts;

  constructor(parts: MeteredParts) {
    this.#parts = parts;
  }

  /** As `LanguageModel.generate`; `budget_exceeded` before anything leaves. */
  async call(model: LanguageModelInfo, request: MeteredRequest): Promise<MeteredResult> {
    throwIfAborted(request.signal);
    const price = modelPrice(model, this.#parts.clock.now());
    if (price === null)
      throw new AppError("budget_exceeded", `The price of ${model.id} isn't known.`, {
        hint: "Add it as a model of your own with its price; without one no budget can hold.",
      });
    try {
      return await this.#parts.lend(model.id, request.signal, (opened) =>
        new MeteredCall(this.#parts, model, price, request).run(opened),
      );
    } catch (error) {
      if (!isAbortError(error)) this.#parts.health.failed(model.provider, error);
      throw error;
    }
  }
}

/** One call and its attempts. */
class MeteredCall {
  readonly #parts: MeteredParts;
  readonly #model: LanguageModelInfo;
  readonly #price: TokenPrice;
  readonly #request: MeteredRequest;
  readonly #maxTokens: number;
  /** What one attempt costs at most. */
  readonly #worstUsd: number;
  /** Null once it is settled. */
  #reservation: Reservation | null = null;
  /** The attempt under way hasn't left yet. */
  #isWaiting = false;
  /** Usage of earlier attempts that was settled by itself; the result's usage holds it too. */
  readonly #settled: BilledTokens = { inputTokens: 0, outputTokens: 0 };
  #startedAt = 0;
  #firstTokenAt: number | null = null;

  constructor(
    parts: MeteredParts,
    model: LanguageModelInfo,
    price: TokenPrice,
    request: MeteredRequest,
  ) {
    this.#parts = parts;
    this.#model = model;
    this.#price = price;
    this.#request = request;
    const thinkingTokens = model.thinkingTokens ?? 0;
    const longest = (model.maxOutputTokens ?? Infinity) - thinkingTokens;
    this.#maxTokens = Math.max(16, Math.min(Math.ceil(request.answerTokens), longest));
    const repairTokens = request.schema
      ? this.#maxTokens + REPAIR_TOKENS + 2 * mostTokens(JSON.stringify(request.schema))
      : 0;
    const inputTokens =
      request.messages.reduce((sum, { content }) => sum + mostTokens(content), 0) +
      request.messages.length * OVERHEAD_PER_MESSAGE +
      repairTokens +
      OVERHEAD_PER_CALL;
    const outputTokens = this.#maxTokens + thinkingTokens;
    this.#worstUsd = toUsd(costNano(price, { inputTokens, outputTokens }));
  }

  async run(opened: LanguageModel): Promise<MeteredResult> {
    const { clock, health, profiler } = this.#parts;
    this.#reservation = await this.#reserve();
    this.#startedAt = clock.elapsed();
    let result: GenerateResult;
    try {
      result = await this.#generate(opened);
    } catch (error) {
      this.#settleFailure(error);
      throw error;
    }
    const elapsedMs = clock.elapsed() - this.#startedAt;
    const usage = this.#billed(this.#unsettled(result.usage), result.text);
    const costUsd = toUsd(costNano(this.#price, usage));
    const generationMs = this.#firstTokenAt === null ? null : clock.elapsed() - this.#firstTokenAt;
    this.#settle({ usd: costUsd, ...usage, elapsedMs, ok: true });
    profiler.called({ modelId: this.#model.id, ...usage, elapsedMs, generationMs, usd: costUsd });
    health.succeeded(this.#model.provider);
    const spentMs = generationMs ?? elapsedMs;
    const tokensPerSecond = spentMs > 0 ? usage.outputTokens / (spentMs / 1000) : null;
    return { ...result, elapsedMs, costUsd, tokensPerSecond };
  }

  #reserve(): Promise<Reservation> {
    const { id, provider } = this.#model;
    return this.#parts.ledger.reserve({ modelId: id, provider, worstUsd: this.#worstUsd });
  }

  async #generate(opened: LanguageModel): Promise<GenerateResult> {
    const { messages, schema, signal, timeoutMs } = this.#request;
    const request: GenerateRequest = {
      messages,
      maxTokens: this.#maxTokens,
      ...(this.#model.fixedSampling ? {} : { temperature: 0 }),
      ...(schema ? { json: { schema, name: "summary" } } : {}),
      ...(signal ? { signal } : {}),
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
      onAttempt: (previous) => this.#nextAttempt(previous),
      onTurn: (state) => (this.#isWaiting = state === "waiting"),
    };
    // A repair of wrong JSON needs the whole answer; else the first token is worth knowing.
    if (schema) return opened.generate(request);
    const stream = opened.stream(request);
    for (;;) {
      const { done, value } = await stream.next();
      if (done) return value;
      this.#firstTokenAt ??= this.#parts.clock.elapsed();
    }
  }

  /** The attempt before may have been billed: it is settled, and the next one needs its own admission. */
  async #nextAttempt(previous: { error?: unknown; usage?: TokenUsage }): Promise<void> {
    const elapsedMs = this.#parts.clock.elapsed() - this.#startedAt;
    const { error, usage } = previous;
    if (usage) {
      const billed = this.#billed(usage, "");
      this.#settled.inputTokens += usage.inputTokens;
      this.#settled.outputTokens += usage.outputTokens;
      const usd = toUsd(costNano(this.#price, billed));
      this.#settle({ usd, ...billed, elapsedMs, ok: false });
    } else
      this.#settle({
        usd: this.#isBilled(error) ? this.#worstUsd : 0,
        inputTokens: 0,
        outputTokens: 0,
        elapsedMs,
        ok: false,
      });
    this.#reservation = await this.#reserve();
  }

  /** What was billed of a call that failed nobody says: its worst case, unless it surely was nothing. */
  #settleFailure(error: unknown): void {
    const elapsedMs = this.#parts.clock.elapsed() - this.#startedAt;
    const usd = this.#isBilled(error) ? this.#worstUsd : 0;
    this.#settle({ usd, inputTokens: 0, outputTokens: 0, elapsedMs, ok: false });
    if (isAbortError(error)) return;
    this.#parts.profiler.called({
      modelId: this.#model.id,
      inputTokens: 0,
      outputTokens: 0,
      elapsedMs,
      generationMs: null,
      usd,
      error: (toError(error) as AppError).message,
    });
  }

  #isBilled(error: unknown): boolean {
    return !this.#isWaiting && mayBeBilled(error);
  }

  #settle(call: Parameters<CostLedger["settle"]>[1]): void {
    // A further attempt that the budget refused has none.
    if (this.#reservation) this.#parts.ledger.settle(this.#reservation, call);
    this.#reservation = null;
  }

  #unsettled(usage: TokenUsage): TokenUsage {
    const inputTokens = usage.inputTokens - this.#settled.inputTokens;
    const outputTokens = usage.outputTokens - this.#settled.outputTokens;
    return inputTokens >= 0 && outputTokens >= 0 ? { ...usage, inputTokens, outputTokens } : usage;
  }

  /** The provider's count, or ours where theirs is too small to be true of what came back. */
  #billed(usage: TokenUsage, answer: string): BilledTokens {
    const estimate = estimateMessageTokens(this.#request.messages);
    const honest = usage.inputTokens >= estimate * HONEST_SHARE;
    return {
      inputTokens: honest ? usage.inputTokens : estimate,
      outputTokens: Math.max(usage.outputTokens, estimateTokens(answer)),
      ...(honest && usage.cachedInputTokens !== undefined
        ? { cachedInputTokens: usage.cachedInputTokens }
        : {}),
    };
  }
}

function mayBeBilled(error: unknown): boolean {
  if (error instanceof AppError && NOT_BILLED.has(error.code)) return false;
  for (let cause: unknown = error, depth = 0; cause instanceof Error && depth < 5; depth++) {
    if (NEVER_SENT.has(String((cause as { code?: unknown }).code))) return false;
    cause = cause.cause;
  }
  return true;
}
