/**
 * The browser entry point: `openEngine({ name })` gives the tab an `Engine` that lives in a worker
 * and is shared with the other tabs of the same origin.
 */

import type { Engine } from "../../engine.ts";
import type { ModelState } from "../../ports/embedder.ts";
import { EngineLinks } from "./engine-links.ts";
import type { DownloadProgress } from "./engine-protocol.ts";
import { RemoteEngine } from "./remote-engine.ts";

export interface BrowserEngine extends Engine {
  /** "leader" when this tab runs the worker, "follower" when it talks to another tab's. */
  role(): "leader" | "follower";
  readonly models: {
    state(): Promise<ModelState>;
    /** Downloads, checks and activates the embedding model; continues a download that was cut. */
    install(options?: {
      onProgress?: (progress: DownloadProgress) => void;
      signal?: AbortSignal;
    }): Promise<void>;
    remove(): Promise<void>;
  };
  readonly storage: {
    /** Asks the browser not to clear this origin's data under pressure; true when granted. */
    persist(): Promise<boolean>;
  };
}

export interface OpenOptions {
  /** Name of the store; a folder of the origin's private file system. Default "default". */
  name?: string;
}

/** Resolves at once; the first call waits for the worker. Its failure to open rejects every call. */
export function openEngine(options: OpenOptions = {}): BrowserEngine {
  const links = new EngineLinks(
    options.name ?? "default",
    () =>
      new Worker(new URL("../../../workers/engine.worker.ts", import.meta.url), {
        type: "module",
        name: "engine",
      }),
  );
  const remote = new RemoteEngine(links);
  void links.start();
  return Object.assign(remote, {
    role: () => links.role,
    models: {
      state: () => remote.modelState(),
      install: (install: Parameters<BrowserEngine["models"]["install"]>[0] = {}) =>
        remote.installModel(install),
      remove: () => remote.removeModel(),
    },
    storage: { persist: () => navigator.storage.persist() },
  });
}
