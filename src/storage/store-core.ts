/** The parts of an open store that writing, recovery and compaction share. */

import { AppError } from "../errors.ts";
import type { FileStore } from "../ports/file-store.ts";
import { arrowSchemaMessage } from "./arrow-batch.ts";
import { ByteReader, ByteWriter, crc32c } from "./bytes.ts";
import { Journal, type Dictionary } from "./journal.ts";
import { readManifest, writeManifest, type Manifest } from "./manifest.ts";
import type { RowReader } from "./row-reader.ts";
import type { Segment } from "./segment.ts";
import type { StoreState } from "./store-state.ts";
import type { PrimeStore } from "./text-codec/prime-store.ts";
import type { Zstd } from "./zstd.ts";

export const DERIVED_PREFIX = "index/";
/** A derived file that tells of the rows of one segment only: it stays while the segment does. */
export const OF_SEGMENT = /^index\/.*\.segment-(\d+)$/;
export const DAMAGED_PREFIX = "damaged/";

export interface StoreCore {
  readonly files: FileStore;
  readonly zstd: Zstd;
  readonly state: StoreState;
  readonly reader: RowReader;
  manifest: Manifest;
  /** False while a copy of the manifest may be another one, that names `leftovers`: until then they stay. */
  mirrored: boolean;
  /** Files of compactions that are needed no more and still have to go, and memories that they may hold. */
  readonly leftovers: { paths: Set<string>; ids: Set<string> };
  journal: Journal;
  /** Readable segments by number. */
  readonly segments: Map<number, Segment>;
  /** Numbers of segments with unreadable parts: served as far as they go, never rewritten or removed. */
  readonly damagedSegments: Set<number>;
  readonly dictionaries: Map<number, Dictionary>;
  readonly primes: PrimeStore;
  /** Numbers of segments that have a copy of their light columns, see `catalog-copy.ts`. */
  readonly catalogCopies: Set<number>;
  /** Segments of fewer rows have none. */
  readonly catalogCopyFromRows: number;
  generation: number;
  /** Compactions of this opening after which nothing derived from older text may be written. */
  purges: number;
  nextOrdinal: number;
  /** Of the journals since the last compaction, before compression. */
  journalRows: number;
  journalPayloadBytes: number;
  readonly recovered: string[];
  /** Runs `work` alone among writers. */
  exclusive<T>(work: () => Promise<T>): Promise<T>;
}

export function dictionaryPath(number: number): string {
  return `dictionary-${number}`;
}

const DICTIONARY_MAGIC = 0x31434944; // "DIC1"
const MAX_DICTIONARY_BYTES = 1024 * 1024;

export function encodeDictionary(zstd: Zstd, bytes: Uint8Array): Uint8Array {
  const packed = zstd.compress(bytes, 19);
  return new ByteWriter().u32(DICTIONARY_MAGIC).u32(crc32c(packed)).bytes(packed).finish();
}

export function decodeDictionary(zstd: Zstd, file: Uint8Array, path: string): Uint8Array {
  const reader = new ByteReader(file, path);
  if (reader.u32() !== DICTIONARY_MAGIC) throw reader.fail("it has a wrong mark");
  const crc = reader.u32();
  const packed = reader.bytes(reader.remaining);
  if (crc32c(packed) !== crc) throw reader.fail("its check fails");
  return zstd.decompress(packed, { maxBytes: MAX_DICTIONARY_BYTES });
}

/** Commits a changed manifest. Resolves to whether files that only the old one names may go. */
export async function commitManifest(
  core: StoreCore,
  change: Partial<Omit<Manifest, "generation">>,
): Promise<boolean> {
  const manifest = { ...core.manifest, ...change, generation: core.manifest.generation + 1 };
  const before = core.mirrored;
  core.mirrored = false;
  try {
    core.mirrored = await writeManifest(core.files, manifest);
  } catch (error) {
    // Where nothing was committed, what was known before still holds.
    const found = await readManifest(core.files).catch(() => null);
    if (found?.manifest?.generation === core.manifest.generation) core.mirrored = before;
    throw error;
  }
  core.manifest = manifest;
  return core.mirrored;
}

/** Removes what compactions left. Tries every file; rejects while one is there. Not for use within `exclusive`. */
export async function removeLeftovers(core: StoreCore): Promise<void> {
  const { paths, ids } = core.leftovers;
  if (paths.size === 0) return;
  let cause: unknown;
  try {
    // Damage to the newer copy of the manifest would make the older one count.
    if (!core.mirrored) await core.exclusive(() => commitManifest(core, {}));
  } catch (error) {
    cause = error;
  }
  if (core.mirrored)
    for (const path of paths)
      try {
        await core.files.remove(path);
        paths.delete(path);
      } catch (error) {
        cause = error;
      }
  if (paths.size > 0) {
    const isFull = cause instanceof AppError && cause.code === "storage_full";
    throw new AppError(
      isFull ? "storage_full" : "storage_unavailable",
      `Old files couldn't be removed yet: ${[...paths].join(", ")}.`,
      {
        hint: "They may still hold what was erased. Free some space, close what else uses them, and try again.",
        retryable: true,
        cause,
      },
    );
  }
  ids.clear();
}

/** The journal list of the manifest with what the current one holds by now. */
export function journalsNow(core: StoreCore): Manifest["journals"] {
  return core.manifest.journals.map((journal) =>
    journal.number === core.journal.number
      ? { ...journal, minBytes: core.journal.sizeBytes }
      : journal,
  );
}

/** Starts a new journal; the ones before it are written to no more. Returns the number of the last old one. */
export async function rotateJournal(
  core: StoreCore,
  options: { useDictionary: boolean },
): Promise<number> {
  const frozen = core.journal.number;
  const number = core.manifest.nextNumber;
  const named = options.useDictionary ? core.manifest.dictionary : null;
  const dictionary = named === null ? null : (core.dictionaries.get(named) ?? null);
  const journal = await Journal.create(core.files, core.zstd, {
    number,
    dictionary,
    schema: arrowSchemaMessage(),
  });
  const mirrored = await commitManifest(core, {
    journals: [
      ...journalsNow(core),
      { number, minBytes: journal.sizeBytes, dictionary: dictionary ? named : null },
    ],
    nextNumber: number + 1,
  });
  core.journal = journal;
  if (!mirrored)
    // The older copy doesn't name the new journal; until it does, damage to the newer one would lose writes.
    await commitManifest(core, {});
  return frozen;
}

export function isCorrupt(error: unknown): error is AppError {
  return error instanceof AppError && error.code === "corrupt_data";
}

/** A disk may err once: what looks damaged is read again before anything is decided by it. */
export async function readAgain<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (!isUnread(error)) throw error;
    return read();
  }
}

/** Whether another try may succeed. */
export function isUnread(error: unknown): boolean {
  return isCorrupt(error) || (error instanceof AppError && error.code === "storage_unavailable");
}
