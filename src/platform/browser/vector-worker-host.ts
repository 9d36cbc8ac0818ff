/** The side of a web worker of the vector pool. */

import type { PoolRequest } from "../../search/vector-pool-protocol.ts";
import { createPoolWorker } from "../../search/vector-pool-worker.ts";
import { holdPulse } from "./worker-pulse.ts";
import type { WorkerScope } from "./worker-scope.ts";

export function serveVectorScans(scope: WorkerScope): void {
  const answer = createPoolWorker({
    post: (reply, transfer) => scope.postMessage(reply, transfer),
  });
  scope.addEventListener("message", (event) => {
    const { data } = event as MessageEvent<PoolRequest | { type: "hold"; lockName: string }>;
    if (data.type !== "hold") answer(data);
    else void holdPulse(data.lockName).then(() => scope.postMessage({ holding: true }));
  });
}
