/** Conversations with a server beside the generating calls: about its models, not with them. */

import { toError } from "../../errors.ts";
import type { HttpTransport } from "../../ports/http.ts";
import type { Connection } from "./answering.ts";
import { CallDeadline } from "./call-deadline.ts";
import type { ExchangeParts } from "./exchange.ts";
import { ProviderError } from "./provider-error.ts";
import { PROVIDER_TRAITS, type HttpProvider } from "./providers.ts";

export interface ServerParts {
  provider: HttpProvider;
  connection: Connection;
  transport: HttpTransport;
  signal?: AbortSignal | undefined;
  nowMs?: () => number;
}

/**
 * One conversation, within a time, outside of limits and breaker. Failures are those of a call:
 * `network`, `unauthorized`, `model_failed`; `AbortError` when the signal fires.
 */
export async function talkToServer<T>(
  parts: ServerParts,
  /** `subject`: what it is about, in messages. */
  { subject, totalMs }: { subject: string; totalMs: number },
  work: (exchange: ExchangeParts) => Promise<T>,
): Promise<T> {
  const { provider, connection, transport } = parts;
  const { title, adapter } = PROVIDER_TRAITS[provider];
  const { host } = new URL(connection.baseUrl);
  const deadline = new CallDeadline(
    parts.signal,
    totalMs,
    () =>
      new ProviderError("network", `${title} (${host}) didn't answer within ${totalMs} ms.`, {
        hint: "Check the address and that the server runs.",
        retryable: true,
      }),
  );
  try {
    return await work({
      transport,
      adapter: adapter(""),
      baseUrl: connection.baseUrl,
      origin: { provider: title, host, model: subject, key: connection.key },
      timeouts: { ...connection.timeouts, totalMs },
      deadline,
      nowMs: parts.nowMs ?? Date.now,
    });
  } catch (error) {
    throw toError(deadline.explain(error));
  } finally {
    deadline.close();
  }
}
