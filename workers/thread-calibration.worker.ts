/** Measures one thread count of the embedding runtime and ends; see thread-calibration.ts. */
import { serveCalibration } from "../src/platform/browser/thread-calibration.ts";
import type { WorkerScope } from "../src/platform/browser/worker-scope.ts";

serveCalibration(self as unknown as WorkerScope);
