/** A catalog entry and its summary as the light view that lists and hits show. */

import type { Entity } from "../model/memory.ts";
import type { MemoryView } from "../model/query.ts";
import type { CatalogEntry } from "../storage/memory-store.ts";

/** Field by field: many times faster than leaving the others out of a copy. */
export function toMemoryView(
  entry: CatalogEntry,
  text: { summary: string; entities: Entity[] },
): MemoryView {
  return {
    id: entry.id,
    timestamp: entry.timestamp,
    recordedAt: entry.recordedAt,
    activation: entry.activation,
    userId: entry.userId,
    keep: entry.keep,
    previousId: entry.previousId,
    nextId: entry.nextId,
    episodeId: entry.episodeId,
    supersedes: entry.supersedes,
    supersededBy: entry.supersededBy,
    validFrom: entry.validFrom,
    validTo: entry.validTo,
    contentSha256: entry.contentSha256,
    originalBytes: entry.originalBytes,
    storedBytes: entry.storedBytes,
    mode: entry.mode,
    model: entry.model,
    embedded: entry.embedded,
    embeddingModel: entry.embeddingModel,
    metadata: { ...entry.metadata },
    quality: { ...entry.quality },
    summary: text.summary,
    entities: text.entities,
  };
}
