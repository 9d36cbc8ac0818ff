/**
 * `LLMClient`: one model of one HTTP provider. Frames each call (checks, connection, times, the real
 * reason of its end) and sees to JSON; `answering.ts` gets the answers, `exchange.ts` makes the single
 * request, the protocol is an adapter's (`protocols/`).
 */

import { AppError, throwIfAborted } from "../../errors.ts";
import { systemClock, type Clock } from "../../ports/clock.ts";
import type { GenerateRequest, GenerateResult, LanguageModel } from "../../ports/language-model.ts";
import { checkVectors, jsonFailure, refuseCutJson } from "./answer-checks.ts";
import { Answering, type Call, type LLMClientOptions } from "./answering.ts";
import { CallDeadline } from "./call-deadline.ts";
import { validateRequest } from "./call-plan.ts";
import { DeltaQueue } from "./delta-queue.ts";
import { requestJson } from "./exchange.ts";
import { checkJson, compileSchema, repairMessages } from "./json-output.ts";
import { estimateTokens } from "./token-estimate.ts";

export type { Connection, LLMClientOptions } from "./answering.ts";

export class LLMClient implements LanguageModel {
  readonly id: string;
  readonly contextTokens: number;
  readonly embed?: NonNullable<LanguageModel["embed"]>;
  readonly #options: LLMClientOptions;
  readonly #clock: Clock;
  readonly #answering: Answering;
  readonly #running = new Set<AbortController>();
  #closed = false;

  constructor(options: LLMClientOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#answering = new Answering(options);
    this.id = options.id;
    this.contextTokens = options.contextTokens;
    if (options.adapter.embed) this.embed = (texts, given) => this.#embed(texts, given?.signal);
  }

  /** A whole answer. JSON that doesn't fit is asked for once more, then it is `model_failed`. */
  async generate(request: GenerateRequest): Promise<GenerateResult> {
    validateRequest(request);
    const schema = request.json ? compileSchema(request.json) : null;
    return this.#call(request, async (call) => {
      const first = await this.#answering.answer(call, request.messages);
      if (!schema || first.finishReason === "filtered") return first;
      const check = checkJson(first.text, schema);
      if (check.ok) return { ...first, text: check.text };
      refuseCutJson(call.origin, first, check);
      const second = await this.#answering.answer(
        call,
        repairMessages(request.messages, first.text, check.problem),
      );
      const again = checkJson(second.text, schema);
      if (!again.ok) throw jsonFailure(call.origin, again.problem);
      return { ...second, text: again.text };
    });
  }

  /**
   * Text as it comes; the deltas join to the result's text. Leaving the loop early cancels the call.
   * JSON is checked at the end: what was handed out can't be asked for again.
   */
  async *stream(request: GenerateRequest): AsyncGenerator<string, GenerateResult> {
    validateRequest(request);
    const schema = request.json ? compileSchema(request.json) : null;
    const left = new AbortController();
    const signal = request.signal ? AbortSignal.any([request.signal, left.signal]) : left.signal;
    const queue = new DeltaQueue<GenerateResult>();
    queue.settle(
      this.#call({ ...request, signal }, async (call) => {
        const result = await this.#answering.answer(call, request.messages, (delta) =>
          queue.push(delta),
        );
        if (!schema || result.finishReason === "filtered") return result;
        const check = checkJson(result.text, schema);
        if (!check.ok) {
          refuseCutJson(call.origin, result, check);
          throw jsonFailure(call.origin, check.problem);
        }
        return result;
      }),
    );
    let finished = false;
    try {
      const result = yield* queue;
      finished = true;
      return result;
    } finally {
      if (!finished) left.abort();
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#options.onClose?.();
    for (const controller of this.#running) controller.abort();
    this.#running.clear();
  }

  /** Puts the frame of one call around the work: connection, times, closing, the real reason of its end. */
  async #call<T>(
    request: Pick<GenerateRequest, "signal" | "timeoutMs"> & Partial<GenerateRequest>,
    work: (call: Call) => Promise<T>,
  ): Promise<T> {
    if (this.#closed) throw closedError(this.id);
    throwIfAborted(request.signal);
    const connection = await this.#options.connect();
    const { model, providerTitle } = this.#options;
    const host = new URL(connection.baseUrl).host;
    const origin = { provider: providerTitle, host, model, key: connection.key };
    const totalMs = request.timeoutMs ?? connection.timeouts.totalMs;
    const closing = new AbortController();
    this.#running.add(closing);
    const deadline = new CallDeadline(
      request.signal ? AbortSignal.any([request.signal, closing.signal]) : closing.signal,
      totalMs,
      () =>
        new AppError("network", `${providerTitle} (${host}) took longer than ${totalMs} ms.`, {
          hint: "Give it more time, shorten the text, or choose a faster model.",
          retryable: true,
        }),
    );
    const endsAt = this.#clock.elapsed() + totalMs;
    try {
      return await work({
        request: request as GenerateRequest,
        connection,
        origin,
        deadline,
        endsAt,
      });
    } catch (error) {
      if (this.#closed && !request.signal?.aborted) throw closedError(this.id);
      throw deadline.explain(error);
    } finally {
      deadline.close();
      this.#running.delete(closing);
    }
  }

  async #embed(texts: readonly string[], signal?: AbortSignal): Promise<Float32Array[]> {
    const embed = this.#options.adapter.embed!;
    return this.#call({ ...(signal ? { signal } : {}) }, async (call) => {
      const vectors: Float32Array[] = [];
      for (let from = 0; from < texts.length; from += embed.batchSize) {
        const batch = texts.slice(from, from + embed.batchSize);
        const inputTokens = batch.reduce((sum, text) => sum + estimateTokens(text), 0);
        const read = await this.#options.retry.run(
          () =>
            this.#answering.inLane(call, inputTokens, async () => {
              const request = embed.request(this.#options.model, batch);
              const body = await requestJson(this.#answering.exchangeParts(call), request);
              const { vectors: rows, inputTokens: used } = embed.read(body);
              return { rows, usage: { inputTokens: used ?? inputTokens, outputTokens: 0 } };
            }),
          { signal: call.deadline.signal, deadline: call.endsAt },
        );
        checkVectors(call.origin, read.rows, batch.length, vectors[0]?.length);
        vectors.push(...read.rows.map((row) => Float32Array.from(row)));
      }
      return vectors;
    });
  }
}

function closedError(id: string): AppError {
  return new AppError("closed", `The model ${id} was closed.`, { hint: "Open it again." });
}
