/**
 * What was opened from one result belongs together: reading two hits of the same recall strengthens
 * the connection between them ("cells that fire together wire together", Hebb 1949).
 */

import type { ConnectionLearner } from "../cognitive/connection-learner.ts";

const SAVE_AFTER_MS = 5_000;

export class OpenedTogether {
  readonly #learner: ConnectionLearner;
  #hits = new Set<string>();
  #opened: string[] = [];
  #timer: ReturnType<typeof setTimeout> | null = null;

  constructor(learner: ConnectionLearner) {
    this.#learner = learner;
  }

  /** A new result: what is opened from now on came from it. */
  recalled(ids: readonly string[]): void {
    this.#hits = new Set(ids);
    this.#opened = [];
  }

  /** Ends a write that is still to come; `ConnectionLearner.save` then writes what is left. */
  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  /** A tab is closed without asking: what was learned is written a moment after, not at the end. */
  #saveSoon(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      // Connections only help: what can't be written now is tried with the next one.
      this.#learner.save().catch(() => undefined);
    }, SAVE_AFTER_MS);
  }

  /** True when a connection was strengthened by it. */
  opened(id: string): boolean {
    if (!this.#hits.has(id) || this.#opened.includes(id)) return false;
    this.#opened.unshift(id);
    if (this.#opened.length < 2) return false;
    this.#learner.reinforce(this.#opened);
    this.#saveSoon();
    return true;
  }
}
