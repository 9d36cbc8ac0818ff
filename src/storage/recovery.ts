/**
 * Opens a store folder: newest intact manifest, light columns of the segments, replay of the
 * journals. What is damaged is set aside and reported, what is intact is served; leftovers of an
 * interrupted compaction are removed.
 */

import { AppError } from "../errors.ts";
import type { FileStore } from "../ports/file-store.ts";
import { arrowSchemaMessage, columnsOfSchema, decodeBatch } from "./arrow-batch.ts";
import { crc32c, equalBytes } from "./bytes.ts";
import { entryFromRow } from "./catalog.ts";
import { readCatalogCopy, segmentOfCopy } from "./catalog-copy.ts";
import {
  Journal,
  journalPath,
  replayJournal,
  type Dictionary,
  type Frame,
  type Replay,
} from "./journal.ts";
import { decodeBundle, decodeChange, decodeVectors } from "./journal-records.ts";
import { MANIFEST_PATHS, readManifest, writeManifest, type Manifest } from "./manifest.ts";
import type { CatalogEntry } from "./memory-store.ts";
import { Segment, segmentPath } from "./segment.ts";
import {
  DAMAGED_PREFIX,
  DERIVED_PREFIX,
  decodeDictionary,
  dictionaryPath,
  isCorrupt,
  isUnread,
  readAgain,
} from "./store-core.ts";
import { StoreState } from "./store-state.ts";
import { PrimeStore, primeOfPath, primePath, primePaths } from "./text-codec/prime-store.ts";
import { SQL_COPY } from "./sql-copies.ts";
import type { Zstd } from "./zstd.ts";

export interface OpenedStore {
  manifest: Manifest;
  state: StoreState;
  segments: Map<number, Segment>;
  damagedSegments: Set<number>;
  dictionaries: Map<number, Dictionary>;
  primes: PrimeStore;
  /** Segments that were opened from their copies. */
  catalogCopies: Set<number>;
  /** Null when the last journal can't be written to: a new one must be started. */
  journal: Journal | null;
  generation: number;
  nextOrdinal: number;
  journalRows: number;
  journalPayloadBytes: number;
  recovered: string[];
  /** True when a journal holds damage that a compaction should leave behind. */
  damagedJournal: boolean;
}

export async function openStoreFiles(files: FileStore, zstd: Zstd): Promise<OpenedStore> {
  const recovered: string[] = [];
  const manifest = await openManifest(files, zstd, recovered);
  const opened: OpenedStore = {
    manifest,
    state: new StoreState(manifest.nextOrdinal),
    segments: new Map(),
    damagedSegments: new Set(),
    dictionaries: new Map(),
    primes: new PrimeStore(files),
    catalogCopies: new Set(),
    journal: null,
    generation: manifest.baseGeneration,
    nextOrdinal: manifest.nextOrdinal,
    journalRows: 0,
    journalPayloadBytes: 0,
    recovered,
    damagedJournal: false,
  };
  for (const info of manifest.segments) await openSegment(files, zstd, opened, info);
  for (const prime of manifest.primes ?? []) await openPrime(opened, prime);
  for (const named of manifest.dictionaries) await openDictionary(files, zstd, opened, named);
  for (const journal of manifest.journals) await openJournal(files, zstd, opened, journal);
  opened.state.catalog.reserve(opened.nextOrdinal);
  await removeOrphans(files, manifest, recovered);
  if (opened.damagedJournal || opened.damagedSegments.size > 0)
    // Their stamp could match by chance, now that changes are missing. Copies tell of their segment alone.
    for (const { path } of await files.list(DERIVED_PREFIX))
      if (segmentOfCopy(path) === null) await files.remove(path);
  opened.primes.warm();
  return opened;
}

async function openManifest(files: FileStore, zstd: Zstd, recovered: string[]): Promise<Manifest> {
  const { manifest, damaged, uneven } = await readManifest(files);
  if (manifest) {
    if (damaged.length > 0)
      recovered.push(
        `One of the two copies of the manifest (${damaged.join(", ")}) was damaged; the other was used and the damaged one written again.`,
      );
    if (!uneven) return manifest;
    const even = { ...manifest, generation: manifest.generation + 1 };
    await writeManifest(files, even);
    return even;
  }
  if (damaged.length > 0)
    throw new AppError(
      "corrupt_data",
      `No copy of the store's manifest is intact (${damaged.join(", ")}).`,
      { hint: "Restore manifest-a or manifest-b from a copy. Nothing was changed." },
    );
  await checkFresh(files, zstd);
  const journal = await Journal.create(files, zstd, {
    number: 1,
    dictionary: null,
    schema: arrowSchemaMessage(),
  });
  const fresh: Manifest = {
    generation: 1,
    baseGeneration: 0,
    segments: [],
    journals: [{ number: 1, minBytes: journal.sizeBytes, dictionary: null }],
    dictionaries: [],
    dictionary: null,
    nextNumber: 2,
    nextOrdinal: 0,
  };
  await writeManifest(files, fresh);
  return fresh;
}

/** Without a manifest there may only be what an interrupted creation leaves: an empty first journal. */
async function checkFresh(files: FileStore, zstd: Zstd): Promise<void> {
  for (const { path } of await files.list()) {
    const own = /^(segments|journal-|dictionary-|prime-)/.test(path);
    if (!own) continue;
    if (path === journalPath(1)) {
      const replay = await replayJournal(files, zstd, 1, null).catch(() => null);
      const empty = replay?.frames.every((frame) => frame.kind === "schema") ?? false;
      if (empty && replay!.damaged.length === 0 && replay!.intactBytes === replay!.sizeBytes)
        continue;
    }
    throw new AppError(
      "corrupt_data",
      `The store's manifest is missing, but "${path}" holds memories.`,
      {
        hint: `Restore ${MANIFEST_PATHS.join(" or ")} from a copy. Nothing was changed.`,
      },
    );
  }
}

async function openSegment(
  files: FileStore,
  zstd: Zstd,
  opened: OpenedStore,
  info: Manifest["segments"][number],
): Promise<void> {
  const report = (rows: number, why: string) => {
    opened.damagedSegments.add(info.number);
    opened.recovered.push(
      `${why} Its ${rows} memories can't be read; the file is kept as it is, everything else is there.`,
    );
  };
  let segment: Segment;
  try {
    segment = await readAgain(() => Segment.open(files, zstd, info, opened.primes));
  } catch (error) {
    if (!isCorrupt(error)) throw error;
    report(info.rows, error.message);
    return;
  }
  opened.segments.set(info.number, segment);
  const take = (entry: CatalogEntry, group: number, index: number): void => {
    opened.state.addFromSegment(entry, segment, group, index);
    opened.nextOrdinal = Math.max(opened.nextOrdinal, entry.ordinal + 1);
  };
  const copy = await readCatalogCopy(files, zstd, segment);
  if (copy) opened.catalogCopies.add(info.number);
  for (let group = 0; group < segment.groups.length; group++) {
    const { firstRow, rows } = segment.groups[group]!;
    if (copy) {
      for (let index = 0; index < rows; index++) take(copy[firstRow + index]!, group, index);
      continue;
    }
    try {
      const light = await readAgain(() => segment.readLightRows(group));
      light.forEach((row, index) => take(entryFromRow(row), group, index));
    } catch (error) {
      if (!isCorrupt(error)) throw error;
      report(segment.groups[group]!.rows, error.message);
    }
  }
}

/** Without its prime a segment's coded texts can't be read: everything else of it can. */
async function openPrime(
  opened: OpenedStore,
  prime: NonNullable<Manifest["primes"]>[number],
): Promise<void> {
  try {
    if (await opened.primes.open(prime))
      opened.recovered.push(`"${primePath(prime.number)}" was damaged and could be repaired.`);
  } catch (error) {
    if (!isCorrupt(error)) throw error;
    let rows = 0;
    for (const { info, blocks } of opened.segments.values()) {
      if (info.prime !== prime.number || blocks.length === 0) continue;
      opened.damagedSegments.add(info.number);
      rows += new Set(blocks.flatMap((block) => block.rows.map((row) => `${block.group}/${row}`)))
        .size;
    }
    opened.recovered.push(`${error.message} The texts of ${rows} memories can't be read.`);
  }
}

async function openDictionary(
  files: FileStore,
  zstd: Zstd,
  opened: OpenedStore,
  named: Manifest["dictionaries"][number],
): Promise<void> {
  const path = dictionaryPath(named.number);
  try {
    const bytes = await readAgain(async () => {
      const decoded = decodeDictionary(zstd, await files.read(path), path);
      if (crc32c(decoded) !== named.crc)
        throw new AppError("corrupt_data", `"${path}" fails its check.`);
      return decoded;
    });
    const { crc } = named;
    opened.dictionaries.set(named.number, { bytes, crc });
  } catch (error) {
    if (!isCorrupt(error) && !(error instanceof AppError && error.code === "not_found"))
      throw error;
    opened.recovered.push(`The compression dictionary "${path}" is damaged or missing.`);
  }
}

async function openJournal(
  files: FileStore,
  zstd: Zstd,
  opened: OpenedStore,
  { number, minBytes, dictionary }: Manifest["journals"][number],
): Promise<void> {
  const path = journalPath(number);
  const isLast = number === opened.manifest.journals.at(-1)!.number;
  const known = dictionary === null ? null : (opened.dictionaries.get(dictionary) ?? null);
  const report = async (text: string) => {
    opened.damagedJournal = true;
    opened.recovered.push(text);
    const size = (await files.stat(path))?.sizeBytes ?? 0;
    if (size > 0) await setAside(files, path);
  };
  let replay;
  try {
    replay = await replayBest(() => replayJournal(files, zstd, number, known), minBytes);
  } catch (error) {
    if (isCorrupt(error))
      await report(`${error.message} What it held is lost; the file was set aside.`);
    else if (error instanceof AppError && error.code === "not_found") {
      opened.damagedJournal = true;
      opened.recovered.push(`"${path}" is missing: the writes since the last compaction are lost.`);
    } else throw error;
    return;
  }
  const schema = replay.frames.find(({ kind }) => kind === "schema")?.payload ?? null;
  let columns: number | undefined;
  for (const frame of replay.frames)
    try {
      if (frame.kind === "schema") columns = columnsOfSchema(frame.payload);
      else applyFrame(opened, frame, number, columns);
    } catch (error) {
      if (!isCorrupt(error)) throw error;
      await report(`${error.message} The journal was set aside.`);
    }
  for (const range of replay.damaged)
    await report(
      `${range.length} bytes at ${range.offset} of ${path} are damaged (${range.reason}); what they held is lost, everything after them was kept, and the file was set aside.`,
    );
  const tail = replay.sizeBytes - replay.intactBytes;
  if (replay.intactBytes < minBytes)
    await report(
      `${path} is damaged: ${minBytes - replay.intactBytes} bytes of acknowledged writes at its end are lost; the file was set aside.`,
    );
  else if (tail > 0)
    opened.recovered.push(
      `An unfinished write of ${tail} bytes at the end of ${path} was removed; it had not been acknowledged.`,
    );
  if (!isLast) return;
  opened.journal = new Journal(files, zstd, {
    number,
    dictionary: known,
    sizeBytes: replay.sizeBytes,
  });
  if (tail > 0) await opened.journal.cutTo(replay.intactBytes);
  // Written with a dictionary that is gone: don't add to it.
  if (dictionary !== null && !known) opened.journal = null;
  // Begun by an older program, with other columns.
  if (schema && !equalBytes(schema, arrowSchemaMessage())) opened.journal = null;
}

/** The reading of which more is intact, where the first one isn't whole. */
async function replayBest(read: () => Promise<Replay>, minBytes: number): Promise<Replay> {
  const first = await readAgain(read);
  const isWhole =
    first.damaged.length === 0 &&
    first.intactBytes === first.sizeBytes &&
    first.sizeBytes >= minBytes;
  if (isWhole) return first;
  const second = await read().catch((error: unknown) => {
    if (!isUnread(error)) throw error;
    return first;
  });
  return second.frames.length >= first.frames.length ? second : first;
}

function applyFrame(
  opened: OpenedStore,
  frame: Frame,
  number: number,
  columns: number | undefined,
): void {
  const { state } = opened;
  // A change that is repeated from older journals may have come at any time before.
  state.generation = opened.generation + 1;
  switch (frame.kind) {
    case "memories": {
      const rows = decodeBatch(frame.payload, columns);
      state.applyMemories(rows, number);
      for (const row of rows) opened.nextOrdinal = Math.max(opened.nextOrdinal, row.ordinal + 1);
      opened.journalRows += rows.length;
      opened.generation++;
      break;
    }
    case "change": {
      const change = decodeChange(frame.payload);
      state.applyChange(change, number);
      if (!change.carried) opened.generation++;
      break;
    }
    case "vectors": {
      const batch = decodeVectors(frame.payload);
      state.applyVectors(batch, number);
      if (!batch.carried) opened.generation++;
      break;
    }
    case "bundle": {
      const bundle = decodeBundle(frame.payload, columns);
      state.applyBundle(bundle, number);
      for (const row of bundle.rows)
        opened.nextOrdinal = Math.max(opened.nextOrdinal, row.ordinal + 1);
      opened.journalRows += bundle.rows.length;
      opened.generation++;
      break;
    }
    case "schema":
      break;
  }
  opened.journalPayloadBytes += frame.payload.length;
}

/** A copy of damaged bytes for whoever wants to rescue more; made once. */
async function setAside(files: FileStore, path: string): Promise<void> {
  const bytes = await files.read(path);
  const crc = crc32c(bytes).toString(16).padStart(8, "0");
  const aside = `${DAMAGED_PREFIX}${path.replaceAll("/", "-")}-${crc}`;
  if (!(await files.stat(aside))) await files.write(aside, bytes);
}

async function removeOrphans(
  files: FileStore,
  manifest: Manifest,
  recovered: string[],
): Promise<void> {
  const current = new Set([
    ...manifest.segments.map(({ number }) => segmentPath(number)),
    ...manifest.journals.map(({ number }) => journalPath(number)),
    ...manifest.dictionaries.map(({ number }) => dictionaryPath(number)),
    ...(manifest.primes ?? []).flatMap(({ number }) => primePaths(number)),
  ]);
  const orphans = (await files.list()).filter(
    ({ path }) =>
      (/^(segments\/\d+\.parquet|journal-\d+|dictionary-\d+)$/.test(path) ||
        primeOfPath(path) !== null) &&
      !current.has(path),
  );
  for (const { path } of orphans) await files.remove(path);
  const isOrphanCopy = (path: string): boolean => {
    const segment = segmentOfCopy(path);
    return segment !== null && !current.has(segmentPath(segment));
  };
  // Copies that SQL was given are of this process's life only.
  for (const { path } of await files.list(DERIVED_PREFIX))
    if (SQL_COPY.test(path) || isOrphanCopy(path)) await files.remove(path);
  if (orphans.length > 0)
    recovered.push(
      `${orphans.length} leftover ${orphans.length === 1 ? "file" : "files"} of an interrupted compaction ${orphans.length === 1 ? "was" : "were"} removed; nothing of it was lost.`,
    );
}
