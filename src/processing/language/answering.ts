/**
 * Gets one answer for a call that `client.ts` framed: plans it, waits for a place within the limits,
 * repeats what may be repeated, leaves out what the server refused, checks what came.
 */

import type { LanguageProvider } from "../../model/language-model.ts";
import { systemClock, type Clock } from "../../ports/clock.ts";
import type { HttpTransport } from "../../ports/http.ts";
import type { GenerateRequest, GenerateResult, TokenUsage } from "../../ports/language-model.ts";
import { refuseEmpty } from "./answer-checks.ts";
import type { CallDeadline, CallTimeouts } from "./call-deadline.ts";
import { planCall, type CallPlan } from "./call-plan.ts";
import { requestAnswer, streamAnswer, type ExchangeParts } from "./exchange.ts";
import { jsonInstruction } from "./json-output.ts";
import type { Feature, ProtocolAdapter } from "./protocols/protocol-adapter.ts";
import { ProviderError, type Origin } from "./provider-error.ts";
import type { ProviderLane } from "./provider-lane.ts";
import type { RateLimits } from "./rate-limiter.ts";
import type { RetryEvent, RetryPolicy } from "./retry-policy.ts";
import { TextGate } from "./text-gate.ts";
import { addUsage, checkUsage } from "./usage.ts";

/** How the provider is reached now; asked for at every call, since settings and keys change at run time. */
export interface Connection {
  /** Without a slash at its end. */
  baseUrl: string;
  key: string | null;
  limits: RateLimits;
  concurrency: number;
  timeouts: CallTimeouts;
}

export interface LLMClientOptions {
  /** "PROVIDER:NAME". */
  id: string;
  provider: LanguageProvider;
  /** As people call it, for messages. */
  providerTitle: string;
  /** The provider's own name of the model. */
  model: string;
  contextTokens: number;
  maxOutputTokens?: number | undefined;
  /** Room that the model's thinking needs beside the answer. */
  thinkingTokens?: number | undefined;
  /** True when the model refuses a temperature. */
  fixedSampling?: boolean | undefined;
  adapter: ProtocolAdapter;
  transport: HttpTransport;
  connect: () => Promise<Connection>;
  /** Limits, places and breaker that all models of a provider share. */
  lane: ProviderLane;
  retry: RetryPolicy;
  clock?: Clock;
  onRetry?: (event: RetryEvent) => void;
  onClose?: () => void;
}

/** One call while it runs. */
export interface Call {
  request: GenerateRequest;
  connection: Connection;
  origin: Origin;
  deadline: CallDeadline;
  /** ms of the monotonic clock. */
  endsAt: number;
  /** Of all attempts that were counted: an empty answer and one that was repaired are paid for, too. */
  spent?: TokenUsage;
  /** What is known of the attempt before, once there was one. */
  previous?: { error?: unknown; usage?: TokenUsage };
}

export class Answering {
  readonly #options: LLMClientOptions;
  readonly #clock: Clock;
  /** What this model's server refused; learned once, then left out. */
  readonly #without = new Set<Feature>();

  constructor(options: LLMClientOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  /** One answer, by however many requests it takes until the server accepts the call's form. */
  async answer(
    call: Call,
    messages: GenerateRequest["messages"],
    onText?: (delta: string) => void,
  ): Promise<GenerateResult> {
    const { adapter } = this.#options;
    for (;;) {
      const stream = onText !== undefined;
      const plan = this.#plan(call, this.#instructed(call, messages, stream), stream);
      try {
        return await this.#attempt(call, plan, onText);
      } catch (error) {
        const feature = error instanceof ProviderError ? error.feature : null;
        const refused =
          feature === "json_schema" && this.#without.has(feature) ? "json_mode" : feature;
        if (!refused || this.#without.has(refused) || !adapter.refusedFeature) throw error;
        this.#without.add(refused);
      }
    }
  }

  /** The messages with what must be said about JSON where the protocol doesn't see to it. */
  #instructed(
    call: Call,
    messages: GenerateRequest["messages"],
    stream: boolean,
  ): GenerateRequest["messages"] {
    const { json } = call.request;
    if (!json) return messages;
    const plain = this.#plan(call, messages, stream);
    const held = this.#options.adapter.jsonOutput(plain.call);
    if (held === "schema") return messages;
    const firstTurn = messages.findIndex((message) => message.role !== "system");
    const at = firstTurn === -1 ? messages.length : firstTurn;
    return [...messages.slice(0, at), jsonInstruction(json), ...messages.slice(at)];
  }

  #plan(call: Call, messages: GenerateRequest["messages"], stream: boolean): CallPlan {
    const { model, maxOutputTokens, thinkingTokens, fixedSampling } = this.#options;
    return planCall({
      request: call.request,
      messages,
      model,
      contextTokens: this.#options.contextTokens,
      maxOutputTokens,
      thinkingTokens: thinkingTokens ?? 0,
      fixedSampling: fixedSampling ?? false,
      stream,
      without: this.#without,
    });
  }

  async #attempt(
    call: Call,
    plan: CallPlan,
    onText: ((delta: string) => void) | undefined,
  ): Promise<GenerateResult> {
    const { adapter, retry, onRetry } = this.#options;
    const parts = this.exchangeParts(call);
    let text = "";
    let handedOut = false;
    const answer = await retry.run(
      async () => {
        await announceAttempt(call);
        delete call.previous;
        call.request.onTurn?.("waiting");
        return this.inLane(call, plan.inputTokens + plan.call.maxTokens, async () => {
          call.request.onTurn?.("sent");
          const gate = new TextGate({
            stop: call.request.stop,
            dropThoughts: adapter.mayThink,
            maxChars: plan.maxChars,
          });
          text = "";
          const receive = (delta: string) => {
            text += delta;
            if (onText && delta !== "") {
              handedOut = true;
              onText(delta);
            }
          };
          const request = adapter.generate(plan.call);
          const result = onText
            ? await streamAnswer(parts, request, gate, receive)
            : await requestAnswer(parts, request);
          receive(gate.push(result.text) + gate.end());
          const finishReason = gate.ended ?? result.finishReason ?? "stop";
          const usage = checkUsage(
            result.usage,
            plan.call.messages,
            text,
            plan.call.maxTokens + plan.call.thinkingTokens,
          );
          call.previous = { usage };
          call.spent = call.spent ? addUsage(call.spent, usage) : usage;
          refuseEmpty(call.origin, text, finishReason);
          return { result: { ...result, finishReason }, usage };
        }).catch((error: unknown) => {
          call.previous = { ...call.previous, error };
          throw error;
        });
      },
      {
        signal: call.deadline.signal,
        deadline: call.endsAt,
        mayRepeat: () => !handedOut,
        onRetry,
      },
    );
    return {
      text,
      finishReason: answer.result.finishReason,
      usage: call.spent ?? answer.usage,
      model: answer.result.model ?? this.#options.model,
    };
  }

  /** Waits for a place within the limits, then runs the work under the host's breaker. */
  async inLane<T extends { usage: TokenUsage }>(
    call: Call,
    tokens: number,
    work: () => Promise<T>,
  ): Promise<T> {
    const { lane } = this.#options;
    return lane.run(
      {
        host: call.origin.host,
        title: `${call.origin.provider} (${call.origin.host})`,
        key: call.connection.key,
        limits: call.connection.limits,
        concurrency: call.connection.concurrency,
        tokens,
        patienceMs: call.endsAt - this.#clock.elapsed(),
        signal: call.deadline.signal,
      },
      work,
      ({ usage }) => usage.inputTokens + usage.outputTokens,
    );
  }

  exchangeParts(call: Call): ExchangeParts {
    return {
      transport: this.#options.transport,
      adapter: this.#options.adapter,
      baseUrl: call.connection.baseUrl,
      origin: call.origin,
      timeouts: call.connection.timeouts,
      deadline: call.deadline,
      nowMs: () => this.#clock.now(),
    };
  }
}

/** Tells the caller before each attempt but the first: each may be billed. */
async function announceAttempt(call: Call): Promise<void> {
  const { previous } = call;
  if (previous) await call.request.onAttempt?.(previous);
}
