/** A catalog entry and its summary as the light view that lists and hits show. */

import type { Entity } from "../model/memory.ts";
import type { MemoryView } from "../model/query.ts";
import type { CatalogEntry } from "../storage/memory-store.ts";

export function toMemoryView(
  entry: CatalogEntry,
  text: { summary: string; entities: Entity[] },
): MemoryView {
  const { ordinal: _ordinal, metadata, quality, ...fields } = entry;
  return {
    ...fields,
    metadata: { ...metadata },
    quality: { ...quality },
    summary: text.summary,
    entities: text.entities,
  };
}
