/**
 * The library behind a stand-in Ollama server: models in layers that are pulled one after the other.
 * What arrived of a layer stays when the client goes away, and the next pull continues there.
 */

import type { OllamaModel } from "./ollama.ts";

export interface LibraryModel extends OllamaModel {
  layers: { digest: string; sizeBytes: number }[];
  /** Instead of its end: an error in the server's words, or "" to end without one. */
  failure?: string;
}

/** Reports of progress for each layer. */
const STEPS = 10;
const STEP_MS = 4;

export class OllamaLibrary {
  readonly #models: readonly LibraryModel[];
  readonly #arrived = new Map<string, number>();

  constructor(models: readonly LibraryModel[]) {
    this.#models = models;
  }

  /** The lines of one pull. */
  async *pull(
    name: string,
    gone: AbortSignal,
    installed: (model: OllamaModel) => void,
  ): AsyncGenerator<Record<string, unknown>> {
    yield { status: "pulling manifest" };
    const model = this.#models.find((one) => one.name === name || one.name === `${name}:latest`);
    if (!model) {
      yield { error: "pull model manifest: file does not exist" };
      return;
    }
    for (const { digest, sizeBytes } of model.layers) {
      const status = `pulling ${digest.slice(7, 19)}`;
      let done = this.#arrived.get(digest) ?? 0;
      // The first report of a layer has no `completed` yet.
      yield { status, digest, total: sizeBytes, ...(done > 0 ? { completed: done } : {}) };
      while (done < sizeBytes) {
        await new Promise((resolve) => setTimeout(resolve, STEP_MS));
        if (gone.aborted) return;
        done = Math.min(sizeBytes, done + Math.ceil(sizeBytes / STEPS));
        this.#arrived.set(digest, done);
        yield { status, digest, total: sizeBytes, completed: done };
      }
    }
    if (model.failure !== undefined) {
      if (model.failure !== "") yield { error: model.failure };
      return;
    }
    yield { status: "verifying sha256 digest" };
    yield { status: "writing manifest" };
    installed(model);
    yield { status: "success" };
  }
}
