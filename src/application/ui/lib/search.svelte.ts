/** Search as one types: waits for a pause, keeps only the latest question, tells what happened. */

import { isAbortError } from "../../../errors.ts";
import type { MemoryFilter, RecallResult } from "../../../model/query.ts";
import { session } from "./session.svelte.ts";

const DEBOUNCE_MS = 60;
const TOP_K = 30;
/** While an import runs the store changes many times a second. */
const REFRESH_MS = 500;

class SearchState {
  result = $state.raw<RecallResult | null>(null);
  /** The question that `result` answers. */
  answered = $state("");
  busy = $state(false);
  error = $state.raw<unknown>(null);
  #timer: ReturnType<typeof setTimeout> | null = null;
  #abort: AbortController | null = null;
  #latest = 0;
  #again: (() => Promise<void>) | null = null;
  #refreshTimer: ReturnType<typeof setTimeout> | null = null;

  /** Asks, after a short pause. An empty question clears the result. */
  ask(query: string, filter: MemoryFilter | undefined, typing: boolean, diversity = 0): void {
    this.#abort?.abort();
    if (this.#timer !== null) clearTimeout(this.#timer);
    const turn = ++this.#latest;
    this.#again = null;
    if (query.trim() === "") {
      this.result = null;
      this.answered = "";
      this.error = null;
      this.busy = false;
      return;
    }
    this.busy = true;
    this.#again = () => this.#run(turn, query, filter, typing, diversity);
    this.#timer = setTimeout(
      () => void this.#run(turn, query, filter, typing, diversity),
      typing ? DEBOUNCE_MS : 0,
    );
  }

  /** The store changed: the same question is asked again, quietly and not too often. */
  refresh(): void {
    if (this.#refreshTimer !== null) return;
    this.#refreshTimer = setTimeout(() => {
      this.#refreshTimer = null;
      if (!this.busy) void this.#again?.();
    }, REFRESH_MS);
  }

  async #run(
    turn: number,
    query: string,
    filter: MemoryFilter | undefined,
    typing: boolean,
    diversity: number,
  ): Promise<void> {
    const abort = new AbortController();
    this.#abort = abort;
    try {
      const engine = await session.engine();
      const result = await engine.recall(
        {
          query: query.trim(),
          topK: TOP_K,
          ...(filter === undefined ? {} : { filter }),
          // A word that ends in a space is finished.
          prefix: typing && !/\s$/.test(query),
          ...(diversity > 0 ? { diversity } : {}),
        },
        { signal: abort.signal },
      );
      if (turn !== this.#latest) return;
      this.result = result;
      this.answered = query;
      this.error = null;
      this.busy = false;
    } catch (error) {
      if (turn !== this.#latest || isAbortError(error)) return;
      this.error = error;
      this.busy = false;
    }
  }
}

export const searchState = new SearchState();
