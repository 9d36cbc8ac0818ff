/** Runs the store's changes one after the other, so that each sees the one before it. */

export class WriteQueue {
  #tail: Promise<unknown> = Promise.resolve();

  run<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#tail.then(work);
    this.#tail = result.catch(() => undefined);
    return result;
  }

  /** Resolves when everything queued so far has ended. */
  async drain(): Promise<void> {
    await this.#tail;
  }
}
