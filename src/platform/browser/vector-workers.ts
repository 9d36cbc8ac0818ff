/**
 * Web workers for the vector pool. They need shared memory, which browsers give to cross-origin
 * isolated pages alone: never to a page inside another site's frame.
 */

import type { ComputeWorker, ComputeWorkers } from "../../ports/compute.ts";
import { pulseEnded } from "./worker-pulse.ts";

export class BrowserVectorWorkers implements ComputeWorkers {
  readonly #create: () => Worker;
  readonly processors = navigator.hardwareConcurrency || 1;
  readonly unavailable = globalThis.crossOriginIsolated
    ? null
    : "This page isn't cross-origin isolated, so memory can't be shared with workers.";

  /** @param create starts workers/vector.worker.ts */
  constructor(create: () => Worker) {
    this.#create = create;
  }

  start(): ComputeWorker {
    const worker = this.#create();
    const lockName = `llm-compression:vectors:${crypto.randomUUID()}`;
    return {
      post: (message, transfer = []) => worker.postMessage(message, transfer),
      onMessage: (listener) =>
        worker.addEventListener("message", ({ data }: MessageEvent<unknown>) => {
          // Its lock is held from here on; when it is free again, the worker is gone.
          if (isHolding(data)) void pulseEnded(lockName).then(() => this.#ended(worker));
          else listener(data);
        }),
      onEnd: (listener) => {
        worker.addEventListener("error", (event) =>
          listener(event.message || "it could not start"),
        );
        worker.addEventListener(ENDED, () => listener("the browser stopped it"));
        worker.postMessage({ type: "hold", lockName });
      },
      setBusy: () => undefined,
      terminate: () => worker.terminate(),
    };
  }

  /** A killed worker fires no event of its own. */
  #ended(worker: Worker): void {
    worker.dispatchEvent(new Event(ENDED));
  }
}

const ENDED = "ended";

function isHolding(data: unknown): boolean {
  return typeof data === "object" && data !== null && "holding" in data;
}
