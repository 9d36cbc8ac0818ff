/** A `LanguageModel` whose answers come from a language worker. */

import { AppError } from "../../../errors.ts";
import type {
  GenerateRequest,
  GenerateResult,
  LanguageModel,
} from "../../../ports/language-model.ts";
import { checkRequest } from "./check-request.ts";

/** Makes one answer; deltas go to `onDelta` as they come. */
export type Answer = (
  request: GenerateRequest,
  onDelta: (text: string) => void,
) => Promise<GenerateResult>;

export class WorkerLanguageModel implements LanguageModel {
  readonly id: string;
  readonly contextTokens: number;
  readonly #answer: Answer;
  readonly #onClose: () => Promise<void> | void;
  #closed = false;

  constructor(
    id: string,
    contextTokens: number,
    answer: Answer,
    onClose: () => Promise<void> | void = () => undefined,
  ) {
    this.id = id;
    this.contextTokens = contextTokens;
    this.#answer = answer;
    this.#onClose = onClose;
  }

  async generate(request: GenerateRequest): Promise<GenerateResult> {
    this.#check(request);
    return this.#answer(request, () => undefined);
  }

  async *stream(request: GenerateRequest): AsyncGenerator<string, GenerateResult> {
    this.#check(request);
    const stop = new AbortController();
    const forward = () => stop.abort();
    request.signal?.addEventListener("abort", forward, { once: true });
    if (request.signal?.aborted) stop.abort();
    const deltas: string[] = [];
    let wake: () => void = () => undefined;
    let done = false;
    const answer = this.#answer({ ...request, signal: stop.signal }, (text) => {
      deltas.push(text);
      wake();
    });
    const settled = answer.then(
      () => undefined,
      () => undefined,
    );
    void settled.then(() => {
      done = true;
      wake();
    });
    try {
      for (;;) {
        while (deltas.length > 0) yield deltas.shift()!;
        if (done) break;
        await new Promise<void>((resolve) => {
          wake = resolve;
          if (done || deltas.length > 0) resolve();
        });
      }
      return await answer;
    } finally {
      // A reader that leaves early stops the model.
      request.signal?.removeEventListener("abort", forward);
      if (!done) stop.abort();
      await settled;
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#onClose();
  }

  #check(request: GenerateRequest): void {
    if (this.#closed)
      throw new AppError("closed", `The model ${this.id} was closed.`, {
        hint: "Open it again.",
      });
    checkRequest(request);
  }
}
