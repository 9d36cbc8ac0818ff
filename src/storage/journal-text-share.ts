/** `storedBytes` of memories that are still in the journal. */

import { concatBytes } from "./bytes.ts";
import { textBytes, type StoredRow } from "./stored-row.ts";
import type { Zstd } from "./zstd.ts";

/** As the journal's frames. */
const LEVEL = 3;

/**
 * Sets each row's `storedBytes`: its share, by size, of what the texts of this batch (content,
 * envelope, summaries, entities) take when they are compressed together. The rest of a frame is
 * columns of ids and times, whose padding shrinks so well that the ratio of the whole frame would
 * flatter the text.
 */
export function shareTextBytes(zstd: Zstd, rows: readonly StoredRow[]): void {
  const encoder = new TextEncoder();
  const texts = rows.flatMap((row) => [
    encoder.encode(row.content ?? ""),
    row.envelope ?? new Uint8Array(),
    encoder.encode(row.summary),
    encoder.encode(row.entities.map((entity) => `${entity.text}\n${entity.type}\n`).join("")),
  ]);
  const stored = zstd.compress(concatBytes(texts), LEVEL).length;
  const sizes = rows.map(textBytes);
  const total = Math.max(
    1,
    sizes.reduce((sum, size) => sum + size, 0),
  );
  rows.forEach((row, i) => (row.storedBytes = Math.ceil((stored * sizes[i]!) / total)));
}
