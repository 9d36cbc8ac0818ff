/** Gives vectors to memories that were stored without a model, and measures their summaries with it. */

import { AppError } from "../errors.ts";
import { contentKind, META } from "../model/memory.ts";
import { checkpoint, type TaskOptions } from "../model/task-control.ts";
import { quantizeVector } from "../model/vector.ts";
import type { CatalogEntry } from "../storage/memory-store.ts";
import type { IngestDeps } from "./ingest.ts";

const GROUP_ITEMS = 32;

/**
 * Embeds what has no vector yet, or one of another model, newest first. Returns how many. Rejects
 * with `model_missing` while no model is installed; what was done stays done when it is cancelled.
 */
export async function embedMissing(deps: IngestDeps, options: TaskOptions): Promise<number> {
  const { store } = deps;
  const { compressor, embeddingModel } = await deps.compressor(true);
  if (embeddingModel === null)
    throw new AppError("model_missing", "No embedding model is installed.", {
      hint: "Install it in Settings, or run `npm run setup`.",
    });
  const pending = [...store.catalog.entries()]
    // Of what is kept as its episode's gist nothing is left to embed.
    .filter((entry) => entry.keep !== "gist")
    .filter((entry) => !entry.embedded || entry.embeddingModel !== embeddingModel)
    .sort((a, b) => b.timestamp - a.timestamp);
  let done = 0;
  let embeddedCount = 0;
  for (let start = 0; start < pending.length; start += GROUP_ITEMS) {
    await checkpoint(options);
    // Some may have been forgotten since the list was made.
    const group = pending
      .slice(start, start + GROUP_ITEMS)
      .filter((entry) => store.catalog.byId(entry.id) !== undefined);
    const { readable, texts } = await textsOf(deps, group);
    const measured = await compressor.embedAll(
      texts,
      options.signal ? { signal: options.signal } : {},
    );
    const updates = readable.flatMap((entry, position) => {
      const { vector, quality } = measured[position]!;
      return vector === null
        ? []
        : [{ id: entry.id, embedding: quantizeVector(vector), ...(quality ? { quality } : {}) }];
    });
    await deps.exclusively(() =>
      // Forgotten while they were embedded.
      store.setEmbeddings(
        updates.filter(({ id }) => store.catalog.byId(id) !== undefined),
        embeddingModel,
      ),
    );
    done += group.length;
    embeddedCount += updates.length;
    options.onProgress?.({ stage: "Embedding", done, total: pending.length });
  }
  return embeddedCount;
}

/**
 * The exact text with its summary; the summary alone where the text has faded (nothing to compare it
 * with). What can't be read is left out: a vector of no text, or of another, would be found for good.
 */
async function textsOf(deps: IngestDeps, group: readonly CatalogEntry[]) {
  const ordinals = group.map((entry) => entry.ordinal);
  // Asked for at once: between two questions a memory may be forgotten.
  const [contents, summaries] = await Promise.all([
    deps.store.getContents(ordinals),
    deps.store.getSummaries(ordinals),
  ]);
  const readable: CatalogEntry[] = [];
  const texts = group.flatMap((entry, position) => {
    const { summary, entities } = summaries[position]!;
    const text = contents[position] ?? null;
    if (entry.keep === "exact" ? text === null : summary === "") return [];
    readable.push(entry);
    const kind = contentKind(entry.metadata[META.kind]);
    return {
      text: text ?? summary,
      written: text === null ? null : { summary, entities },
      ...(kind === undefined ? {} : { kind }),
    };
  });
  return { readable, texts };
}
