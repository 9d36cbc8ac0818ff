/**
 * Models on an Ollama server: loading one from its library with progress, deleting one. The server
 * does the loading and keeps what arrived: a call that was cancelled is continued by the next one.
 */

import { AppError } from "../../errors.ts";
import type { InstallProgress } from "../../ports/language-model.ts";
import { requestDocuments, requestNothing } from "./exchange.ts";
import { ollamaDelete, ollamaPull, type PullStep } from "./protocols/ollama-models.ts";
import { excerpt } from "./protocols/protocol-adapter.ts";
import { ProviderError, type Origin } from "./provider-error.ts";
import { redact } from "./redaction.ts";
import { talkToServer, type ServerParts } from "./server-talk.ts";

/** Large models over slow lines take hours; a silence ends it long before. */
const PULL_TIMEOUT_MS = 24 * 3_600_000;
const DELETE_TIMEOUT_MS = 30_000;

/**
 * Loads a model onto the server. Cancelling ends the loading there, too; what arrived stays.
 * `model_missing` for a name that the library doesn't have, `storage_full` when the server's disk is,
 * `network` when the server lost its library or we the server.
 */
export async function pullModel(
  parts: ServerParts,
  name: string,
  onProgress?: (progress: InstallProgress) => void,
): Promise<void> {
  const layers = new Map<string, { totalBytes: number; doneBytes: number }>();
  let succeeded = false;
  await talkToServer(parts, { subject: name, totalMs: PULL_TIMEOUT_MS }, async (exchange) => {
    const receive = (step: PullStep): void => {
      if (step.error) throw pullFailure(exchange.origin, step.error);
      if (step.status === "success") succeeded = true;
      if (!step.layer) return;
      layers.set(step.layer.digest, step.layer);
      // Layers become known one by one: the total grows with them.
      const progress = { doneBytes: 0, totalBytes: 0 };
      for (const { totalBytes, doneBytes } of layers.values()) {
        progress.totalBytes += totalBytes;
        progress.doneBytes += doneBytes;
      }
      onProgress?.(progress);
    };
    try {
      await requestDocuments(exchange, ollamaPull.request(name), (body) =>
        receive(ollamaPull.read(body)),
      );
    } catch (error) {
      // Before the first step the server refuses with a status, in the same words.
      throw error instanceof ProviderError && error.status !== undefined
        ? pullFailure(exchange.origin, error.message)
        : error;
    }
    if (!succeeded)
      throw new ProviderError(
        "network",
        `${who(exchange.origin)} stopped loading ${name} before the end.`,
        { hint: "Install it again: what arrived is kept.", retryable: true },
      );
  });
}

/** Deletes a model from the server. `not_found` when it isn't there. */
export async function deleteModel(parts: ServerParts, name: string): Promise<void> {
  await talkToServer(parts, { subject: name, totalMs: DELETE_TIMEOUT_MS }, async (exchange) => {
    try {
      await requestNothing(exchange, ollamaDelete.request(name));
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== "model_missing") throw error;
      throw new AppError("not_found", `${who(exchange.origin)} has no model “${name}”.`, {
        hint: "It may have been removed already; look at the list again.",
      });
    }
  });
}

function who({ provider, host }: Origin): string {
  return `${provider} (${host})`;
}

/** The server's words about why it can't load a model. */
function pullFailure(origin: Origin, words: string): ProviderError {
  const { model } = origin;
  const said = redact(excerpt(words, 300), [origin.key]);
  if (/no space left|disk quota|not enough space/i.test(words))
    return new ProviderError(
      "storage_full",
      `${who(origin)} has no room for ${model}: “${said}”.`,
      {
        hint: "Make room on the server's disk, then install it again: what arrived is kept.",
      },
    );
  if (/file does not exist|not found|invalid model name/i.test(words))
    return new ProviderError("model_missing", `Ollama's library has no “${model}”: “${said}”.`, {
      hint: "Check the name and its tag (name:tag) in the library.",
    });
  if (/newer version of ollama|requires a newer version/i.test(words))
    return new ProviderError(
      "unsupported_version",
      `${who(origin)} is too old for ${model}: “${said}”.`,
      {
        hint: "Update Ollama on that machine, then install the model again.",
      },
    );
  return new ProviderError("network", `${who(origin)} couldn't load ${model}: “${said}”.`, {
    hint: "Install it again: what arrived is kept. Is that machine online?",
    retryable: true,
  });
}
