/**
 * How many requests are under way at one host at once; the others wait in order. Keeping connections
 * alive and sharing them (HTTP/1.1, HTTP/2) is the transport's part.
 */

import PQueue from "p-queue";
import { createAbortError } from "../../errors.ts";

export class ConnectionPool {
  readonly #queues = new Map<string, PQueue>();

  /** Runs the work when a place is free. `AbortError` when the signal fires while it waits. */
  async run<T>(
    host: string,
    concurrency: number,
    work: () => Promise<T>,
    signal?: AbortSignal,
  ): Promise<T> {
    let queue = this.#queues.get(host);
    if (!queue) this.#queues.set(host, (queue = new PQueue({ concurrency })));
    // The owner may have changed it.
    if (queue.concurrency !== concurrency) queue.concurrency = concurrency;
    try {
      return await queue.add(work, { signal });
    } catch (error) {
      // The queue rejects with whatever reason the signal carries.
      if (signal?.aborted && error === signal.reason) throw createAbortError();
      throw error;
    }
  }

  /** Requests under way and waiting at a host. */
  load(host: string): { running: number; waiting: number } {
    const queue = this.#queues.get(host);
    return { running: queue?.pending ?? 0, waiting: queue?.size ?? 0 };
  }
}
