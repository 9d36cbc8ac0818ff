/**
 * Folds journals into segments, merges small segments, rewrites what changed, and leaves out what
 * was forgotten. Writers go on meanwhile: a new journal is started first, and the result is swapped
 * in by one manifest write at the end. Until then nothing old is touched, so that a crash or a full
 * disk at any point leaves the store as it was.
 *
 * More than 400 lines: planning, writing and swapping share what has to be undone when one of them fails.
 */

import { checkpoint, type TaskOptions } from "../model/task-control.ts";
import { crc32c } from "./bytes.ts";
import { CatalogCopyEncoder, catalogCopyPath, writeCatalogCopy } from "./catalog-copy.ts";
import { isInDamagedSegment, markDamaged } from "./damage.ts";
import { trainDictionary } from "./dictionary.ts";
import { journalPath } from "./journal.ts";
import { carryOver } from "./compaction-carry.ts";
import type { Manifest, ManifestSegment } from "./manifest.ts";
import {
  SegmentCodings,
  isSmall,
  openCoding,
  planTexts,
  rewriteRows,
  sortPrimes,
  type TextPlan,
} from "./compaction-text.ts";
import { Segment, segmentPath } from "./segment.ts";
import { SQL_COPY } from "./sql-copies.ts";
import { primePaths } from "./text-codec/prime-store.ts";
import { TextSamples, byGroup, estimateBytes, readGroups } from "./compaction-rows.ts";
import { PageReuse, SegmentWriter, type Turns } from "./segment-writer.ts";
import {
  DERIVED_PREFIX,
  OF_SEGMENT,
  commitManifest,
  dictionaryPath,
  encodeDictionary,
  journalsNow,
  removeLeftovers,
  rotateJournal,
  type StoreCore,
} from "./store-core.ts";
import { isBare, writtenLevel, type MemoryRecord } from "./store-state.ts";

/** Content of one segment: the unit that an erase rewrites. */
const SEGMENT_CONTENT_BYTES = 16 * 1024 * 1024;
/** Segments with less content than this are merged with new rows. */
const SMALL_SEGMENT_BYTES = 4 * 1024 * 1024;
const SMALL_CODED_BYTES = 512 * 1024;

export interface CompactionOptions extends TaskOptions, Turns {
  /**
   * Forgotten memories to leave out: all, those being erased, or none. With "forgotten" moves to
   * lower keep levels are carried out, too: what can be undone ends with an explicit compaction.
   */
  drop: "forgotten" | "erased" | "none";
  /** ZSTD level of text. */
  level: number;
  /** Also rewrite segments whose text was packed at a lower level. */
  repack: boolean;
  /** Texts are coded when there are at least so many bytes of them; null: new ones are left to ZSTD. */
  codeTextsFromBytes: number | null;
}

interface Plan {
  frozen: number;
  generation: number;
  dropped: Set<string>;
  /** Segments whose row groups are written again one by one. */
  rewritten: Segment[];
  /** Segments whose rows are merged with those of the journals. */
  merged: Segment[];
  /** Rows to merge, oldest first. */
  rows: MemoryRecord[];
  bySegment: Map<Segment, MemoryRecord[]>;
  /** Text goes for good: nothing derived from stored text may stay. */
  purges: boolean;
  texts: TextPlan;
  /** Takes back that neighbours were joined over what is to go. */
  unmend(): void;
}

/** One new segment and where each record lies in it. */
interface Output {
  segment: Segment;
  info: ManifestSegment;
  placed: { record: MemoryRecord; storedBytes: number; group: number; index: number }[];
}

/**
 * Resolves to whether anything was changed; the old files are then among `leftovers`. Compactions
 * must not overlap; the caller sees to it.
 */
export async function compactStore(core: StoreCore, options: CompactionOptions): Promise<boolean> {
  const plan = await core.exclusive(() => planCompaction(core, options));
  if (!plan) return false;
  const written: string[] = [];
  let dictionary: number | null = null;
  try {
    const samples = new TextSamples([
      ...plan.rows,
      ...plan.rewritten.flatMap((segment) => plan.bySegment.get(segment) ?? []),
    ]);
    const takePrime = () => {
      const number = takeNumber(core);
      written.push(...primePaths(number));
      return number;
    };
    const coding = await openCoding(core, plan.texts, takePrime, options);
    const codings = new SegmentCodings(core, plan.texts.stale, coding);
    const outputs = await buildSegments(core, plan, options, { written, samples, codings });
    // A dictionary is made of stored text: one that may hold purged text goes with it.
    const wanted = plan.purges || core.manifest.dictionary === null;
    const trained = wanted ? trainDictionary(samples.texts) : null;
    if (trained) {
      dictionary = takeNumber(core);
      written.push(dictionaryPath(dictionary));
      const file = encodeDictionary(core.zstd, trained);
      await core.files.write(dictionaryPath(dictionary), file);
      core.dictionaries.set(dictionary, { bytes: trained, crc: crc32c(trained) });
    }
    await core.exclusive(() => swap(core, plan, outputs, dictionary));
    return true;
  } catch (error) {
    plan.unmend();
    for (const found of core.state.forgotten.values()) found.dropping = false;
    for (const record of core.state.records) if (record) record.sinking = null;
    const kept = new Set([
      ...core.manifest.segments.flatMap(({ number }) => [
        segmentPath(number),
        catalogCopyPath(number),
      ]),
      ...(core.manifest.primes ?? []).flatMap(({ number }) => primePaths(number)),
    ]);
    // What stays of them holds text that may be erased before the next opening.
    for (const path of written) if (!kept.has(path)) core.leftovers.paths.add(path);
    await removeLeftovers(core).catch(() => undefined);
    if (dictionary !== null) core.dictionaries.delete(dictionary);
    for (const { number } of core.primes.infos)
      if (!primePaths(number).some((path) => kept.has(path))) core.primes.forget(number);
    throw error;
  }
}

function takeNumber(core: StoreCore): number {
  const number = core.manifest.nextNumber;
  // Kept by the manifest that commits the file; after a crash the file is an orphan and the number free again.
  core.manifest = { ...core.manifest, nextNumber: number + 1 };
  return number;
}

async function planCompaction(core: StoreCore, options: CompactionOptions): Promise<Plan | null> {
  const { state } = core;
  const dropped = new Set<string>();
  for (const [id, found] of state.forgotten)
    if (options.drop !== "none" && (options.drop === "forgotten" || found.erase))
      if (!isInDamagedSegment(core, found.record)) dropped.add(id);
  const unmend = state.mend(dropped, core.journal.number);
  try {
    const plan = await planWithout(core, dropped, options);
    if (plan !== "damaged") return plan && { ...plan, unmend };
  } catch (error) {
    unmend();
    throw error;
  }
  // Damage found now is left out of another plan, instead of failing half-way.
  unmend();
  return planCompaction(core, options);
}

/** Starts a new journal, unless there is nothing to do (null) or a segment is found to be damaged. */
async function planWithout(
  core: StoreCore,
  dropped: Set<string>,
  options: CompactionOptions,
): Promise<Omit<Plan, "unmend"> | "damaged" | null> {
  const { state } = core;
  const live = state.records.filter(
    (record): record is MemoryRecord => record !== undefined && !dropped.has(record.entry.id),
  );

  const sinks = ({ entry, detail }: MemoryRecord) =>
    options.drop === "forgotten" && entry.keep !== detail;
  const rows: MemoryRecord[] = [];
  const bySegment = new Map<Segment, MemoryRecord[]>();
  const dirty = new Set<Segment>();
  for (const id of dropped) {
    const { place } = state.forgotten.get(id)!.record;
    if (place.kind === "segment") dirty.add(place.segment);
  }
  for (const record of live) {
    if (record.place.kind === "journal") rows.push(record);
    else {
      const { segment } = record.place;
      const own = bySegment.get(segment);
      if (own) own.push(record);
      else bySegment.set(segment, [record]);
      if (record.changedIn > 0 || sinks(record)) dirty.add(segment);
    }
  }
  const usable = [...core.segments.values()].filter(
    ({ info }) => !core.damagedSegments.has(info.number),
  );
  const exact = live.filter((record) => record.detail === "exact" && !sinks(record));
  const texts = planTexts(core, exact, options.codeTextsFromBytes);
  for (const segment of usable) {
    const { prime } = segment.info;
    if (prime !== undefined && texts.stale.has(prime)) dirty.add(segment);
    if (options.repack && texts.prime !== null && prime !== texts.prime) dirty.add(segment);
    if (options.repack && segment.info.level < options.level) dirty.add(segment);
    if (!bySegment.has(segment)) dirty.add(segment); // Nothing of it is live.
  }
  const limits = { plain: SMALL_SEGMENT_BYTES, coded: SMALL_CODED_BYTES };
  const small = usable.filter((segment) => isSmall(segment, texts, limits));
  const merging = rows.length > 0 || small.length > 1;
  const merged = merging ? small : [];
  const rewritten = usable.filter((segment) => dirty.has(segment) && !merged.includes(segment));
  // An older journal is there when a compaction failed: it may hold what this one leaves out.
  const hasChanges =
    core.journalPayloadBytes > 0 || dropped.size > 0 || core.manifest.journals.length > 1;
  if (!merging && rewritten.length === 0 && !hasChanges) return null;
  if (await markDamaged(core, [...merged, ...rewritten])) return "damaged";

  const sinking = live.filter((record) => sinks(record) && !isInDamagedSegment(core, record));
  const purges = dropped.size > 0 || sinking.length > 0;
  const generation = core.generation;
  const frozen = await rotateJournal(core, { useDictionary: !purges });
  for (const id of dropped) state.forgotten.get(id)!.dropping = true;
  for (const record of sinking) record.sinking = record.entry.keep;
  core.journalRows = 0;
  core.journalPayloadBytes = 0;
  for (const segment of merged) rows.push(...(bySegment.get(segment) ?? []));
  rows.sort((a, b) => a.entry.timestamp - b.entry.timestamp || a.entry.ordinal - b.entry.ordinal);
  return { frozen, generation, dropped, rewritten, merged, rows, bySegment, purges, texts };
}

async function buildSegments(
  core: StoreCore,
  plan: Plan,
  options: CompactionOptions,
  shared: { written: string[]; samples: TextSamples; codings: SegmentCodings },
): Promise<Output[]> {
  const { written, samples, codings } = shared;
  const outputs: Output[] = [];
  const total =
    plan.rows.length +
    plan.rewritten.reduce((sum, segment) => sum + (plan.bySegment.get(segment)?.length ?? 0), 0);
  let done = 0;
  const step = async (rows: number) => {
    done += rows;
    options.onProgress?.({ stage: "Compacting", done, total });
    await options.turn?.();
    await checkpoint(options);
  };
  const finish = async (
    writer: SegmentWriter,
    placed: Output["placed"],
    copy: CatalogCopyEncoder,
  ) => {
    const number = takeNumber(core);
    const finished = writer.finish(number);
    const editedAt = placed.reduce((last, { record }) => Math.max(last, record.editedAt), 0);
    const { bytes } = finished;
    const info = { ...finished.info, ...(editedAt > 0 ? { editedAt } : {}) };
    written.push(segmentPath(number));
    await core.files.write(segmentPath(number), bytes);
    const segment = await Segment.open(core.files, core.zstd, info, core.primes);
    await segment.verify();
    if (copy.rows >= core.catalogCopyFromRows) {
      written.push(catalogCopyPath(number));
      if (await writeCatalogCopy(core, info, copy)) core.catalogCopies.add(number);
    }
    outputs.push({ segment, info, placed });
  };

  for (const segment of plan.rewritten) {
    const records = plan.bySegment.get(segment) ?? [];
    if (records.length === 0) continue;
    const keepsLevel = !(options.repack && segment.info.level < options.level);
    const writer = new SegmentWriter(
      core.zstd,
      keepsLevel ? Math.max(segment.info.level, options.level) : options.level,
      codings.of(segment),
    );
    const placed: Output["placed"] = [];
    const copy = new CatalogCopyEncoder();
    let groups = 0;
    for (const [group, own] of byGroup(records)) {
      const reuse = new PageReuse();
      const { rows, kept } = await rewriteRows(segment, group, own, codings.of(segment), reuse);
      await writer.writeGroup(rows, keepsLevel ? reuse : null, kept, options);
      copy.add(rows);
      samples.add(rows);
      own.forEach((record, index) =>
        placed.push({ record, storedBytes: rows[index]!.storedBytes, group: groups, index }),
      );
      groups++;
      await step(own.length);
    }
    await finish(writer, placed, copy);
  }

  let copy = new CatalogCopyEncoder();
  let writer: SegmentWriter | null = null;
  let placed: Output["placed"] = [];
  let group = 0;
  let segmentContent = 0;
  for await (const { own, rows } of readGroups(plan.rows)) {
    writer ??= new SegmentWriter(core.zstd, options.level, codings.fresh);
    await writer.writeGroup(rows, null, [], options);
    copy.add(rows);
    samples.add(rows);
    own.forEach((record, index) =>
      placed.push({ record, storedBytes: rows[index]!.storedBytes, group, index }),
    );
    group++;
    segmentContent += estimateBytes(own);
    await step(own.length);
    if (segmentContent >= SEGMENT_CONTENT_BYTES) {
      await finish(writer, placed, copy);
      [writer, placed, group, segmentContent] = [null, [], 0, 0];
      copy = new CatalogCopyEncoder();
    }
  }
  if (writer) await finish(writer, placed, copy);
  return outputs;
}

async function swap(
  core: StoreCore,
  plan: Plan,
  outputs: readonly Output[],
  trained: number | null,
): Promise<void> {
  const { state } = core;
  const replaced = new Set([...plan.rewritten, ...plan.merged].map(({ info }) => info.number));
  await carryOver(core, plan, replaced);

  const oldJournals = core.manifest.journals.filter(({ number }) => number <= plan.frozen);
  const journals = journalsNow(core).filter(({ number }) => number > plan.frozen);
  const dictionary = trained ?? (plan.purges ? null : core.manifest.dictionary);
  const used = new Set([dictionary, ...journals.map((journal) => journal.dictionary)]);
  const known = [...core.manifest.dictionaries];
  if (trained !== null) {
    const { crc, bytes } = core.dictionaries.get(trained)!;
    known.push({ number: trained, sizeBytes: bytes.length, crc });
  }
  const dictionaries = known.filter(({ number }) => used.has(number));
  const segments = [
    ...core.manifest.segments.filter(({ number }) => !replaced.has(number)),
    ...outputs.map(({ info }) => info),
  ];
  const { primes, unusedPrimes } = sortPrimes(core, segments);
  // Read beforehand: what is written meanwhile and later found unclean goes by its writer.
  const derived = (await core.files.list(DERIVED_PREFIX)).filter(({ path }) => {
    const own = SQL_COPY.exec(path)?.[1] ?? OF_SEGMENT.exec(path)?.[1];
    return own === undefined ? plan.purges : replaced.has(Number(own));
  });
  const change: Partial<Manifest> = {
    baseGeneration: plan.generation + 1,
    segments,
    primes: primes.length > 0 ? primes : undefined,
    journals,
    dictionaries,
    dictionary,
    nextOrdinal: core.nextOrdinal,
  };
  await commitManifest(core, change);
  // From here on nothing may fail: what was is no more.
  core.generation++;
  for (const path of [
    ...oldJournals.map(({ number }) => journalPath(number)),
    ...[...replaced].map((number) => segmentPath(number)),
    ...known.filter(({ number }) => !used.has(number)).map(({ number }) => dictionaryPath(number)),
    ...unusedPrimes.flatMap(({ number }) => primePaths(number)),
    ...derived.map(({ path }) => path),
  ])
    core.leftovers.paths.add(path);
  for (const id of plan.dropped) core.leftovers.ids.add(id);

  for (const number of replaced) {
    core.segments.delete(number);
    core.catalogCopies.delete(number);
  }
  for (const { segment, placed } of outputs) {
    core.segments.set(segment.info.number, segment);
    for (const { record, storedBytes, group, index } of placed) {
      record.place = { kind: "segment", segment, group, index };
      record.entry.storedBytes = storedBytes;
      record.detail = writtenLevel(record);
      record.sinking = null;
      if (isBare(record.entry, record.detail)) {
        Object.assign(record, { embedding: null, text: null });
        Object.assign(record.entry, { embedded: false, embeddingModel: null });
      }
      if (record.changedIn > plan.frozen) continue;
      record.changedIn = 0;
      record.embedding = null;
      record.text = null;
    }
  }
  state.drop(plan.dropped);
  if (plan.purges) {
    core.reader.clear();
    core.purges++;
  }
  for (const { number } of unusedPrimes) core.primes.forget(number);
}
