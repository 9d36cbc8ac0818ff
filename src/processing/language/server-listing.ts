/** What a server says of its models, kept for a moment: the list is looked at more often than it changes. */

import { isAbortError, toError, type AppError } from "../../errors.ts";
import type { Clock } from "../../ports/clock.ts";
import type { HttpTransport } from "../../ports/http.ts";
import type { Connection } from "./answering.ts";
import type { RemoteModel } from "./protocols/protocol-adapter.ts";
import type { HttpProvider } from "./providers.ts";
import { listRemoteModels } from "./remote-models.ts";

const FRESH_MS = 15_000;
const UNREACHABLE_FRESH_MS = 3_000;

export interface Listing {
  models: RemoteModel[];
  /** Why there is none. */
  error: AppError | null;
}

export class ServerListing {
  readonly #provider: HttpProvider;
  readonly #transport: HttpTransport;
  readonly #clock: Clock;
  readonly #details = new Map<string, Partial<RemoteModel>>();
  #known: { address: string; until: number; listing: Listing } | null = null;
  #asking: { address: string; answer: Promise<Listing> } | null = null;

  constructor(provider: HttpProvider, transport: HttpTransport, clock: Clock) {
    this.#provider = provider;
    this.#transport = transport;
    this.#clock = clock;
  }

  /** From a moment ago where that will do; an error is part of the answer. */
  async ask(connection: Connection): Promise<Listing> {
    const address = `${connection.baseUrl} ${connection.key ?? ""}`;
    const known = this.#known;
    if (known?.address === address && known.until > this.#clock.elapsed()) return known.listing;
    // Another address or key may have been set while the old one was being asked.
    if (this.#asking?.address === address) return this.#asking.answer;
    const answer = this.#askNow(connection, address).finally(() => {
      if (this.#asking?.answer === answer) this.#asking = null;
    });
    this.#asking = { address, answer };
    return answer;
  }

  /** The next look asks again. */
  forget(): void {
    this.#known = null;
    this.#asking = null;
  }

  async #askNow(connection: Connection, address: string): Promise<Listing> {
    const listing: Listing = { models: [], error: null };
    try {
      listing.models = await listRemoteModels({
        provider: this.#provider,
        connection,
        transport: this.#transport,
        details: this.#details,
        nowMs: () => this.#clock.now(),
      });
    } catch (cause) {
      if (isAbortError(cause)) throw cause;
      listing.error = toError(cause) as AppError;
    }
    const freshMs = listing.error ? UNREACHABLE_FRESH_MS : FRESH_MS;
    this.#known = { address, listing, until: this.#clock.elapsed() + freshMs };
    return listing;
  }
}

/** The model of that name; one without a tag is its `latest`. */
export function findModel(models: readonly RemoteModel[], name: string): RemoteModel | undefined {
  return (
    models.find((model) => model.name === name) ??
    models.find((model) => model.name === `${name}:latest`)
  );
}
