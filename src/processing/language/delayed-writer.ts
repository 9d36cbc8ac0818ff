/** Writes a record some time after it changed: many changes, one write; nobody waits for it. */

const DELAY_MS = 2_000;

export class DelayedWriter {
  readonly #write: () => Promise<void>;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #running: Promise<void> = Promise.resolve();

  constructor(write: () => Promise<void>) {
    this.#write = write;
  }

  /** Something changed. */
  touch(): void {
    if (this.#timer !== null) return;
    this.#timer = setTimeout(() => void this.flush().catch(() => undefined), DELAY_MS);
    // A record that waits to be written must not keep a process alive; `flush` is called at its end.
    (this.#timer as { unref?: () => void }).unref?.();
  }

  /** Writes now what is not written yet. */
  flush(): Promise<void> {
    if (this.#timer === null) return this.#running;
    clearTimeout(this.#timer);
    this.#timer = null;
    this.#running = this.#running.catch(() => undefined).then(() => this.#write());
    return this.#running;
  }
}
