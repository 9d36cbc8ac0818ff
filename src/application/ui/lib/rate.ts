/** Speed and time left of a running task, from its last seconds of progress. */

import type { Progress } from "../../../model/task-control.ts";

/** How far a task is, 0–1: by items once their number is known, by bytes read before; else null. */
export function shareOf(progress: Progress): number | null {
  if (progress.total) return Math.min(1, progress.done / progress.total);
  if (progress.totalBytes && progress.doneBytes)
    return Math.min(1, progress.doneBytes / progress.totalBytes);
  return null;
}

interface Sample {
  atMs: number;
  done: number;
}

const WINDOW_MS = 10_000;

export class RateMeter {
  #samples: Sample[] = [];

  /** Notes how far the work is; a step backwards (a new stage) starts over. */
  add(done: number, atMs: number): void {
    const last = this.#samples.at(-1);
    if (last && done < last.done) this.#samples = [];
    this.#samples.push({ atMs, done });
    while (this.#samples.length > 2 && atMs - this.#samples[0]!.atMs > WINDOW_MS)
      this.#samples.shift();
  }

  /** Forgets what was measured, after a pause. */
  reset(): void {
    this.#samples = [];
  }

  /** Per second; null until two samples half a second apart are there. */
  get perSecond(): number | null {
    const first = this.#samples[0];
    const last = this.#samples.at(-1);
    if (!first || !last || last.atMs - first.atMs < 500) return null;
    return ((last.done - first.done) * 1000) / (last.atMs - first.atMs);
  }

  /** ms until `total`; null while it can't be told. */
  remainingMs(total: number): number | null {
    const speed = this.perSecond;
    const last = this.#samples.at(-1);
    if (speed === null || speed <= 0 || !last) return null;
    return (Math.max(0, total - last.done) / speed) * 1000;
  }
}
