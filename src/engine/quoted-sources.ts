/**
 * Finds the memories that a mail quotes, so that its summary need not stand for their words: with
 * the summary goes a pointer to them, and while the mail's own text is still there it comes back
 * when one of them goes. The summary is of the mail's own words and judged against those: it says
 * the same whether they are there or not, and nothing of them has to be copied when they go.
 */

import { plainWords, quotesFoundIn } from "../cognitive/episodes/episode-text.ts";
import { META } from "../model/memory.ts";
import { quotedSpans } from "../processing/content/quoted-text.ts";
import type { CatalogEntry, MemoryStore } from "../storage/memory-store.ts";

/** Metadata key: ids of the memories that keep what this one quotes, one to a line. */
export const QUOTES = "quotes";
/** Messages back in the thread that are looked at. */
const MAX_HOPS = 20;

/** A stored mail, or one on its way into the store. */
export type Quoter = Pick<CatalogEntry, "metadata" | "userId" | "previousId">;

/** The earlier messages of its thread whose texts are kept exactly. */
function earlierMessages(store: MemoryStore, entry: Quoter): CatalogEntry[] {
  const { catalog } = store;
  const found = new Set<CatalogEntry>();
  const replyTo = entry.metadata[META.replyTo];
  let at: CatalogEntry | undefined =
    (replyTo === undefined ? undefined : catalog.byExternalId(replyTo)) ??
    catalog.byId(entry.previousId ?? "");
  for (let hops = 0; at && hops < MAX_HOPS && !found.has(at); hops++) {
    if (at !== entry && at.userId === entry.userId && at.keep === "exact") found.add(at);
    at = catalog.byId(at.previousId ?? "");
  }
  return [...found];
}

/** Ids of the memories that keep all of what `text` quotes; null when it quotes nothing, or something that isn't kept. */
export async function quotedSources(
  store: MemoryStore,
  entry: Quoter,
  text: string,
): Promise<string[] | null> {
  if (entry.metadata[META.kind] !== "mail") return null;
  const quotes = quotedSpans(text);
  const earlier = quotes.length === 0 ? [] : earlierMessages(store, entry);
  if (earlier.length === 0) return null;
  const contents = await store.getContents(earlier.map(({ ordinal }) => ordinal));
  const sources = earlier.flatMap(({ id }, i) =>
    contents[i] == null ? [] : [{ id, words: plainWords(contents[i]) }],
  );
  const all = sources.map(({ words }) => words);
  if (quotesFoundIn(text, all).length < quotes.length) return null;
  return sources.filter(({ words }) => quotesFoundIn(text, [words]).length > 0).map(({ id }) => id);
}

/** Whether they still keep the words that a summary leaves to them. */
export function areKept(store: MemoryStore, sources: readonly string[]): boolean {
  return sources.every((id) => store.catalog.byId(id)?.keep === "exact");
}

/** Memories at keep level `summary` that leave their quotes to one of `ids`. */
export function quotersOf(store: MemoryStore, ids: ReadonlySet<string>): CatalogEntry[] {
  const found: CatalogEntry[] = [];
  for (const entry of store.catalog.entries()) {
    const quotes = entry.metadata[QUOTES];
    if (quotes !== undefined && !ids.has(entry.id) && quotes.split("\n").some((id) => ids.has(id)))
      found.push(entry);
  }
  return found;
}
