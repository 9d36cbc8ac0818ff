/** Hands pieces of text from a running call to the loop of its reader, in order, with the call's result at the end. */

export class DeltaQueue<Result> {
  readonly #deltas: string[] = [];
  #outcome: { result: Result } | { error: unknown } | null = null;
  #wake: (() => void) | null = null;

  push(delta: string): void {
    this.#deltas.push(delta);
    this.#notify();
  }

  /** The call that fills this queue; its end is the queue's end. */
  settle(call: Promise<Result>): void {
    call.then(
      (result) => {
        this.#outcome = { result };
        this.#notify();
      },
      (error: unknown) => {
        this.#outcome = { error };
        this.#notify();
      },
    );
  }

  /** Everything that was pushed before the end is handed out, also before an error. */
  async *[Symbol.asyncIterator](): AsyncGenerator<string, Result> {
    let next = 0;
    for (;;) {
      while (next < this.#deltas.length) yield this.#deltas[next++]!;
      this.#deltas.length = 0;
      next = 0;
      const outcome = this.#outcome;
      if (outcome) {
        if ("error" in outcome) throw outcome.error;
        return outcome.result;
      }
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  #notify(): void {
    this.#wake?.();
    this.#wake = null;
  }
}
