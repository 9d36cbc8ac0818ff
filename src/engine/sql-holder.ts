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

  async query(sql: string, options: { maxRows?: number }): Promise<SqlTable> {
    this.#engine ??= this.#start();
    const engine = await this.#engine.catch((error: unknown) => {
      this.#engine = null; // a failed start may succeed the next time
      throw error;
    });
    await this.#writes.run(async () => {
      if (this.#attachedGeneration === this.#store.generation) return;
      await engine.attach(await this.#store.sqlSources());
      this.#attachedGeneration = this.#store.generation;
    });
    return engine.query(sql, options);
  }

  async close(): Promise<void> {
    const engine = await this.#engine?.catch(() => null);
    await engine?.close();
  }
}
