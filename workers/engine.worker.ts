/** The engine's thread: sole owner of the store's files. Opens it when the page names it, then serves every tab. */
import { serveEngine } from "../src/platform/browser/compose.ts";

serveEngine(self as unknown as DedicatedWorkerGlobalScope);
