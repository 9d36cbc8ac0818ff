/** Files that can't be read in whole: which they are, and giving them up at the owner's word. */

import type { StoreChange } from "./memory-store.ts";
import type { Manifest } from "./manifest.ts";
import { segmentPath, type Segment } from "./segment.ts";
import {
  DAMAGED_PREFIX,
  DERIVED_PREFIX,
  commitManifest,
  isCorrupt,
  readAgain,
  type StoreCore,
} from "./store-core.ts";
import type { MemoryRecord } from "./store-state.ts";
import { primeOfPath } from "./text-codec/prime-store.ts";

/** What a store offers whose files may be damaged. */
export interface RepairableStore {
  /**
   * Paths of files that were found not to be readable in whole, and of copies set aside of such; empty
   * when all is well. `verify` reads every byte of those that nothing was met in yet.
   */
  damagedFiles(options?: { verify?: boolean }): Promise<string[]>;
  /** Removes them, and with them the memories that only they hold: for good. Returns their paths. */
  discardDamaged(): Promise<string[]>;
}

/** Checks every byte of `segments` and of what their texts are coded with. Resolves to whether any is damaged. */
export async function markDamaged(core: StoreCore, segments: readonly Segment[]): Promise<boolean> {
  let found = false;
  for (const segment of segments) {
    try {
      await readAgain(() => segment.verify());
      if (segment.blocks.length > 0) await readAgain(() => core.primes.check(segment.info.prime!));
    } catch (error) {
      if (!isCorrupt(error)) throw error;
      found = true;
      const { number } = segment.info;
      // Not when it was replaced or given up meanwhile.
      if (core.segments.get(number) !== segment) continue;
      core.damagedSegments.add(number);
      core.recovered.push(`${error.message} The file is kept as it is.`);
    }
  }
  return found;
}

export function isInDamagedSegment(core: StoreCore, { place }: MemoryRecord): boolean {
  return place.kind === "segment" && core.damagedSegments.has(place.segment.info.number);
}

/** Paths of damaged segments and of copies set aside. */
export async function listDamaged(core: StoreCore): Promise<string[]> {
  const aside = await core.files.list(DAMAGED_PREFIX);
  // A compaction that could still read one may have replaced it.
  const segments = core.manifest.segments.filter(({ number }) => core.damagedSegments.has(number));
  return [...aside.map(({ path }) => path), ...segments.map(({ number }) => segmentPath(number))];
}

/** The manifest's segments and primes without the damaged ones and what only they use. */
function leftOver({ manifest, damagedSegments }: StoreCore): Partial<Manifest> {
  const segments = manifest.segments.filter(({ number }) => !damagedSegments.has(number));
  const used = new Set(segments.map(({ prime }) => prime));
  const primes = (manifest.primes ?? []).filter(({ number }) => used.has(number));
  // A change like any other: what was derived before it is out of date, also after a restart.
  const baseGeneration = manifest.baseGeneration + 1;
  return { baseGeneration, segments, primes: primes.length > 0 ? primes : undefined };
}

/** `ids`, and whoever else is referred to and nowhere to be found: not even its light fields could be read. */
function goneOf(state: StoreCore["state"], ids: readonly string[]): Set<string> {
  const gone = new Set(ids);
  for (const record of state.records) {
    if (!record) continue;
    const { previousId, nextId, episodeId, supersedes, supersededBy } = record.entry;
    for (const id of [previousId, nextId, episodeId, supersedes, supersededBy])
      if (id !== null && !state.catalog.byId(id) && !state.forgotten.has(id)) gone.add(id);
  }
  return gone;
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
  if (damagedSegments.size > 0) {
    await commitManifest(core, leftOver(core));
    core.generation++;
  }
  const ids = lost.map(({ entry }) => entry.id);
  const change = state.applyChange({ op: "forget", ids }, 0);
  state.mend(goneOf(state, ids), core.journal.number);
  state.drop(ids);
  for (const number of damagedSegments) segments.delete(number);
  damagedSegments.clear();
  for (const path of discarded) await files.remove(path);
  if (discarded.length > 0) {
    for (const { path } of await files.list(DERIVED_PREFIX)) await files.remove(path);
    core.catalogCopies.clear();
  }
  const named = new Set((core.manifest.primes ?? []).map(({ number }) => number));
  for (const { number } of core.primes.infos) if (!named.has(number)) core.primes.forget(number);
  for (const { path } of await files.list()) {
    const prime = primeOfPath(path);
    if (prime !== null && !named.has(prime)) await files.remove(path);
  }
  return { discarded, change };
}
