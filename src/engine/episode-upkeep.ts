/**
 * Keeps gists right when members go or come back. A gist loses a member at once and in the same
 * journal frame, without any model: its sentences that nobody else says are taken out. The next
 * `build` writes it anew.
 */

import { joinMembers } from "../cognitive/episodes/episode-text.ts";
import { encodeProvenance, gistWithout } from "../cognitive/episodes/provenance.ts";
import { AppError } from "../errors.ts";
import {
  META,
  isEpisode,
  type ContentKind,
  type Entity,
  type QualityVector,
} from "../model/memory.ts";
import type { CatalogEntry, MemoryEdit, MemoryStore } from "../storage/memory-store.ts";
import { EPISODE, basisOf, episodeTitle, provenanceOf } from "./episode-rows.ts";
import { commonKind, memberTexts, readMembers, type MemberRead } from "./episode-texts.ts";
import { twinEdits } from "./near-twins.ts";
import { QUOTES, quotersOf } from "./quoted-sources.ts";

/** Measures a gist without vectors: similarity and coverage come back null. */
export type MeasureGist = (input: {
  source: string;
  summary: string;
  entities: readonly Entity[];
  kind?: ContentKind;
}) => Promise<QualityVector>;

/** Measuring takes about as long as reading the texts again: more gists than this are measured after the call. */
export const MAX_MEASURED = 8;

/** What else has to change when memories go. */
export interface Departure {
  /** For the frame that forgets them. */
  edits: MemoryEdit[];
  /** Gists that nobody is left of. */
  emptied: string[];
  /** Gists whose recalls are still to be measured; until then they are 0, which they are at least. */
  unmeasured: string[];
}

/** A gist as it is, and the members that it is to tell of from now on, by time. */
interface GistState {
  row: CatalogEntry;
  summary: string;
  entities: readonly Entity[];
  members: readonly MemberRead[];
}

const byTime = (a: CatalogEntry, b: CatalogEntry): number =>
  a.timestamp - b.timestamp || a.ordinal - b.ordinal;

/** `invalid_input` for a gist that memories are kept by alone. */
export async function departureOf(
  store: MemoryStore,
  ids: readonly string[],
  measure: MeasureGist,
): Promise<Departure> {
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
  const unmeasured: string[] = [];
  let measured = 0;
  for (const episodeId of touched) {
    const row = store.catalog.byId(episodeId);
    if (!row) continue;
    const left = store.catalog.membersOf(episodeId).filter(({ id }) => !gone.has(id));
    if (left.length === 0) emptied.push(episodeId);
    else {
      const measuring = measured++ < MAX_MEASURED ? measure : null;
      if (!measuring) unmeasured.push(episodeId);
      edits.push(await editWithout(store, row, left, gone, measuring));
      edits.push(...twinEdits(basisOf(row), left));
    }
  }
  return { edits, emptied, unmeasured };
}

/** The recalls of a gist that lost members, where it is still there; inside the write queue. */
export async function measuredGist(
  store: MemoryStore,
  episodeId: string,
  measure: MeasureGist,
): Promise<MemoryEdit | null> {
  const row = store.catalog.byId(episodeId);
  const entries = store.catalog.membersOf(episodeId);
  if (!row || entries.length === 0) return null;
  const [gist] = await store.getSummaries([row.ordinal], { strict: true });
  const texts = memberTexts(await readMembers(store, entries), { row, summary: gist!.summary });
  const kind = commonKind(entries);
  const { entityRecall, numberRecall } = await measure({
    source: joinMembers(texts).text,
    summary: gist!.summary,
    entities: gist!.entities,
    ...(kind ? { kind } : {}),
  });
  return { id: row.id, quality: { ...row.quality, entityRecall, numberRecall } };
}

function keptByGist(row: CatalogEntry, store: MemoryStore): AppError {
  const count = store.catalog.membersOf(row.id).filter(({ keep }) => keep === "gist").length;
  return new AppError(
    "invalid_input",
    `“${row.metadata[META.title] ?? row.id}” is the gist by which alone ${count} memories are kept.`,
    { hint: "Forget those memories; the gist goes with the last of them." },
  );
}

/** The edit that takes members out of a stored gist. @param left members that stay, by time */
export async function editWithout(
  store: MemoryStore,
  row: CatalogEntry,
  left: readonly CatalogEntry[],
  gone: ReadonlySet<string>,
  measure: MeasureGist | null,
): Promise<MemoryEdit> {
  const [gist] = await store.getSummaries([row.ordinal], { strict: true });
  return withoutGone({ row, ...gist!, members: await readMembers(store, left) }, gone, measure);
}

/**
 * Sentences are only taken out: what is left is supported as before. Names and numbers are counted
 * anew; meaning is compared by the next `build`. Without `measure` the recalls are 0, which they are at least.
 */
async function withoutGone(
  { row, summary, entities, members }: GistState,
  gone: ReadonlySet<string>,
  measure: MeasureGist | null,
): Promise<MemoryEdit> {
  const texts = memberTexts(members, { row, summary });
  const without = gistWithout(
    { text: summary, entities, provenance: provenanceOf(row) },
    gone,
    texts,
  );
  const entries = members.map(({ entry }) => entry);
  const kind = commonKind(entries);
  const recalls = await measure?.({
    source: joinMembers(texts).text,
    summary: without.text,
    entities: without.entities,
    ...(kind ? { kind } : {}),
  });
  return {
    id: row.id,
    timestamp: entries[0]!.timestamp,
    metadata: {
      [META.title]: episodeTitle(entries),
      [EPISODE.sources]: encodeProvenance(without.provenance),
      [EPISODE.stale]: "1",
    },
    quality: {
      similarity: null,
      coverage: null,
      entityRecall: recalls?.entityRecall ?? 0,
      numberRecall: recalls?.numberRecall ?? 0,
      faithfulness: row.quality.faithfulness,
    },
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

/**
 * What has to be restored with `ids`, and changed in the same frame: members kept by their gist
 * bring it back with them, less what stays forgotten; other gists are marked as out of date.
 */
export async function returnOf(
  store: MemoryStore,
  ids: readonly string[],
  measure: MeasureGist,
): Promise<{ ids: string[]; edits: MemoryEdit[] }> {
  const returning = await store.forgotten(ids);
  const episodes = new Set(
    returning.flatMap(({ entry }) =>
      entry.episodeId !== null && !isEpisode(entry) ? [entry.episodeId] : [],
    ),
  );
  const edits: MemoryEdit[] = [];
  const gists: string[] = [];
  for (const episodeId of episodes) {
    const own = returning.filter(({ entry }) => entry.episodeId === episodeId && !isEpisode(entry));
    const live = store.catalog.byId(episodeId);
    const needed = own.some(({ entry }) => entry.keep === "gist") || ids.includes(episodeId);
    const [hidden] = live || !needed ? [] : await store.forgotten([episodeId]);
    const row = live ?? hidden?.entry;
    if (!row) continue;
    if (hidden) gists.push(episodeId);
    const gist = hidden ?? (await store.getSummaries([row.ordinal], { strict: true }))[0]!;
    const members = [...(await readMembers(store, store.catalog.membersOf(episodeId))), ...own];
    members.sort((a, b) => byTime(a.entry, b.entry));
    const present = new Set(members.map(({ entry }) => entry.id));
    const absent = provenanceOf(row)
      .flat()
      .filter((id) => !present.has(id));
    const { summary, entities } = gist;
    edits.push(
      absent.length > 0
        ? await withoutGone({ row, summary, entities, members }, new Set(absent), measure)
        : { id: row.id, metadata: { [EPISODE.stale]: "1" } },
    );
    edits.push(
      ...twinEdits(
        basisOf(row),
        members.map(({ entry }) => entry),
      ),
    );
  }
  return { ids: [...new Set([...ids, ...gists])], edits };
}
