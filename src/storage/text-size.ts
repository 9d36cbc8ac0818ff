/** What summaries and entities take when they are stored together: for figures before a compaction. */

import type { Entity } from "../model/memory.ts";
import { concatBytes } from "./bytes.ts";
import { loadZstd } from "./zstd.ts";

/** As a compaction packs text. */
const LEVEL = 12;

/** Each text's share, by its size, of the ZSTD bytes of all together. */
export async function packedTextBytes(
  texts: readonly { summary: string; entities: readonly Entity[] }[],
): Promise<number[]> {
  if (texts.length === 0) return [];
  const zstd = await loadZstd();
  const encoder = new TextEncoder();
  const raw = texts.map(({ summary, entities }) =>
    encoder.encode(
      `${summary}${entities.map((entity) => `\n${entity.text}\t${entity.type}`).join("")}`,
    ),
  );
  const packed = zstd.compress(concatBytes(raw), LEVEL).length;
  const total = raw.reduce((sum, bytes) => sum + bytes.length, 0);
  return raw.map((bytes) => Math.ceil((packed * bytes.length) / Math.max(1, total)));
}
