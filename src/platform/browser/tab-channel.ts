/**
 * Messages between tabs over one `BroadcastChannel`, and a Comlink endpoint on top of it.
 *
 * The channel reaches every tab, so each message is addressed: to a tab, to the leader's epoch, or
 * to all. Values are cloned, not transferred: a BroadcastChannel can't carry ports.
 */

import type { Endpoint } from "comlink";
import type { WireError } from "../../errors.ts";

export type TabMessage =
  | { type: "hello"; from: string }
  | { type: "bye"; from: string }
  | { type: "leader"; epoch: string }
  /** The leading tab has no worker and starts none. */
  | { type: "refused"; error: WireError }
  /** `pulse`: the sender is a tab that holds its lock for as long as it lives. */
  | { type: "rpc"; from: string; to: string; data: unknown; pulse?: true }
  | { type: "notify"; to: string; data: unknown };

/** Addressed to every tab. */
export const EVERYONE = "*";

export function tabChannelName(storeName: string): string {
  return `llm-compression:${storeName}`;
}

export function leaderLockName(storeName: string): string {
  return `llm-compression:leader:${storeName}`;
}

/** Held by a worker for as long as it lives; whoever is granted it knows that the worker ended. */
export function workerLockName(epoch: string): string {
  return `llm-compression:worker:${epoch}`;
}

/** Held by a tab that follows, for as long as it lives: one that crashes says no "bye". */
export function tabLockName(tabId: string): string {
  return `llm-compression:tab:${tabId}`;
}

/** One side of a conversation between two addresses, in the form that Comlink expects. */
export class ChannelEndpoint extends EventTarget implements Endpoint {
  readonly #channel: BroadcastChannel;
  readonly #self: string;
  readonly #peer: string;
  readonly #onMessage = (event: MessageEvent<TabMessage>): void => this.receive(event.data);

  readonly #pulse: { pulse?: true };

  /** @param pulse whether this side is a tab that holds its lock */
  constructor(channel: BroadcastChannel, self: string, peer: string, pulse = false) {
    super();
    this.#channel = channel;
    this.#self = self;
    this.#peer = peer;
    this.#pulse = pulse ? { pulse } : {};
    channel.addEventListener("message", this.#onMessage);
  }

  postMessage(data: unknown): void {
    this.#channel.postMessage({
      type: "rpc",
      from: this.#self,
      to: this.#peer,
      data,
      ...this.#pulse,
    });
  }

  /** Hands in a message that arrived before this endpoint listened. */
  receive(message: TabMessage): void {
    if (message.type !== "rpc" || message.to !== this.#self || message.from !== this.#peer) return;
    this.dispatchEvent(new MessageEvent("message", { data: message.data }));
  }

  start(): void {
    // Comlink starts ports that queue; a BroadcastChannel delivers at once.
  }

  close(): void {
    this.#channel.removeEventListener("message", this.#onMessage);
  }
}
