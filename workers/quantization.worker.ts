/** The workbench's thread, started by its page on first use and ended when idle. */
import { serveQuantization } from "../src/platform/browser/quantization-host.ts";
import type { WorkerScope } from "../src/platform/browser/worker-scope.ts";

serveQuantization(self as unknown as WorkerScope);
