/** The models that a server itself says it has: Ollama's with their details, an OpenAI-compatible server's list. */

import PQueue from "p-queue";
import { ollamaDetails } from "./protocols/ollama-models.ts";
import type { RemoteModel } from "./protocols/protocol-adapter.ts";
import { PROVIDER_TRAITS } from "./providers.ts";
import { requestJson } from "./exchange.ts";
import { talkToServer, type ServerParts } from "./server-talk.ts";

/** A list is asked for often (every look at the models); a server that is off must not hold it up. */
const LIST_TIMEOUT_MS = 5_000;
const DETAILS_AT_ONCE = 4;

export interface RemoteModelsParts extends ServerParts {
  /** What `/api/show` said, by digest: a model that didn't change isn't asked for again. */
  details?: Map<string, Partial<RemoteModel>>;
}

/**
 * Asks the server. Empty for protocols without a list. Failures are those of a call: `network`,
 * `unauthorized`, `model_failed`.
 */
export async function listRemoteModels(parts: RemoteModelsParts): Promise<RemoteModel[]> {
  const { provider, connection } = parts;
  const { models } = PROVIDER_TRAITS[provider].adapter("");
  if (!models) return [];
  const totalMs = Math.min(LIST_TIMEOUT_MS, connection.timeouts.totalMs);
  return talkToServer(parts, { subject: "its models", totalMs }, async (exchange) => {
    const found = models.read(await requestJson(exchange, models.request));
    if (provider !== "ollama") return found;
    const known = parts.details ?? new Map<string, Partial<RemoteModel>>();
    const queue = new PQueue({ concurrency: DETAILS_AT_ONCE });
    return queue.addAll(
      found.map((model) => async () => {
        const key = model.digest ?? model.name;
        let details = known.get(key);
        if (!details)
          try {
            const body = await requestJson(exchange, ollamaDetails.request(model.name));
            known.set(key, (details = ollamaDetails.read(body)));
          } catch {
            // An older server has no such page, a busy one may answer next time: the list alone will do.
          }
        return { ...model, ...details };
      }),
    );
  });
}
