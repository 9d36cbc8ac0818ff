/** Files that can't be read in whole: which they are, and giving them up at the owner's word. */

import type { StoreChange } from "./memory-store.ts";
import { segmentPath } from "./segment.ts";
import { DAMAGED_PREFIX, commitManifest, type StoreCore } from "./store-core.ts";
import type { MemoryRecord } from "./store-state.ts";

export function isInDamagedSegment(core: StoreCore, { place }: MemoryRecord): boolean {
  return place.kind === "segment" && core.damagedSegments.has(place.segment.info.number);
}

/** Paths of damaged segments and of copies set aside. */
export async function listDamaged(core: StoreCore): Promise<string[]> {
  const aside = await core.files.list(DAMAGED_PREFIX);
  return [
    ...aside.map(({ path }) => path),
    ...[...core.damagedSegments].map((number) => segmentPath(number)),
  ];
}

/** Removes damaged files and the memories in them. To be called alone among writers. */
export async function discardDamaged(
  core: StoreCore,
): Promise<{ discarded: string[]; change: StoreChange | null }> {
  const { files, state, segments, damagedSegments } = core;
  const discarded = await listDamaged(core);
  const lost = state.records.filter(
    (record): record is MemoryRecord => record !== undefined && isInDamagedSegment(core, record),
  );
  if (damagedSegments.size > 0)
    await commitManifest(core, {
      segments: core.manifest.segments.filter(({ number }) => !damagedSegments.has(number)),
    });
  const ids = lost.map(({ entry }) => entry.id);
  const change = state.applyChange({ op: "forget", ids }, 0);
  state.drop(ids);
  for (const number of damagedSegments) segments.delete(number);
  damagedSegments.clear();
  for (const path of discarded) await files.remove(path);
  return { discarded, change };
}
