/** Snapshots of the indexes as derived data of the store: writing them, and what of them can be used again. */

import { concatBytes } from "../storage/bytes.ts";
import type { DerivedFile, MemoryStore } from "../storage/memory-store.ts";
import { decodeIndexState, encodeIndexState, type IndexState } from "./index-state.ts";
import { SemanticIndex, type SemanticIndexOptions } from "./semantic-index.ts";

/** Whether snapshots are kept in the store. "auto": where building again would take a while. */
export type SnapshotPolicy = "auto" | "always" | "never";

/** The second one is for snapshots that are too large to replace one at once: they are written beside it. */
const TEXT_SNAPSHOTS = ["fts", "fts-2"] as const;
const STATE_SNAPSHOT = "search-state";
/**
 * About 10,000 short memories. To build again is to read every text, and texts that `compact()` coded
 * take 4–5 s of processor a megabyte; below, the room for snapshots would weigh more.
 */
const SNAPSHOT_MIN_UNITS = 1_000_000;

/** A larger one is written piece by piece, since in memory it would be there twice. */
const WHOLE_MAX_BYTES = 64 * 1024 * 1024;

export interface RestoredIndexes {
  text: SemanticIndex | null;
  state: IndexState | null;
  /** Of the older one. */
  generation: number;
}

const NOTHING: RestoredIndexes = { text: null, state: null, generation: 0 };

/** What snapshots there are; one that can't be read is left, and built again. */
export async function restoreIndexes(
  store: MemoryStore,
  policy: SnapshotPolicy,
  textOptions: SemanticIndexOptions,
): Promise<RestoredIndexes> {
  if (policy === "never") return NOTHING;
  const [textFile, stateFile] = [
    (await latestText(store))?.file ?? null,
    await store.openDerived(STATE_SNAPSHOT),
  ];
  // One without the other saves nothing: both are filled from the same rows.
  if (textFile === null || stateFile === null) return NOTHING;
  try {
    const state = decodeIndexState(await stateFile.read());
    if (state === null) return NOTHING;
    const text = await SemanticIndex.restore(
      await textFile.read(),
      (ordinal) => store.catalog.byOrdinal(ordinal) !== undefined,
      textOptions,
    );
    return { text, state, generation: Math.min(textFile.generation, stateFile.generation) };
  } catch {
    return NOTHING;
  }
}

/** Writes them where the policy says so. */
export async function saveIndexes(
  store: MemoryStore,
  policy: SnapshotPolicy,
  text: SemanticIndex,
  state: IndexState,
): Promise<void> {
  if (policy === "never" || (policy === "auto" && text.textUnits < SNAPSHOT_MIN_UNITS)) return;
  const pieces = text.snapshotPieces();
  const isWhole = pieces.reduce((sum, { length }) => sum + length, 0) <= WHOLE_MAX_BYTES;
  const [first, second] = TEXT_SNAPSHOTS;
  const name = isWhole || (await latestText(store))?.name === second ? first : second;
  await store.writeDerived(name, isWhole ? concatBytes(pieces) : oneByOne(pieces));
  await store.removeDerived(name === first ? second : first);
  await store.writeDerived(STATE_SNAPSHOT, encodeIndexState(state));
}

async function latestText(
  store: MemoryStore,
): Promise<{ name: (typeof TEXT_SNAPSHOTS)[number]; file: DerivedFile } | null> {
  let latest: { name: (typeof TEXT_SNAPSHOTS)[number]; file: DerivedFile } | null = null;
  for (const name of TEXT_SNAPSHOTS) {
    const file = await store.openDerived(name);
    if (file !== null && (latest === null || file.generation > latest.file.generation))
      latest = { name, file };
  }
  return latest;
}

async function* oneByOne(pieces: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* pieces;
}
