/** The engine's thread: sole owner of the store's files. Opens it when the page names it, then serves every tab. */
import { serveEngine } from "../src/platform/browser/compose.ts";
import type { WorkerScope } from "../src/platform/browser/worker-scope.ts";

serveEngine(self as unknown as WorkerScope);
