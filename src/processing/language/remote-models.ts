/** The models that a server itself says it has: Ollama's with their details, an OpenAI-compatible server's list. */

import PQueue from "p-queue";
import { toError } from "../../errors.ts";
import type { HttpTransport } from "../../ports/http.ts";
import type { Connection } from "./answering.ts";
import { CallDeadline } from "./call-deadline.ts";
import { requestJson, type ExchangeParts } from "./exchange.ts";
import { ollamaDetails } from "./protocols/ollama.ts";
import type { ProtocolRequest, RemoteModel } from "./protocols/protocol-adapter.ts";
import { ProviderError } from "./provider-error.ts";
import { PROVIDER_TRAITS, type HttpProvider } from "./providers.ts";

/** A list is asked for often (every look at the models); a server that is off must not hold it up. */
const LIST_TIMEOUT_MS = 5_000;
const DETAILS_AT_ONCE = 4;

export interface RemoteModelsParts {
  provider: HttpProvider;
  connection: Connection;
  transport: HttpTransport;
  signal?: AbortSignal;
  nowMs?: () => number;
  /** What `/api/show` said, by digest: a model that didn't change isn't asked for again. */
  details?: Map<string, Partial<RemoteModel>>;
}

/**
 * Asks the server. Empty for protocols without a list. Failures are those of a call: `network`,
 * `unauthorized`, `model_failed`.
 */
export async function listRemoteModels(parts: RemoteModelsParts): Promise<RemoteModel[]> {
  const { provider } = parts;
  const { models } = PROVIDER_TRAITS[provider].adapter("");
  if (!models) return [];
  return askServer(parts, "its models", async (ask) => {
    const found = models.read(await ask(models.request));
    if (provider !== "ollama") return found;
    const known = parts.details ?? new Map<string, Partial<RemoteModel>>();
    const queue = new PQueue({ concurrency: DETAILS_AT_ONCE });
    return queue.addAll(
      found.map((model) => async () => {
        const key = model.digest ?? model.name;
        let details = known.get(key);
        if (!details) {
          // An older server has no such page: the list alone will do.
          details = await ask(ollamaDetails.request(model.name)).then(
            (body) => ollamaDetails.read(body),
            () => ({}),
          );
          known.set(key, details);
        }
        return { ...model, ...details };
      }),
    );
  });
}

/** One short conversation with a server beside the generating calls. */
export async function askServer<T>(
  parts: RemoteModelsParts,
  model: string,
  work: (ask: (request: ProtocolRequest) => Promise<unknown>) => Promise<T>,
): Promise<T> {
  const { provider, connection, transport } = parts;
  const { title, adapter } = PROVIDER_TRAITS[provider];
  const { host } = new URL(connection.baseUrl);
  const totalMs = Math.min(LIST_TIMEOUT_MS, connection.timeouts.totalMs);
  const deadline = new CallDeadline(
    parts.signal,
    totalMs,
    () =>
      new ProviderError("network", `${title} (${host}) didn't answer within ${totalMs} ms.`, {
        hint: "Check the address and that the server runs.",
        retryable: true,
      }),
  );
  const exchange: ExchangeParts = {
    transport,
    adapter: adapter(""),
    baseUrl: connection.baseUrl,
    origin: { provider: title, host, model, key: connection.key },
    timeouts: { ...connection.timeouts, totalMs },
    deadline,
    nowMs: parts.nowMs ?? Date.now,
  };
  try {
    return await work((request) => requestJson(exchange, request));
  } catch (error) {
    throw toError(deadline.explain(error));
  } finally {
    deadline.close();
  }
}
