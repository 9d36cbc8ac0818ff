/** From ranked ordinals to hits that a person can read: views, matched words, snippets, paths. */

import { META } from "../model/memory.ts";
import type { RecallHit, ScoreParts } from "../model/query.ts";
import type { CatalogEntry, MemoryStore } from "../storage/memory-store.ts";
import type { RecallContext } from "./recall.ts";
import type { QueryPlan } from "./query-plan.ts";
import type { Way } from "./spread.ts";
import { toMemoryView } from "./memory-view.ts";
import { makeSnippet } from "./snippet.ts";
import { SCAN_UNITS, TermFinder } from "./term-finder.ts";

export interface RankedHit {
  ordinal: number;
  score: ScoreParts;
  /** How it got its activation; null without any. */
  way: Way | null;
}

const FIELDS = [META.title, META.speaker, META.source, META.recipients, META.thread] as const;
/** Hits beyond these show an excerpt of the summary: their content isn't read. */
const CONTENT_SNIPPETS = 50;

const NO_GISTS: ReadonlyMap<number, string> = new Map();

/** What speaks for hits that are kept as a gist only: their episode's summary, by ordinal. */
async function gistsOf(
  store: MemoryStore,
  ordinals: readonly number[],
): Promise<ReadonlyMap<number, string>> {
  const { catalog } = store;
  const speakers = new Map<number, number>();
  for (const ordinal of ordinals) {
    const entry = catalog.byOrdinal(ordinal);
    const row = entry?.keep === "gist" && entry.episodeId ? catalog.byId(entry.episodeId) : null;
    if (row) speakers.set(ordinal, row.ordinal);
  }
  if (speakers.size === 0) return NO_GISTS;
  const rows = [...speakers.values()];
  const texts = await store.getSummaries(rows);
  return new Map([...speakers.keys()].map((ordinal, i) => [ordinal, texts[i]!.summary]));
}

export async function describeHits(
  { store }: RecallContext,
  plan: QueryPlan,
  ranked: readonly RankedHit[],
): Promise<RecallHit[]> {
  const { catalog } = store;
  const ordinals = ranked.map((hit) => hit.ordinal);
  const [summaries, contents] = await Promise.all([
    store.getSummaries(ordinals),
    store.getContentsAtHand(ordinals.slice(0, CONTENT_SNIPPETS)),
  ]);
  const gists = await gistsOf(store, ordinals);
  const finder = new TermFinder(plan.words);
  const hits: RecallHit[] = [];
  ranked.forEach((hit, i) => {
    const entry = catalog.byOrdinal(hit.ordinal);
    if (entry === undefined) return; // forgotten while its text was read
    const memory = toMemoryView(entry, summaries[i]!);
    const body =
      contents[i] ?? (memory.keep === "gist" ? (gists.get(entry.ordinal) ?? "") : memory.summary);
    const snippet = makeSnippet(body, finder, plan.phrases);
    const matched = snippet.terms;
    const isLacking = (): boolean => matched.size < plan.words.length;
    if (isLacking())
      for (const { term } of finder.find(fieldsBeside(body, memory))) matched.add(term);
    // The excerpt of a very long text is taken from its beginning; words of the rest match all the same.
    for (let at = SCAN_UNITS; at < body.length && isLacking(); at += SCAN_UNITS)
      for (const { term } of finder.find(body.slice(at, at + SCAN_UNITS))) matched.add(term);
    const matchedTerms: string[] = [];
    for (const term of plan.words) if (matched.has(term)) matchedTerms.push(term.token);
    const described: RecallHit = {
      memory,
      score: hit.score,
      matchedTerms,
      snippet: snippet.text,
      highlights: snippet.highlights,
    };
    const isStandIn = i < CONTENT_SNIPPETS && contents[i] === undefined && memory.summary !== "";
    if (isStandIn && !isWhole(entry)) described.fromSummary = true;
    const path = hit.way && idsOf(catalog, hit.way.path);
    if (path) {
      described.path = path;
      described.links = hit.way!.links;
    }
    hits.push(described);
  });
  return hits;
}

/** Null where one was forgotten meanwhile. */
function idsOf(catalog: MemoryStore["catalog"], ordinals: readonly number[]): string[] | null {
  const ids: string[] = [];
  for (const ordinal of ordinals) {
    const entry = catalog.byOrdinal(ordinal);
    if (entry === undefined) return null;
    ids.push(entry.id);
  }
  return ids;
}

/** Whether the summary is the text itself. */
function isWhole({ keep, model }: CatalogEntry): boolean {
  return keep === "exact" && model === "verbatim";
}

/** What the text index takes of a memory beside its text, without what was looked through as its body. */
function fieldsBeside(body: string, { summary, metadata, entities }: RecallHit["memory"]): string {
  let fields = summary === body ? "" : summary;
  for (const key of FIELDS) if (metadata[key] !== undefined) fields += `\n${metadata[key]}`;
  for (const { text } of entities) fields += `\n${text}`;
  return fields;
}
