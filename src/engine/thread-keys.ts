/** What grouping is told of a memory: its thread, its list, its source, its size. Part of building episodes. */

import type { GroupItem } from "../cognitive/episodes/grouping.ts";
import { META } from "../model/memory.ts";
import type { CatalogEntry, MemoryStore } from "../storage/memory-store.ts";

/** Light fields as grouping wants them; a reply chain without a thread is named by its first message. */
export class ThreadKeys {
  readonly #catalog: MemoryStore["catalog"];

  constructor(catalog: MemoryStore["catalog"]) {
    this.#catalog = catalog;
  }

  item(entry: CatalogEntry): GroupItem {
    const { metadata } = entry;
    const source = metadata[META.source] ?? null;
    const isSection = metadata[META.part] !== undefined && metadata[META.thread] === undefined;
    return {
      id: entry.id,
      userId: entry.userId,
      timestamp: entry.timestamp,
      bytes: entry.originalBytes,
      thread: metadata[META.thread] ?? (isSection ? source : this.#chain(entry)),
      isSection,
      list: metadata[META.list] ?? taggedList(metadata[META.title]),
      source,
      vector: null,
      fingerprint: null,
    };
  }

  #chain(entry: CatalogEntry): string | null {
    if (entry.previousId === null && entry.nextId === null) return null;
    let at = entry;
    for (let hops = 0; hops < 10_000 && at.previousId !== null; hops++) {
      const before = this.#catalog.byId(at.previousId);
      if (!before) break;
      at = before;
    }
    return `chain ${at.id}`;
  }
}

/** "[ILUG] Re: Sun Solaris": how mailing lists mark their subjects. */
function taggedList(title: string | undefined): string | null {
  const tag = /^\s*(?:(?:re|fwd?|aw|wg)(?:\[\d+\])?\s*:\s*)*\[([^\]\d]{2,40})\]/i.exec(title ?? "");
  return tag === null ? null : tag[1]!.toLowerCase();
}
