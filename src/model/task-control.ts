/**
 * Progress, pause and cancel of a long call, the same local and across a worker.
 *
 * The caller makes a `TaskControl` and keeps it; the work awaits `checkpoint()` between steps.
 */

import { createAbortError, throwIfAborted } from "../errors.ts";
import { nextTaskIfDue } from "../next-turn.ts";

export interface Progress {
  /** What is being done, in plain words for a person: "Embedding". */
  stage: string;
  done: number;
  /** Null while the total is unknown. */
  total: number | null;
  /** Bytes read so far, where the work is over files. */
  doneBytes?: number;
  totalBytes?: number;
}

export interface TaskOptions {
  onProgress?: (progress: Progress) => void;
  /** Cancels; what was acknowledged stays. */
  signal?: AbortSignal;
  /** Pauses between steps. */
  control?: TaskControl;
}

export class TaskControl {
  #abort = new AbortController();
  #resume: (() => void) | null = null;
  #gate: Promise<void> = Promise.resolve();
  readonly #pauseListeners = new Set<(paused: boolean) => void>();

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  get paused(): boolean {
    return this.#resume !== null;
  }

  pause(): void {
    if (this.paused || this.signal.aborted) return;
    this.#gate = new Promise((resolve) => (this.#resume = resolve));
    this.#notify(true);
  }

  resume(): void {
    if (!this.#resume) return;
    this.#resume();
    this.#resume = null;
    this.#notify(false);
  }

  cancel(): void {
    this.#abort.abort(createAbortError());
    this.resume();
  }

  /** Calls back on every pause and resume; returns what stops that. */
  onPauseChange(listener: (paused: boolean) => void): () => void {
    this.#pauseListeners.add(listener);
    return () => this.#pauseListeners.delete(listener);
  }

  #notify(paused: boolean): void {
    for (const listener of this.#pauseListeners) listener(paused);
  }

  /** Resolves when not paused; throws `AbortError` when cancelled. */
  async checkpoint(): Promise<void> {
    await this.#gate;
    throwIfAborted(this.signal);
  }
}

/**
 * The checkpoint of any call's options: lets others on this thread have their turn when it is due, waits while
 * paused, throws when cancelled.
 */
export async function checkpoint(options: TaskOptions | undefined): Promise<void> {
  await nextTaskIfDue();
  await options?.control?.checkpoint();
  throwIfAborted(options?.signal);
}
