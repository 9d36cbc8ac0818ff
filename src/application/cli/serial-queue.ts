/** Handles what is pushed one after the other, in order, while the producer goes on. */

export class SerialQueue<Item> {
  readonly #handle: (item: Item) => Promise<void>;
  #tail: Promise<void> = Promise.resolve();
  #error: unknown;
  #failed = false;

  constructor(handle: (item: Item) => Promise<void>) {
    this.#handle = handle;
  }

  push(item: Item): void {
    this.#tail = this.#tail.then(async () => {
      if (this.#failed) return;
      try {
        await this.#handle(item);
      } catch (error) {
        this.#failed = true;
        this.#error = error;
      }
    });
  }

  /** Resolves when everything pushed so far was handled; throws the first failure, after which nothing more is handled. */
  async drain(): Promise<void> {
    await this.#tail;
    if (this.#failed) throw this.#error;
  }
}
