/**
 * Keeps gists right when members go or come back. A gist loses a member at once and in the same
 * journal frame, without any model: its sentences that nobody else says are taken out. The next
 * `build` writes it anew.
 */

import { encodeProvenance, gistWithout } from "../cognitive/episodes/provenance.ts";
import { AppError } from "../errors.ts";
import { META, isEpisode, type QualityVector } from "../model/memory.ts";
import type { CatalogEntry, MemoryEdit, MemoryStore } from "../storage/memory-store.ts";
import { QUOTES, quotersOf } from "./quoted-sources.ts";
import { EPISODE, episodeTitle, provenanceOf } from "./episode-rows.ts";

/** What else has to change when memories go. */
export interface Departure {
  /** For the frame that forgets them. */
  edits: MemoryEdit[];
  /** Gists that nobody is left of. */
  emptied: string[];
}

/** `invalid_input` for a gist that memories are kept by alone. */
export async function departureOf(store: MemoryStore, ids: readonly string[]): Promise<Departure> {
  const gone = new Set(ids);
  const touched = new Set<string>();
  const edits: MemoryEdit[] = [];
  for (const id of gone) {
    const entry = store.catalog.byId(id);
    if (!entry) continue;
    if (isEpisode(entry)) {
      for (const member of store.catalog.membersOf(id)) {
        if (gone.has(member.id)) continue;
        if (member.keep === "gist") throw keptByGist(entry, store);
        edits.push({ id: member.id, episodeId: null });
      }
    } else if (entry.episodeId !== null && !gone.has(entry.episodeId)) touched.add(entry.episodeId);
  }
  // What they left to be said by a memory that goes, they say themselves again, while they can.
  const liftable = new Set(store.fading().map(({ entry }) => entry.id));
  for (const quoter of quotersOf(store, gone))
    edits.push({
      id: quoter.id,
      metadata: { [QUOTES]: null },
      ...(liftable.has(quoter.id) ? { lift: true } : {}),
    });
  const emptied: string[] = [];
  for (const episodeId of touched) {
    const row = store.catalog.byId(episodeId);
    if (!row) continue;
    const left = store.catalog.membersOf(episodeId).filter(({ id }) => !gone.has(id));
    if (left.length === 0) emptied.push(episodeId);
    else edits.push(await editWithout(store, row, left, gone));
  }
  return { edits, emptied };
}

function keptByGist(row: CatalogEntry, store: MemoryStore): AppError {
  const count = store.catalog.membersOf(row.id).filter(({ keep }) => keep === "gist").length;
  return new AppError(
    "invalid_input",
    `“${row.metadata[META.title] ?? row.id}” is the gist by which alone ${count} memories are kept.`,
    { hint: "Forget those memories; the gist goes with the last of them." },
  );
}

/** The edit that takes members out of a gist. @param left members that stay, by time */
export async function editWithout(
  store: MemoryStore,
  row: CatalogEntry,
  left: readonly CatalogEntry[],
  gone: ReadonlySet<string>,
): Promise<MemoryEdit> {
  const [gist] = await store.getSummaries([row.ordinal]);
  const ordinals = left.map(({ ordinal }) => ordinal);
  const contents = await store.getContents(ordinals);
  const summaries = await store.getSummaries(ordinals);
  const without = gistWithout(
    { text: gist!.summary, entities: gist!.entities, provenance: provenanceOf(row) },
    gone,
    left.map((_, i) => contents[i] ?? summaries[i]!.summary),
  );
  return {
    id: row.id,
    timestamp: left[0]!.timestamp,
    metadata: {
      [META.title]: episodeTitle(left),
      [EPISODE.sources]: encodeProvenance(without.provenance),
      [EPISODE.stale]: "1",
    },
    quality: unmeasured(row.quality),
    text: {
      summary: without.text,
      entities: without.entities,
      mode: row.mode,
      model: row.model,
      // It was made of what went, too.
      embedding: null,
    },
  };
}

/** Sentences were only taken out: what is left is supported as before; how much of the rest it keeps isn't known. */
function unmeasured({ faithfulness }: QualityVector): QualityVector {
  return { similarity: null, coverage: null, entityRecall: 0, numberRecall: 0, faithfulness };
}

/**
 * After memories were restored: gists that came back with them lose what is still forgotten, the
 * others are marked as out of date.
 */
export async function welcomeBack(store: MemoryStore, ids: readonly string[]): Promise<void> {
  const needed = new Set<string>();
  for (const id of ids) {
    const entry = store.catalog.byId(id);
    if (entry?.episodeId && entry.keep === "gist" && !store.catalog.byId(entry.episodeId))
      needed.add(entry.episodeId);
  }
  const restored = needed.size === 0 ? [] : await store.restore([...needed]);
  const touched = new Set([
    ...restored,
    ...ids.flatMap((id) => store.catalog.byId(id)?.episodeId ?? []),
  ]);
  const edits: MemoryEdit[] = [];
  for (const episodeId of touched) {
    const row = store.catalog.byId(episodeId);
    if (!row) continue;
    const members = store.catalog.membersOf(episodeId);
    const present = new Set(members.map(({ id }) => id));
    const absent = new Set(
      provenanceOf(row)
        .flat()
        .filter((id) => !present.has(id)),
    );
    if (absent.size > 0 && members.length > 0)
      edits.push(await editWithout(store, row, members, absent));
    else edits.push({ id: row.id, metadata: { [EPISODE.stale]: "1" } });
  }
  await store.commit({ edits });
}
