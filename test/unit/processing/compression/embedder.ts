/** The real embedding model in Node, or null where its weights are not installed (`npm run setup`). */

import { NodeEmbedderProvider } from "../../../../src/platform/node/ort-embedder.ts";
import { TextEmbedder } from "../../../../src/processing/embedding/text-embedder.ts";

export async function loadEmbedder(): Promise<TextEmbedder | null> {
  const embedder = await new NodeEmbedderProvider({ threads: 1 }).load();
  if (!embedder)
    console.warn("SKIPPED: the embedding weights are not installed; run `npm run setup`.");
  return embedder && new TextEmbedder(embedder);
}
