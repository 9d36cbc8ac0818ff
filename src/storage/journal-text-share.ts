/** `storedBytes` of memories that are still in the journal. */

import { concatBytes } from "./bytes.ts";
import { textBytes, type StoredRow } from "./stored-row.ts";
import type { Zstd } from "./zstd.ts";

/** As the journal's frames. */
const LEVEL = 3;
/** So much text tells what the rest of a large batch shrinks to. */
const SAMPLE_BYTES = 256 * 1024;

/**
 * Sets each row's `storedBytes`: its share, by size, of what the texts of this batch (content,
 * envelope, summaries, entities) take when they are compressed together. The rest of a frame is
 * columns of ids and times, whose padding shrinks so well that the ratio of the whole frame would
 * flatter the text. Of a large batch every so many-th row is compressed.
 */
export function shareTextBytes(zstd: Zstd, rows: readonly StoredRow[]): void {
  const sizes = rows.map(textBytes);
  const total = sizes.reduce((sum, size) => sum + size, 0);
  const every = Math.ceil(total / SAMPLE_BYTES) || 1;
  const encoder = new TextEncoder();
  const parts: Uint8Array[] = [];
  let sampled = 0;
  for (let i = 0; i < rows.length; i += every) {
    const { content, envelope, summary, entities } = rows[i]!;
    const names = entities.map((entity) => `${entity.text}\n${entity.type}\n`).join("");
    parts.push(encoder.encode(`${content ?? ""}${summary}${names}`));
    if (envelope) parts.push(envelope);
    sampled += sizes[i]!;
  }
  const ratio = zstd.compress(concatBytes(parts), LEVEL).length / Math.max(1, sampled);
  rows.forEach((row, i) => (row.storedBytes = Math.ceil(sizes[i]! * ratio)));
}
