/**
 * Which worker a tab's calls go to, and what happens when it ends.
 *
 * One tab leads: it holds a Web Lock, runs the engine's worker and thereby the store's exclusive
 * file handles. The others talk to that worker over a `BroadcastChannel`. When the leading tab
 * closes, the browser grants the lock to the next; when only its worker dies, the leader starts
 * another. Calls under way at that moment fail with `worker_lost`; `RemoteEngine` repeats those
 * that change nothing.
 */

import { wrap, type Endpoint } from "comlink";
import { AppError, fromWireError, type WireError } from "../../errors.ts";
import { unwrapNotification, type EngineHostApi, type Notification } from "./engine-protocol.ts";
import {
  ChannelEndpoint,
  EVERYONE,
  leaderLockName,
  tabChannelName,
  workerLockName,
  type TabMessage,
} from "./tab-channel.ts";
import type { RemoteApi } from "./worker-scope.ts";

/** A connection to one worker, for as long as that worker lives. */
export interface EngineLink {
  readonly host: RemoteApi<EngineHostApi>;
  /** The promise, or a rejection with `worker_lost` when the link dies first. */
  race<T>(promise: Promise<T>): Promise<T>;
}

export interface WorkerStart {
  name: string;
  epoch: string;
}

export type WorkerReady = { ready: true } | { ready: false; error: WireError };

/** After this many workers in a row that ended without having answered anything, the leader gives up. */
const MAX_USELESS_WORKERS = 3;

export class EngineLinks {
  onNotification: (notification: Notification) => void = () => undefined;
  onRoleChange: (role: "leader" | "follower") => void = () => undefined;

  readonly #name: string;
  readonly #createWorker: () => Worker;
  readonly #tabId = crypto.randomUUID();
  readonly #channel: BroadcastChannel;
  readonly #closing = new AbortController();
  #role: "leader" | "follower" = "follower";
  #link: LiveLink | null = null;
  #followedEpoch: string | null = null;
  #waiting = createDeferred<EngineLink>();
  #worker: Worker | null = null;

  constructor(name: string, createWorker: () => Worker) {
    this.#name = name;
    this.#createWorker = createWorker;
    this.#channel = new BroadcastChannel(tabChannelName(name));
    this.#channel.addEventListener("message", (event: MessageEvent<TabMessage>) =>
      this.#onTabMessage(event.data),
    );
    this.#waiting.promise.catch(() => undefined);
  }

  get role(): "leader" | "follower" {
    return this.#role;
  }

  /** Leads when no other tab does, else follows and waits for its turn. */
  async start(): Promise<void> {
    const lock = leaderLockName(this.#name);
    const decided = createDeferred<boolean>();
    void navigator.locks
      .request(lock, { ifAvailable: true }, async (granted) => {
        decided.resolve(granted !== null);
        if (granted) await this.#lead();
      })
      .catch((error: unknown) => decided.reject(error));
    if (await decided.promise) return;
    this.#channel.postMessage({ type: "hello", from: this.#tabId } satisfies TabMessage);
    navigator.locks
      .request(lock, { signal: this.#closing.signal }, () => this.#lead())
      .catch(() => undefined); // the wait was ended by close()
  }

  current(): Promise<EngineLink> {
    return this.#waiting.promise;
  }

  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#channel.postMessage({ type: "bye", from: this.#tabId } satisfies TabMessage);
    this.#closing.abort();
    this.#link?.fail(new AppError("closed", "The engine was closed."));
    this.#worker?.terminate();
    this.#channel.close();
  }

  /** Holds the leader's lock until the tab closes: runs workers, one after the other. */
  async #lead(): Promise<void> {
    this.#setRole("leader");
    for (let useless = 0; !this.#closing.signal.aborted;) {
      const ended = await this.#runWorker();
      if (ended === "refused") return this.#untilClosed();
      useless = ended === "useless" ? useless + 1 : 0;
      if (useless >= MAX_USELESS_WORKERS && !this.#closing.signal.aborted) {
        this.#refuse(
          new AppError("worker_lost", "The engine's worker ended again and again.", {
            hint: "Reload the page. If it goes on, free some memory by closing other tabs.",
          }),
        );
        return this.#untilClosed();
      }
    }
  }

  /** One worker's life: "refused" when it could not open the store, "useless" when it never answered. */
  async #runWorker(): Promise<"ended" | "useless" | "refused"> {
    const epoch = crypto.randomUUID();
    const worker = this.#createWorker();
    this.#worker = worker;
    const ready = createDeferred<WorkerReady>();
    worker.addEventListener("message", (event: MessageEvent<unknown>) => {
      const notification = unwrapNotification(event.data);
      if (notification) this.onNotification(notification);
      else if (typeof event.data === "object" && event.data !== null && "ready" in event.data)
        ready.resolve(event.data as WorkerReady);
    });
    worker.addEventListener("error", (event) =>
      ready.resolve({
        ready: false,
        error: {
          code: "worker_lost",
          message: `The engine's worker could not start: ${event.message || "its script failed to load"}.`,
          hint: "Reload the page; when offline, connect once so that the app can complete its installation.",
          retryable: true,
        },
      }),
    );
    worker.postMessage({ name: this.#name, epoch } satisfies WorkerStart);
    const state = await ready.promise;
    if (!state.ready) {
      worker.terminate();
      this.#refuse(fromWireError(state.error));
      return "refused";
    }
    const link = new LiveLink(connect(worker));
    this.#use(link);
    await navigator.locks
      .request(workerLockName(epoch), { signal: this.#closing.signal }, () => undefined)
      .catch(() => undefined); // closing
    worker.terminate();
    this.#drop(link);
    return link.answered ? "ended" : "useless";
  }

  #onTabMessage(message: TabMessage): void {
    if (message.type === "notify" && (message.to === this.#tabId || message.to === EVERYONE)) {
      const notification = unwrapNotification(message.data);
      // The leader hears its own worker directly.
      if (notification && this.#role === "follower") this.onNotification(notification);
    } else if (message.type === "leader" && this.#role === "follower") {
      this.#follow(message.epoch);
    }
  }

  #follow(epoch: string): void {
    if (epoch === this.#followedEpoch) return;
    if (this.#link) this.#drop(this.#link);
    this.#followedEpoch = epoch;
    const endpoint = new ChannelEndpoint(this.#channel, this.#tabId, epoch);
    this.#use(new LiveLink(connect(endpoint), () => endpoint.close()));
  }

  #use(link: LiveLink): void {
    this.#link = link;
    this.#waiting.resolve(link);
  }

  #drop(link: LiveLink): void {
    if (this.#link !== link) return;
    this.#link = null;
    this.#waiting = createDeferred<EngineLink>();
    this.#waiting.promise.catch(() => undefined);
    link.fail(
      new AppError("worker_lost", "The engine's worker ended before it answered.", {
        hint: "What was acknowledged is kept; run the rest again.",
        retryable: true,
      }),
    );
  }

  #refuse(error: Error): void {
    this.#waiting.reject(error);
  }

  #setRole(role: "leader" | "follower"): void {
    if (this.#link) this.#drop(this.#link);
    this.#role = role;
    this.onRoleChange(role);
  }

  #untilClosed(): Promise<void> {
    return new Promise((resolve) =>
      this.#closing.signal.addEventListener("abort", () => resolve(), { once: true }),
    );
  }
}

/** Comlink's own type splits unions of promises; the values are the same. */
function connect(endpoint: Endpoint): RemoteApi<EngineHostApi> {
  return wrap<EngineHostApi>(endpoint) as unknown as RemoteApi<EngineHostApi>;
}

interface Deferred<T> {
  promise: Promise<T>;
  resolve(value: T): void;
  reject(error: unknown): void;
}

function createDeferred<T>(): Deferred<T> {
  let resolve!: (value: T) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<T>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  return { promise, resolve, reject };
}

class LiveLink implements EngineLink {
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
