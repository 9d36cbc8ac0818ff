/**
 * The names of those who speak in the store, to tell them apart from the subject of a query. "What
 * does Ann like?" is about liking; who said it is a field. A name left in the embedded query pulls
 * its vector towards every text that addresses that person (measured: decisions/0005).
 */

import type { MemoryStore } from "../storage/memory-store.ts";
import type { CatalogIndex } from "./catalog-index.ts";
import { isFunctionWord, queryWords, stemOf } from "./text-analysis.ts";

const ASCII = /^[\0-\x7f]*$/;
/** A name typed in lower case counts as one when this share of the memories is by that speaker. */
const FREQUENT_SHARE = 0.01;

/** The words of a person's name: "Ann Lee <ann@example.org>" → ann, lee; an address alone → its local part. */
export function nameStems(speaker: string): string[] {
  const name = speaker.replace(/<[^>]*>/g, " ").trim() || speaker.replace(/[<>]|@.*$/g, "");
  return queryWords(name)
    .filter(({ token }) => [...token].length > 1 && /\p{L}/u.test(token) && !isFunctionWord(token))
    .map(({ stem }) => stem);
}

export class SpeakerNames {
  readonly #store: MemoryStore;
  readonly #index: CatalogIndex;
  #version = -1;
  /** Stem of a name's word → speakers of that name. */
  #speakers = new Map<string, string[]>();

  constructor(store: MemoryStore, index: CatalogIndex) {
    this.#store = store;
    this.#index = index;
  }

  /** Whether a word of a query names a speaker of the store. */
  isName(token: string, stem: string): boolean {
    this.#refresh();
    const speakers = this.#speakers.get(stem);
    if (speakers === undefined) return false;
    if (/^\p{Lu}/u.test(token)) return true;
    const sets = this.#index.sets("speaker");
    const count = speakers.reduce((sum, speaker) => sum + (sets.get(speaker)?.size ?? 0), 0);
    return count >= FREQUENT_SHARE * this.#store.catalog.size;
  }

  /** The speakers whose names have one of these stems. */
  namedBy(stems: Iterable<string>): ReadonlySet<string> {
    this.#refresh();
    const named = new Set<string>();
    for (const stem of stems)
      for (const speaker of this.#speakers.get(stem) ?? []) named.add(speaker);
    return named;
  }

  /** The query without speakers' names; unchanged when only names and function words are in it. */
  withoutNames(query: string): string {
    let subject = false;
    const rest = query.replace(
      /[\p{L}\p{N}][\p{L}\p{N}\p{M}]*(['’]s\b)?/gu,
      (word, genitive?: string) => {
        const token = genitive === undefined ? word : word.slice(0, -genitive.length);
        const stem = ASCII.test(token) ? stemOf(token) : queryWords(token)[0]?.stem;
        if (stem !== undefined && this.isName(token, stem)) return "";
        if (!isFunctionWord(token)) subject = true;
        return word;
      },
    );
    return subject ? rest.replace(/\s+/g, " ").trim() : query;
  }

  #refresh(): void {
    const { speakersVersion } = this.#index;
    if (speakersVersion === this.#version) return;
    this.#version = speakersVersion;
    this.#speakers.clear();
    for (const speaker of this.#index.sets("speaker").keys())
      for (const stem of new Set(nameStems(speaker))) {
        const known = this.#speakers.get(stem);
        if (known) known.push(speaker);
        else this.#speakers.set(stem, [speaker]);
      }
  }
}
