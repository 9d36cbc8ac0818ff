/** Documents in which words stand one after the other, within one field. */

import { END, ListCursor } from "./list-cursor.ts";
import { MAX_FREQUENCY, ONE } from "./posting-codec.ts";
import type { NumberedList } from "./scorer.ts";

/**
 * Calls `found` for each document of one part of the index that has the lists' terms side by side, in
 * the given order, with how often in half units.
 */
export function findPhrase(
  lists: readonly NumberedList[],
  found: (doc: number, frequency: number) => void,
): void {
  const cursors = lists.map(({ span, count, docBytes }) => new ListCursor(span, count, docBytes));
  const { base } = lists[0]!;
  // The rarest word leads.
  const order = [...cursors.keys()].sort((a, b) => lists[a]!.count - lists[b]!.count);
  const lead = cursors[order[0]!]!;
  const others = order.slice(1).map((i) => cursors[i]!);
  const starts = { at: new Uint32Array(256) };
  const next = { at: new Uint32Array(256) };
  for (let doc = lead.next(); doc !== END;) {
    const target = agree(others, doc);
    if (target !== doc) {
      doc = lead.advance(target);
      continue;
    }
    const frequency = cursors.length === 1 ? lead.frequency : count(cursors, starts, next) * ONE;
    if (frequency > 0) found(base + doc, Math.min(MAX_FREQUENCY, frequency));
    doc = lead.next();
  }
}

/** `doc` when every cursor can stand there; otherwise the first document where one can. */
function agree(cursors: readonly ListCursor[], doc: number): number {
  for (const cursor of cursors) {
    const at = cursor.advance(doc);
    if (at !== doc) return at;
  }
  return doc;
}

/** How often the cursors' words follow each other in the document that all stand at. */
function count(
  cursors: readonly ListCursor[],
  starts: { at: Uint32Array },
  next: { at: Uint32Array },
): number {
  let size = cursors[0]!.positions(starts);
  for (let word = 1; word < cursors.length && size > 0; word++) {
    const following = cursors[word]!.positions(next);
    let kept = 0;
    for (let i = 0, j = 0; i < size; i++) {
      const wanted = starts.at[i]! + word;
      while (j < following && next.at[j]! < wanted) j++;
      if (j < following && next.at[j] === wanted) starts.at[kept++] = starts.at[i]!;
    }
    size = kept;
  }
  return size;
}
