/** The SQL engine, started on the first question and re-attached when the segments changed. */

import type { SqlEngine, SqlTable } from "../ports/sql.ts";
import type { MemoryStore } from "../storage/memory-store.ts";
import type { WriteQueue } from "./write-queue.ts";

export class SqlHolder {
  readonly #store: MemoryStore;
  readonly #start: () => Promise<SqlEngine>;
  readonly #writes: WriteQueue;
  #engine: Promise<SqlEngine> | null = null;
  #attachedGeneration: number | null = null;

  constructor(store: MemoryStore, start: () => Promise<SqlEngine>, writes: WriteQueue) {
    this.#store = store;
    this.#start = start;
    this.#writes = writes;
  }

  /** A compaction may replace the segments while the question runs: then it is asked once more. */
  async query(sql: string, options: { maxRows?: number }): Promise<SqlTable> {
    const engine = await this.#started();
    for (let attempt = 0; ; attempt++) {
      await this.#attach(engine);
      const { generation } = this.#store;
      try {
        return await engine.query(sql, options);
      } catch (error) {
        if (attempt > 0 || generation === this.#store.generation) throw error;
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

  #attach(engine: SqlEngine): Promise<void> {
    return this.#writes.run(async () => {
      if (this.#attachedGeneration === this.#store.generation) return;
      const { sources, excludedIds, faded } = await this.#store.sqlSources();
      await engine.attach(sources, { excludedIds, faded });
      this.#attachedGeneration = this.#store.generation;
    });
  }

  async close(): Promise<void> {
    const engine = await this.#engine?.catch(() => null);
    await engine?.close();
  }
}
