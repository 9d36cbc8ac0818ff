/** What an episode's members say, as far as it is kept: what its gist is made of and measured against. */

import type { MemberText } from "../cognitive/episodes/episode-text.ts";
import { saidBy } from "../cognitive/episodes/provenance.ts";
import { contentKind, META, type ContentKind } from "../model/memory.ts";
import type { CatalogEntry, MemoryStore } from "../storage/memory-store.ts";
import { provenanceOf } from "./episode-rows.ts";

export interface MemberRead {
  entry: CatalogEntry;
  /** Null where it faded. */
  content: string | null;
  summary: string;
}

export async function readMembers(
  store: MemoryStore,
  members: readonly CatalogEntry[],
): Promise<MemberRead[]> {
  const ordinals = members.map(({ ordinal }) => ordinal);
  const contents = await store.getContents(ordinals);
  const summaries = await store.getSummaries(ordinals);
  return members.map((entry, i) => ({
    entry,
    content: contents[i] ?? null,
    summary: summaries[i]!.summary,
  }));
}

/** What there is of each member: its text, its summary, or what the gist so far says of it. */
export function memberTexts(
  members: readonly MemberRead[],
  gist: { row: CatalogEntry; summary: string } | null,
): MemberText[] {
  const ofGist = new Map<string, string[]>();
  if (gist) {
    for (const { sentence, ids } of saidBy(gist.summary, provenanceOf(gist.row)))
      for (const id of ids) ofGist.set(id, [...(ofGist.get(id) ?? []), sentence]);
  }
  return members.map(({ entry, content, summary }) => ({
    id: entry.id,
    text: content ?? (summary || (ofGist.get(entry.id) ?? []).join(" ")),
    speaker: entry.metadata[META.speaker] ?? null,
    mayQuote: entry.metadata[META.kind] === "mail",
  }));
}

/** The kind that most members are of. */
export function commonKind(members: readonly CatalogEntry[]): ContentKind | undefined {
  const counts = new Map<ContentKind, number>();
  for (const { metadata } of members) {
    const kind = contentKind(metadata[META.kind]);
    if (kind) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  return [...counts].sort((a, b) => b[1] - a[1])[0]?.[0];
}
