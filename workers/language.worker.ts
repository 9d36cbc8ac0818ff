/** A language model's thread, started by the engine's worker on first use and ended when idle. */
import { serveLanguageModels } from "../src/platform/browser/language/language-host.ts";
import type { WorkerScope } from "../src/platform/browser/worker-scope.ts";

serveLanguageModels(self as unknown as WorkerScope);
