/** Runs in a thread of the vector pool; bundled into `vector-threads.ts`. */

import { parentPort } from "node:worker_threads";
import { createPoolWorker } from "../../search/vector-pool-worker.ts";

const port = parentPort!;
port.on(
  "message",
  createPoolWorker({ post: (reply, transfer = []) => port.postMessage(reply, transfer) }),
);
