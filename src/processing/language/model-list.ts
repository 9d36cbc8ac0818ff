/** The models of one provider as one list: those known by name, joined with those that its server has. */

import { AppError } from "../../errors.ts";
import type { LanguageModelInfo, LanguageModelState } from "../../model/language-model.ts";
import { remoteInfo } from "./http-model-info.ts";
import type { RemoteModel } from "./protocols/protocol-adapter.ts";
import type { HttpProvider } from "./providers.ts";
import { findModel } from "./server-listing.ts";

/** A description without a state: whether it can be used is found out. */
export type NamedModel = Omit<LanguageModelInfo, "state">;

/** All of them can't be used, for one reason. */
export function unusable(
  named: readonly NamedModel[],
  local: boolean,
  failure: AppError,
): LanguageModelInfo[] {
  const state: LanguageModelState = failure.code === "unauthorized" ? "needs_key" : "unavailable";
  const reason = [failure.message, failure.hint].filter(Boolean).join(" ");
  return named.map((model) => ({ ...model, local, state, reason }));
}

export interface ListParts {
  provider: HttpProvider;
  named: readonly NamedModel[];
  /** What the server has. */
  remote: readonly RemoteModel[];
  /** The server is on this machine. */
  local: boolean;
  /** Names of models whose context nobody told: the server's word counts. */
  guessed: ReadonlySet<string>;
  /** Names of models whose loading was begun and not finished. */
  begun: ReadonlySet<string>;
}

/** Those known by name, then those that only the server knows. */
export function joinModels(parts: ListParts): LanguageModelInfo[] {
  const { provider, named, local, guessed } = parts;
  const generating = parts.remote.filter((model) => model.generates);
  const seen = new Set<RemoteModel>();
  const infos = named.map((model): LanguageModelInfo => {
    const remote = findModel(generating, model.name);
    if (!remote) return absent(model, parts);
    seen.add(remote);
    const told = guessed.has(model.name) ? undefined : model.contextTokens;
    return present(model, remote, local, told);
  });
  const others = generating.filter((model) => !seen.has(model));
  return [...infos, ...others.map((model) => remoteInfo(provider, model, local))];
}

function present(
  model: NamedModel,
  remote: RemoteModel,
  local: boolean,
  toldContextTokens: number | undefined,
): LanguageModelInfo {
  const staysHere = local && !remote.forwarded;
  const { sizeBytes } = remote;
  return {
    ...model,
    ...(sizeBytes ? { sizeBytes, installedBytes: sizeBytes } : {}),
    // What was told may be less than what the server could hold, never more.
    contextTokens: Math.min(
      toldContextTokens ?? remote.contextTokens ?? model.contextTokens,
      remote.contextTokens ?? model.contextTokens,
    ),
    local: staysHere,
    price: model.price ?? (staysHere ? { inputUsd: 0, outputUsd: 0 } : null),
    state: "ready",
  };
}

function absent(model: NamedModel, { provider, local, begun }: ListParts): LanguageModelInfo {
  // Ollama loads what it doesn't have; other servers have what they have.
  return provider === "ollama"
    ? { ...model, local, state: begun.has(model.name) ? "partial" : "missing" }
    : { ...model, local, state: "unavailable", reason: "The server doesn't list it." };
}
