/**
 * What was opened from one result belongs together: reading two hits of the same recall strengthens
 * the connection between them ("cells that fire together wire together", Hebb 1949).
 */

import type { ConnectionLearner } from "../cognitive/connection-learner.ts";

export class OpenedTogether {
  readonly #learner: ConnectionLearner;
  #hits = new Set<string>();
  #opened: string[] = [];

  constructor(learner: ConnectionLearner) {
    this.#learner = learner;
  }

  /** A new result: what is opened from now on came from it. */
  recalled(ids: readonly string[]): void {
    this.#hits = new Set(ids);
    this.#opened = [];
  }

  opened(id: string): void {
    if (!this.#hits.has(id) || this.#opened.includes(id)) return;
    this.#opened.unshift(id);
    if (this.#opened.length > 1) this.#learner.reinforce(this.#opened);
  }
}
