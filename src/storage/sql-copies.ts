/**
 * Copies of segments for SQL: DuckDB can't read coded texts, so a question that shows content gets
 * a plain Parquet file of the same rows. Made when asked for, dropped with the segment and at the
 * next opening; an erase drops all.
 */

import type { Segment } from "./segment.ts";
import { SegmentWriter } from "./segment-writer.ts";
import { DERIVED_PREFIX, type StoreCore } from "./store-core.ts";

/** Little effort: it is read a few times and thrown away. */
const LEVEL = 3;
export const SQL_COPY = /^index\/sql-(\d+)\.parquet$/;

export function sqlCopyPath(number: number): string {
  return `${DERIVED_PREFIX}sql-${number}.parquet`;
}

/** The path of a file with the texts of the segment in their column. */
export async function plainCopy(core: StoreCore, segment: Segment): Promise<string> {
  if (segment.blocks.length === 0) return segment.path;
  const { number } = segment.info;
  const path = sqlCopyPath(number);
  if (await core.files.stat(path)) return path;
  const writer = new SegmentWriter(core.zstd, LEVEL);
  for (let group = 0; group < segment.groups.length; group++) {
    const rows = await segment.readRows(group);
    const stored = rows.map((row) => row.storedBytes);
    await writer.writeGroup(rows, null, [], { storedBytes: stored });
  }
  const { bytes } = writer.finish(number);
  await core.exclusive(async () => {
    // A compaction may have replaced the segment, and erased what is in it, meanwhile.
    if (core.segments.get(number) === segment) await core.files.write(path, bytes);
  });
  return path;
}
