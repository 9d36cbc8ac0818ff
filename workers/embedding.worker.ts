/** The embedding model's thread, started by the engine's worker on first use and ended when idle. */
import { serveEmbedder } from "../src/platform/browser/embedding-host.ts";

serveEmbedder(self as unknown as DedicatedWorkerGlobalScope);
