/** Tells when something was not used for a while. */

export class IdleWatch {
  readonly #idleMs: number;
  readonly #onIdle: () => boolean;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isUsed = false;
  #isEnded = false;

  /** @param onIdle called after `idleMs` without use, at the latest after twice that; false: not yet */
  constructor(idleMs: number, onIdle: () => boolean) {
    this.#idleMs = idleMs;
    this.#onIdle = onIdle;
  }

  used(): void {
    this.#isUsed = true;
    if (this.#timer === undefined && !this.#isEnded) this.#wait();
  }

  end(): void {
    this.#isEnded = true;
    clearTimeout(this.#timer);
  }

  #wait(): void {
    this.#isUsed = false;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#isUsed || !this.#onIdle()) this.#wait();
    }, this.#idleMs);
    // It must not keep a process in Node.
    (this.#timer as { unref?: () => void }).unref?.();
  }
}
