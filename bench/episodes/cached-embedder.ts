/** The engine's embedding model with vectors kept under `.cache/bench`: a second run measures episodes, not inference. */

import type { EmbedderProvider } from "../../src/ports/embedder.ts";
import type { EmbeddingCache } from "../search/embeddings.ts";

export function cachedProvider(cache: EmbeddingCache): EmbedderProvider {
  return {
    load: async () => ({
      info: cache.embedder.info,
      embed: async (texts) => {
        const vectors = await cache.embed(texts);
        return vectors.map((vector) => vector!.slice());
      },
      countTokens: (text) => cache.embedder.countTokens(text),
      // The benchmark closes it: engines of several kinds of text use it in turn.
      close: async () => undefined,
    }),
    state: async () => ({
      name: cache.embedder.info.id,
      state: "loaded",
      sizeBytes: 0,
      installedBytes: 0,
      licence: "Apache-2.0",
    }),
  };
}
