/** Snapshots of the indexes as derived data of the store: writing them, and what of them can be used again. */

import { concatBytes } from "../storage/bytes.ts";
import type { MemoryStore } from "../storage/memory-store.ts";
import { decodeIndexState, encodeIndexState, type IndexState } from "./index-state.ts";
import { SemanticIndex, type SemanticIndexOptions } from "./semantic-index.ts";

/** Whether snapshots are kept in the store. "auto": where building again would take a while. */
export type SnapshotPolicy = "auto" | "always" | "never";

const TEXT_SNAPSHOT = "fts";
const STATE_SNAPSHOT = "search-state";
/**
 * About 10,000 short memories. To build again is to read every text, and texts that `compact()` coded
 * take 4–5 s of processor a megabyte; below, the room for snapshots would weigh more.
 */
const SNAPSHOT_MIN_UNITS = 1_000_000;

/** Up to this size the one before stays until the next is whole; a larger one isn't held twice. */
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
    await store.openDerived(TEXT_SNAPSHOT),
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
  const sizeBytes = pieces.reduce((sum, piece) => sum + piece.length, 0);
  await store.writeDerived(
    TEXT_SNAPSHOT,
    sizeBytes <= WHOLE_MAX_BYTES ? concatBytes(pieces) : oneByOne(pieces),
  );
  await store.writeDerived(STATE_SNAPSHOT, encodeIndexState(state));
}

async function* oneByOne(pieces: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* pieces;
}
