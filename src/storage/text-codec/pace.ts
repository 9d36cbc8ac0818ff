/**
 * How long work that nobody may have to wait for rests between its steps. Ahead of need: as long as
 * it worked, though no longer than a moment, since a step may have been long because the machine is
 * busy. Once someone waits for it: only long enough for others to get their turn.
 */

import { nextTask } from "../../next-turn.ts";

/** Others get their turn at least this often. */
const MOST_WORK_MS = 8;

export class Pace {
  /** Someone waits for the result. */
  #urgent: boolean;
  #stopped: Error | null = null;
  #wake: (() => void) | null = null;
  #since = performance.now();

  constructor(urgent: boolean) {
    this.#urgent = urgent;
  }

  /** From now on the work is waited for; a rest under way ends. */
  hurry(): void {
    this.#urgent = true;
    this.#wake?.();
  }

  /** A sleep under way ends; the pace stays. */
  wake(): void {
    this.#wake?.();
  }

  /** A rest or sleep under way, or the next, rejects with the reason. */
  stop(reason: Error): void {
    this.#stopped ??= reason;
    this.#wake?.();
  }

  /** To be called after each step. */
  async rest(): Promise<void> {
    const worked = performance.now() - this.#since;
    if (!this.#urgent || worked >= MOST_WORK_MS) {
      if (this.#urgent) await nextTask();
      else await this.sleep(Math.min(worked, MOST_WORK_MS));
      this.#since = performance.now();
    }
    this.#check();
  }

  /** Waits, and not longer once it is urgent or stopped. Doesn't keep a process alive. */
  async sleep(timeMs: number): Promise<void> {
    this.#check();
    await new Promise<void>((resolve) => {
      const timer: unknown = setTimeout(() => this.#wake?.(), timeMs);
      // Node's timers are objects; work ahead of need is no reason to stay.
      if (!this.#urgent && typeof timer === "object") (timer as { unref?: () => void }).unref?.();
      this.#wake = () => {
        clearTimeout(timer as Parameters<typeof clearTimeout>[0]);
        this.#wake = null;
        resolve();
      };
    });
    this.#check();
  }

  #check(): void {
    if (this.#stopped) throw this.#stopped;
  }
}
