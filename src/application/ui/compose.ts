/**
 * The one place where the page meets the platform: opens the browser's engine (in a worker, shared
 * between tabs). Loaded on demand, so that the first paint waits for nothing.
 */

import type { BrowserEngine } from "../../platform/browser/open.ts";
import type { Workbench } from "../../quantization/workbench.ts";

export type { BrowserEngine };

/** Name of the store in this origin. */
const STORE_NAME = "default";

export async function openBrowserEngine(): Promise<BrowserEngine> {
  const { openEngine } = await import("../../platform/browser/open.ts");
  return openEngine({ name: STORE_NAME });
}

/** The quantization workbench, whose worker starts when it is first asked. */
export async function openBrowserWorkbench(): Promise<Workbench> {
  const { openWorkbench } = await import("../../platform/browser/quantization-worker.ts");
  return openWorkbench();
}
