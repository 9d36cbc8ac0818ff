/** From ranked ordinals to hits that a person can read: views, matched words, snippets, paths. */

import { META } from "../model/memory.ts";
import type { RecallHit, ScoreParts } from "../model/query.ts";
import type { MemoryStore } from "../storage/memory-store.ts";
import type { RecallContext } from "./recall.ts";
import type { QueryPlan } from "./query-plan.ts";
import { toMemoryView } from "./memory-view.ts";
import { findTerms, makeSnippet, SCAN_UNITS } from "./snippet.ts";

export interface RankedHit {
  ordinal: number;
  score: ScoreParts;
  /** Ordinals from a direct hit, when spreading brought it. */
  path: number[] | undefined;
}

/** Hits beyond these show an excerpt of the summary: their content isn't read. */
const CONTENT_SNIPPETS = 50;

/** What speaks for hits that are kept as a gist only: their episode's summary, by ordinal. */
async function gistsOf(
  store: MemoryStore,
  ordinals: readonly number[],
): Promise<Map<number, string>> {
  const { catalog } = store;
  const speakers = new Map<number, number>();
  for (const ordinal of ordinals) {
    const entry = catalog.byOrdinal(ordinal);
    const row = entry?.keep === "gist" && entry.episodeId ? catalog.byId(entry.episodeId) : null;
    if (row) speakers.set(ordinal, row.ordinal);
  }
  const rows = [...speakers.values()];
  const texts = await store.getSummaries(rows);
  return new Map([...speakers.keys()].map((ordinal, i) => [ordinal, texts[i]!.summary]));
}

export async function describeHits(
  { store, text }: RecallContext,
  plan: QueryPlan,
  ranked: readonly RankedHit[],
): Promise<RecallHit[]> {
  const { catalog } = store;
  const ordinals = ranked.map((hit) => hit.ordinal);
  const [summaries, contents] = await Promise.all([
    store.getSummaries(ordinals),
    store.getContents(ordinals.slice(0, CONTENT_SNIPPETS)),
  ]);
  const gists = await gistsOf(store, ordinals);
  const hits: RecallHit[] = [];
  ranked.forEach((hit, i) => {
    const entry = catalog.byOrdinal(hit.ordinal);
    if (entry === undefined) return; // forgotten while its text was read
    const memory = toMemoryView(entry, summaries[i]!);
    const body =
      contents[i] ?? (memory.keep === "gist" ? (gists.get(entry.ordinal) ?? "") : memory.summary);
    const snippet = makeSnippet(body, plan.words);
    const path = hit.path?.map((ordinal) => catalog.byOrdinal(ordinal)?.id);
    const fields = [
      memory.summary,
      memory.metadata[META.title] ?? "",
      memory.metadata[META.speaker] ?? "",
      memory.metadata[META.source] ?? "",
      memory.metadata[META.recipients] ?? "",
      memory.metadata[META.thread] ?? "",
      ...memory.entities.map((entity) => entity.text),
    ].join("\n");
    const matched = snippet.terms;
    if (matched.size < plan.words.length)
      for (const { term } of findTerms(fields, plan.words)) matched.add(term);
    for (const term of plan.words)
      if (body.length > SCAN_UNITS && !matched.has(term) && text.matches(hit.ordinal, term))
        matched.add(term);
    hits.push({
      memory,
      score: hit.score,
      matchedTerms: plan.words.filter((term) => matched.has(term)).map((term) => term.token),
      snippet: snippet.text,
      highlights: snippet.highlights,
      ...(path !== undefined && path.every((id) => id !== undefined) ? { path } : {}),
    });
  });
  return hits;
}
