/** A catalog entry and its summary as the light view that lists and hits show. */

import type { Entity } from "../model/memory.ts";
import type { MemoryView } from "../model/query.ts";
import type { CatalogEntry } from "../storage/memory-store.ts";

export function toMemoryView(
  entry: CatalogEntry,
  text: { summary: string; entities: Entity[] },
): MemoryView {
  const fields: Omit<CatalogEntry, "ordinal"> & { ordinal?: number } = { ...entry };
  delete fields.ordinal;
  return {
    ...fields,
    metadata: { ...entry.metadata },
    quality: { ...entry.quality },
    summary: text.summary,
    entities: text.entities,
  };
}
