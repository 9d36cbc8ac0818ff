/**
 * An episode as it is stored: the row of its gist, and how that row reads. What the row says about
 * sizes and times is taken from the members that are there now.
 */

import { decodeProvenance, type Provenance } from "../cognitive/episodes/provenance.ts";
import type { Basis } from "../cognitive/episodes/grouping.ts";
import { speakerLabel } from "../cognitive/episodes/episode-text.ts";
import { META, type Entity } from "../model/memory.ts";
import type { EpisodeView } from "../model/episode.ts";
import { shownDay } from "../model/wall-clock.ts";
import type { CatalogEntry } from "../storage/memory-store.ts";

/** Metadata keys of a gist's row, beside `META.title`. */
export const EPISODE = {
  basis: "basis",
  /** `encodeProvenance`. */
  sources: "sentence_sources",
  /** Set when members went or came back since the gist was written. */
  stale: "stale",
} as const;

const BASES: Record<Basis, string> = {
  "near-identical": "Near-identical notes",
  thread: "One thread",
  document: "One document",
  list: "One mailing list",
  sitting: "Written in one go",
  meaning: "About the same",
};

export function basisOf(row: CatalogEntry): Basis {
  const basis = row.metadata[EPISODE.basis] ?? "";
  return basis in BASES ? (basis as Basis) : "meaning";
}

export function provenanceOf(row: CatalogEntry): Provenance {
  return decodeProvenance(row.metadata[EPISODE.sources]);
}

export function isStale(row: CatalogEntry): boolean {
  return row.metadata[EPISODE.stale] !== undefined;
}

/** What the members are called, else who speaks and when. */
export function episodeTitle(members: readonly CatalogEntry[]): string {
  const counts = new Map<string, number>();
  const speakers = new Set<string>();
  for (const { metadata } of members) {
    const title = (metadata[META.title] ?? "")
      .replace(/^(?:(?:re|fwd?|aw|wg)\s*:\s*)+/i, "")
      .trim();
    if (title !== "") counts.set(title, (counts.get(title) ?? 0) + 1);
    const speaker = speakerLabel(metadata[META.speaker]);
    if (speaker !== null) speakers.add(speaker);
  }
  const [title, count] = [...counts].sort((a, b) => b[1] - a[1])[0] ?? ["", 0];
  const first = shownDay(members[0]!.timestamp);
  const last = shownDay(members.at(-1)!.timestamp);
  const when = first === last ? first : `${first} to ${last}`;
  if (count * 2 > members.length) return title;
  const names = [...speakers];
  const who =
    names.length === 0
      ? `${members.length} texts`
      : names.length <= 3
        ? names.join(", ")
        : `${names.slice(0, 2).join(", ")} and ${names.length - 2} others`;
  return `${who}, ${when}`;
}

export function episodeView(
  row: CatalogEntry,
  members: readonly CatalogEntry[],
  text: { summary: string; entities: Entity[] },
): EpisodeView {
  return {
    id: row.id,
    title: row.metadata[META.title] ?? "",
    basis: BASES[basisOf(row)],
    memberCount: members.length,
    startsAt: members[0]?.timestamp ?? row.timestamp,
    endsAt: members.at(-1)?.timestamp ?? row.timestamp,
    gist: text.summary,
    entities: text.entities,
    quality: { ...row.quality },
    originalBytes: members.reduce((sum, member) => sum + member.originalBytes, 0),
    gistBytes: row.storedBytes,
    model: row.model,
    stale: isStale(row),
  };
}
