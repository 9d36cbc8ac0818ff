/** The SQL engine, started on the first question and re-attached when the segments changed. */

import { throwIfAborted } from "../errors.ts";
import type { SqlEngine, SqlTable } from "../ports/sql.ts";
import type { MemoryStore } from "../storage/memory-store.ts";
import type { WriteQueue } from "./write-queue.ts";

/** Questions that may show or search the text itself: `content`, or every column. */
const ASKS_FOR_CONTENT = /\bcontent\b|(?<!count\s*\(\s*)\*|^\s*(from|summarize|table)\b/i;

export class SqlHolder {
  readonly #store: MemoryStore;
  readonly #start: () => Promise<SqlEngine>;
  readonly #writes: WriteQueue;
  #engine: Promise<SqlEngine> | null = null;
  #attachedGeneration: number | null = null;
  /** Whether the files that are attached have the text in a column, also where the store codes it. */
  #attachedContent = false;

  constructor(store: MemoryStore, start: () => Promise<SqlEngine>, writes: WriteQueue) {
    this.#store = store;
    this.#start = start;
    this.#writes = writes;
  }

  /** A compaction may replace the segments while the question runs: then it is asked once more. */
  async query(sql: string, options: { maxRows?: number; signal?: AbortSignal }): Promise<SqlTable> {
    throwIfAborted(options.signal);
    const engine = await this.#started();
    for (let attempt = 0; ; attempt++) {
      throwIfAborted(options.signal);
      await this.#attach(engine, ASKS_FOR_CONTENT.test(sql));
      const { generation } = this.#store;
      try {
        return await engine.query(sql, options);
      } catch (error) {
        const cancelled = options.signal?.aborted ?? false;
        if (attempt > 0 || cancelled || generation === this.#store.generation) throw error;
      }
    }
  }

  async #started(): Promise<SqlEngine> {
    this.#engine ??= this.#start();
    try {
      return await this.#engine;
    } catch (error) {
      this.#engine = null; // a failed start may succeed the next time
      throw error;
    }
  }

  #attach(engine: SqlEngine, content: boolean): Promise<void> {
    return this.#writes.run(async () => {
      const current = this.#attachedGeneration === this.#store.generation;
      if (current && (this.#attachedContent || !content)) return;
      const { sources, excludedIds, faded } = await this.#store.sqlSources({ content });
      await engine.attach(sources, { excludedIds, faded });
      this.#attachedGeneration = this.#store.generation;
      this.#attachedContent = content;
    });
  }

  async close(): Promise<void> {
    const engine = await this.#engine?.catch(() => null);
    await engine?.close();
  }
}
