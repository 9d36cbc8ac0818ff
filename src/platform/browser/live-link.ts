/** One connection between a tab and the engine's worker, direct or over the channel, and its end. */

import { wrap, type Endpoint } from "comlink";
import type { EngineHostApi } from "./engine-protocol.ts";
import type { RemoteApi } from "./worker-scope.ts";

/** A connection to one worker, for as long as that worker lives. */
export interface EngineLink {
  readonly host: RemoteApi<EngineHostApi>;
  /** The promise, or a rejection with `worker_lost` when the link dies first. */
  race<T>(promise: Promise<T>): Promise<T>;
}

/** Comlink's own type splits unions of promises; the values are the same. */
export function connect(endpoint: Endpoint): RemoteApi<EngineHostApi> {
  return wrap<EngineHostApi>(endpoint) as unknown as RemoteApi<EngineHostApi>;
}

export interface Deferred<T> {
  promise: Promise<T>;
  resolve(value: T): void;
  reject(error: unknown): void;
}

export function createDeferred<T>(): Deferred<T> {
  let resolve!: (value: T) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<T>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  return { promise, resolve, reject };
}

export class LiveLink implements EngineLink {
  readonly host: RemoteApi<EngineHostApi>;
  answered = false;
  readonly #death = createDeferred<never>();
  readonly #release: () => void;

  constructor(host: RemoteApi<EngineHostApi>, release: () => void = () => undefined) {
    this.host = host;
    this.#release = release;
    this.#death.promise.catch(() => undefined);
  }

  async race<T>(promise: Promise<T>): Promise<T> {
    const value = await Promise.race([promise, this.#death.promise]);
    this.answered = true;
    return value;
  }

  fail(error: Error): void {
    this.#death.reject(error);
    this.#release();
  }
}
