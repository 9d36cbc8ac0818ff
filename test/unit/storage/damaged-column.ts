import { parquetMetadata } from "hyparquet";
import type { MemoryVolume } from "../../../src/platform/memory/memory-file-store.ts";

/** Words that don't repeat, so that a column of them is longer than the blocks that are checked. */
export function unlikeWords(seed: number): string {
  let state = seed + 1;
  const next = () => (state = Math.imul(state, 0x9e3779b1) ^ (state >>> 15)) >>> 0;
  return Array.from({ length: 16 }, () => next().toString(36)).join(" ");
}

/**
 * Flips a bit in the middle of a column of a segment's first row group, where no light column shares
 * its block. Returns where.
 */
export function damageColumn(volume: MemoryVolume, path: string, column: string): number {
  const bytes = volume.files.get(path)!.slice();
  volume.files.set(path, bytes);
  const chunk = parquetMetadata(bytes.slice().buffer)
    .row_groups[0]!.columns.map(({ meta_data }) => meta_data!)
    .find(({ path_in_schema }) => path_in_schema[0] === column)!;
  const at = Number(chunk.data_page_offset) + (Number(chunk.total_compressed_size) >> 1);
  bytes[at]! ^= 1;
  return at;
}
