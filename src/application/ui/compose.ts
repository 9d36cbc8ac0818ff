/**
 * The one place where the page meets the platform: opens the browser's engine (in a worker, shared
 * between tabs). Loaded on demand, so that the first paint waits for nothing.
 */

import type { BrowserEngine } from "../../platform/browser/open.ts";

export type { BrowserEngine };

/** Name of the store in this origin. */
const STORE_NAME = "default";

export async function openBrowserEngine(): Promise<BrowserEngine> {
  const { openEngine } = await import("../../platform/browser/open.ts");
  return openEngine({ name: STORE_NAME });
}
