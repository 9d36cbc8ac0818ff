/** Worker threads of Node for the vector pool: each a V8 of its own (about 5 MB), over shared memory. */

import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import type { ComputeWorker, ComputeWorkers } from "../../ports/compute.ts";
import threadCode from "./vector-thread.ts?thread";

/** The thread holds a few kilobytes of its own. */
const HEAP_LIMIT_MB = 32;

export class NodeVectorThreads implements ComputeWorkers {
  readonly processors = availableParallelism();
  readonly unavailable = null;

  start(): ComputeWorker {
    const worker = new Worker(threadCode, {
      eval: true,
      name: "vectors",
      resourceLimits: { maxOldGenerationSizeMb: HEAP_LIMIT_MB, maxYoungGenerationSizeMb: 4 },
    });
    return {
      post: (message, transfer = []) => worker.postMessage(message, transfer),
      onMessage: (listener) => void worker.on("message", listener),
      onEnd: (listener) => {
        worker.on("error", (error: Error) => listener(error.message));
        worker.on("exit", (code) => listener(`it ended with code ${code}`));
      },
      setBusy: (busy) => (busy ? worker.ref() : worker.unref()),
      terminate: () => void worker.terminate(),
    };
  }
}
