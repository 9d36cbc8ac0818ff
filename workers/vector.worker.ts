/** A thread of the vector pool, started by the engine's worker where that is faster, ended when idle. */
import { serveVectorScans } from "../src/platform/browser/vector-worker-host.ts";
import type { WorkerScope } from "../src/platform/browser/worker-scope.ts";

serveVectorScans(self as unknown as WorkerScope);
