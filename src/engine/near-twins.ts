/**
 * Near-identical notes point at their twin, the earliest of their episode, by metadata: a pointer
 * only, every note keeps its own text. When the twin goes, the next earliest takes its place in the
 * same frame; nothing has to be copied.
 */

import { differenceFrom } from "../cognitive/episodes/difference.ts";
import type { Basis } from "../cognitive/episodes/grouping.ts";
import type { MemberTwin } from "../model/episode.ts";
import type { CatalogEntry, MemoryEdit, MemoryStore } from "../storage/memory-store.ts";

/** Metadata key: id of the memory that this one is nearly identical to. */
export const SAME_AS = "same_as";

/** Edits that make the pointers right. @param members of one episode, by time */
export function twinEdits(basis: Basis, members: readonly CatalogEntry[]): MemoryEdit[] {
  const twin = basis === "near-identical" ? members[0]?.id : undefined;
  return members.flatMap(({ id, metadata }): MemoryEdit[] => {
    const wanted = id === twin ? undefined : twin;
    return metadata[SAME_AS] === wanted ? [] : [{ id, metadata: { [SAME_AS]: wanted ?? null } }];
  });
}

/** For those whose texts are both kept, how they differ. @param members by time */
export async function describeTwins(
  store: MemoryStore,
  members: readonly CatalogEntry[],
): Promise<MemberTwin[]> {
  const pointing = members.filter(({ metadata }) => metadata[SAME_AS] !== undefined);
  if (pointing.length === 0) return [];
  const contents = await store.getContents(members.map(({ ordinal }) => ordinal));
  const textOf = new Map(members.map(({ id }, i) => [id, contents[i] ?? null]));
  return pointing.map(({ id, metadata }): MemberTwin => {
    const sameAs = metadata[SAME_AS]!;
    const [text, twin] = [textOf.get(id), textOf.get(sameAs)];
    return { id, sameAs, difference: text && twin ? differenceFrom(twin, text) : null };
  });
}
