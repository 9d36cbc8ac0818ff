/**
 * Which worker a tab's calls go to, and what happens when it ends.
 *
 * One tab leads: it holds a Web Lock, runs the engine's worker and thereby the store's exclusive
 * file handles. The others talk to that worker over a `BroadcastChannel`. When the leading tab
 * closes, the browser grants the lock to the next; when only its worker dies, the leader starts
 * another. Calls under way at that moment fail with `worker_lost`; `RemoteEngine` repeats those
 * that change nothing. A leader that can't open the store says so to the others, which then fail
 * with its error until another tab leads.
 */

import { AppError, fromWireError, toError, toWireError, type WireError } from "../../errors.ts";
import { unwrapNotification, type Notification } from "./engine-protocol.ts";
import { offerBuiltInModels } from "./language/built-in-offer.ts";
import { connect, createDeferred, type EngineLink, LiveLink } from "./live-link.ts";
import {
  ChannelEndpoint,
  EVERYONE,
  leaderLockName,
  tabChannelName,
  tabLockName,
  workerLockName,
  type TabMessage,
} from "./tab-channel.ts";

export interface WorkerStart {
  name: string;
  epoch: string;
  /** To this page, which alone has the browser's built-in language models. Transferred. */
  builtInModels?: MessagePort;
}

/** From the worker: first that it holds its lock, then whether the store could be opened. */
export type WorkerReady = { alive: true } | { ready: true } | { ready: false; error: WireError };

/** After this many workers in a row that ended without having answered anything, the leader gives up. */
const MAX_USELESS_WORKERS = 3;
/** A worker that ends before it holds its lock tells nobody. The next one is given twice the time. */
const START_TIMEOUT_MS = 20_000;

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
  /** Why there is no link, where none is to come from the tab that leads now. */
  #refusal: WireError | null = null;
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

  /** The link to come is another one: what waits for it starts to wait now. */
  #renew(): void {
    this.#refusal = null;
    this.#waiting = createDeferred<EngineLink>();
    this.#waiting.promise.catch(() => undefined);
  }

  get role(): "leader" | "follower" {
    return this.#role;
  }

  /** Leads when no other tab does, else follows and waits for its turn. A failure rejects every call. */
  async start(): Promise<void> {
    try {
      await this.#start();
    } catch (error) {
      this.#refuse(toError(error));
    }
  }

  async #start(): Promise<void> {
    if (!("locks" in navigator))
      throw new AppError("storage_unavailable", "This page can't use the browser's locks.", {
        hint: "Use a current browser; the page must be served over HTTPS or from localhost.",
      });
    // Before the first message: the leader's worker asks for it to learn that this tab ended.
    await this.#holdPulse();
    const lock = leaderLockName(this.#name);
    const decided = createDeferred<boolean>();
    void navigator.locks
      .request(lock, { ifAvailable: true }, async (granted) => {
        decided.resolve(granted !== null);
        if (granted) await this.#lead();
      })
      .catch((error: unknown) => decided.reject(error));
    if ((await decided.promise) || this.#closing.signal.aborted) return;
    this.#channel.postMessage({ type: "hello", from: this.#tabId } satisfies TabMessage);
    navigator.locks
      .request(lock, { signal: this.#closing.signal }, () => this.#lead())
      .catch(() => undefined); // the wait was ended by close()
  }

  #holdPulse(): Promise<void> {
    return new Promise((resolve, reject) => {
      navigator.locks
        .request(tabLockName(this.#tabId), () => {
          resolve();
          return this.#untilClosed();
        })
        .catch(reject);
    });
  }

  current(): Promise<EngineLink> {
    return this.#waiting.promise;
  }

  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#channel.postMessage({ type: "bye", from: this.#tabId } satisfies TabMessage);
    this.#closing.abort();
    const closed = new AppError("closed", "The engine was closed.");
    this.#link?.fail(closed);
    this.#waiting.reject(closed);
    this.#worker?.terminate();
    this.#channel.close();
  }

  /** Holds the leader's lock until the tab closes: runs workers, one after the other. */
  async #lead(): Promise<void> {
    this.#setRole("leader");
    for (let useless = 0; !this.#closing.signal.aborted;) {
      const ended = await this.#runWorker(START_TIMEOUT_MS * 2 ** useless);
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
  async #runWorker(startTimeoutMs: number): Promise<"ended" | "useless" | "refused"> {
    const epoch = crypto.randomUUID();
    let worker: Worker;
    try {
      worker = this.#createWorker();
    } catch (error) {
      this.#refuse(toError(error));
      return "refused";
    }
    this.#worker = worker;
    const alive = createDeferred<true>();
    const ready = createDeferred<Extract<WorkerReady, { ready: boolean }>>();
    worker.addEventListener("message", (event: MessageEvent<unknown>) => {
      const notification = unwrapNotification(event.data);
      if (notification) this.onNotification(notification);
      else if (typeof event.data !== "object" || event.data === null) return;
      else if ("alive" in event.data) alive.resolve(true);
      else if ("ready" in event.data) ready.resolve(event.data as { ready: true });
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
    const builtIn = offerBuiltInModels();
    worker.postMessage(
      {
        name: this.#name,
        epoch,
        ...(builtIn && { builtInModels: builtIn.port }),
      } satisfies WorkerStart,
      builtIn ? [builtIn.port] : [],
    );
    const ended = alive.promise
      .then(() =>
        navigator.locks.request(
          workerLockName(epoch),
          { signal: this.#closing.signal },
          () => undefined,
        ),
      )
      .catch(() => undefined); // closing
    const silent = createDeferred<null>();
    const patience = setTimeout(() => silent.resolve(null), startTimeoutMs);
    void alive.promise.then(() => clearTimeout(patience));
    const gone = Promise.race([ended, silent.promise, this.#untilClosed()]).then(() => {
      clearTimeout(patience);
      builtIn?.stop();
      return null;
    });
    const state = await Promise.race([ready.promise, gone]);
    if (state === null) {
      worker.terminate();
      return "useless";
    }
    if (!state.ready) {
      worker.terminate();
      this.#refuse(fromWireError(state.error));
      return "refused";
    }
    const link = new LiveLink(connect(worker));
    this.#use(link);
    await gone;
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
    } else if (message.type === "refused" && this.#role === "follower") {
      if (this.#link) this.#drop(this.#link);
      this.#followedEpoch = null;
      this.#fail(message.error);
    } else if (message.type === "hello" && this.#role === "leader" && this.#refusal) {
      this.#tellRefusal(this.#refusal);
    }
  }

  #follow(epoch: string): void {
    if (epoch === this.#followedEpoch) return;
    if (this.#link) this.#drop(this.#link);
    this.#followedEpoch = epoch;
    const endpoint = new ChannelEndpoint(this.#channel, this.#tabId, epoch, true);
    this.#use(new LiveLink(connect(endpoint), () => endpoint.close()));
  }

  #use(link: LiveLink): void {
    if (this.#refusal) this.#renew();
    this.#link = link;
    this.#waiting.resolve(link);
  }

  #drop(link: LiveLink): void {
    if (this.#link !== link) return;
    this.#link = null;
    if (!this.#closing.signal.aborted) this.#renew();
    link.fail(
      new AppError("worker_lost", "The engine's worker ended before it answered.", {
        hint: "What was acknowledged is kept; run the rest again.",
        retryable: true,
      }),
    );
  }

  /** No link will come: every call fails with this, here and in the tabs that follow. */
  #refuse(error: Error): void {
    if (this.#closing.signal.aborted) return;
    const wire = toWireError(error);
    this.#fail(wire);
    if (this.#role === "leader") this.#tellRefusal(wire);
  }

  #fail(error: WireError): void {
    if (this.#refusal) this.#renew();
    this.#refusal = error;
    this.#waiting.reject(fromWireError(error));
  }

  #tellRefusal(error: WireError): void {
    this.#channel.postMessage({ type: "refused", error } satisfies TabMessage);
  }

  #setRole(role: "leader" | "follower"): void {
    if (this.#link) this.#drop(this.#link);
    else if (this.#refusal) this.#renew();
    this.#role = role;
    this.onRoleChange(role);
  }

  #untilClosed(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#closing.signal.aborted) resolve();
      else this.#closing.signal.addEventListener("abort", () => resolve(), { once: true });
    });
  }
}
