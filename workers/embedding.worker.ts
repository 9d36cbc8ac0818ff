/** The embedding model's thread, started by the engine's worker on first use and ended when idle. */
import { serveEmbedder } from "../src/platform/browser/embedding-host.ts";
import type { WorkerScope } from "../src/platform/browser/worker-scope.ts";

serveEmbedder(self as unknown as WorkerScope);
