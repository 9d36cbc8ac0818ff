/** What the text index takes of a memory, and how to tell that it changed. */

import { META } from "../model/memory.ts";
import type { CatalogEntry, IndexRow } from "../storage/memory-store.ts";
import type { TextDocument } from "./semantic-index.ts";

const TOPIC_FIELDS = [META.title, META.speaker, META.recipients, META.source, META.thread] as const;

/** The fields that the text index takes from the catalog. */
export function topicsOf({ metadata }: CatalogEntry): string {
  const values: string[] = [];
  for (const key of TOPIC_FIELDS) {
    const value = metadata[key];
    if (value && !values.includes(value)) values.push(value);
  }
  return values.join("\n");
}

/** FNV-1a, 32 bits and never 0, of what a memory's row in the text index depends on beside its text. */
export function documentMark(entry: CatalogEntry, topics: string = topicsOf(entry)): number {
  let hash = 0x811c9dc5;
  for (const source of [entry.keep, "\n", topics])
    for (let i = 0; i < source.length; i++)
      hash = Math.imul(hash ^ source.charCodeAt(i), 0x01000193) >>> 0;
  return hash || 1;
}

export function toDocument(
  row: IndexRow,
  entry: CatalogEntry,
  topics: string = topicsOf(entry),
): TextDocument {
  const content = row.content ?? "";
  return {
    ordinal: row.ordinal,
    // A summary that is the text itself, or sentences of it, adds nothing to find by but counts words twice.
    summary:
      content === "" ? row.summary : row.summary.trim() === content.trim() ? "" : row.summary,
    entities: row.entities.map((entity) => entity.text).join("\n"),
    topics,
    content,
  };
}
