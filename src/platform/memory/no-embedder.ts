/** The embedder of a machine without weights: nothing is embedded, search works by words. */

import type { EmbedderProvider, ModelState } from "../../ports/embedder.ts";

const STATE: ModelState = {
  name: "none",
  state: "missing",
  sizeBytes: 0,
  installedBytes: 0,
  licence: "",
};

export const noEmbedder: EmbedderProvider = {
  load: () => Promise.resolve(null),
  state: () => Promise.resolve(STATE),
};
