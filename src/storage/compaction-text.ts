/**
 * Which texts a compaction codes, and from which prime. A prime lasts while every memory that it
 * quotes is there in full and the text hasn't outgrown it; else what was coded with it is written
 * anew and the prime goes.
 */

import type { TaskOptions } from "../model/task-control.ts";
import { nextTurn } from "../next-turn.ts";
import { isCorrupt, type StoreCore } from "./store-core.ts";
import type { ManifestSegment } from "./manifest.ts";
import type { PageReuse } from "./segment-writer.ts";
import { currentRow, writtenLevel, type MemoryRecord } from "./store-state.ts";
import type { StoredRow } from "./stored-row.ts";
import { parityBytes } from "./text-codec/prime-parity.ts";
import type { PrimeInfo } from "./text-codec/prime-store.ts";
import { concatBytes } from "./bytes.ts";
import { decodeText, type Segment } from "./segment.ts";
import { MAX_CODED_BYTES, PRIME_BYTES } from "./text-codec/text-blocks.ts";
import { WasmTextModel } from "./text-codec/wasm-model.ts";
import { TextCodec } from "./text-codec/text-codec.ts";
import type { PackedBlock, TextCoding } from "./text-codec/text-coder.ts";

/** A store that has grown this much since gets a larger prime, up to the largest. */
const OUTGROWN = 4;

export interface TextPlan {
  /** Primes that quote text which goes with this compaction. */
  stale: Set<number>;
  /** Code texts with this prime, with a new one, or leave new texts to ZSTD. */
  prime: number | "new" | null;
  /** Bytes of text that can be coded, and the memories it is of, by time. */
  coveredBytes: number;
  exact: MemoryRecord[];
}

/**
 * @param exact memories that are kept in full after this compaction
 * @param minBytes least text worth a prime; null where nothing is to be coded
 */
export function planTexts(
  core: StoreCore,
  exact: readonly MemoryRecord[],
  minBytes: number | null,
): TextPlan {
  const there = new Set(exact.map(({ entry }) => entry.ordinal));
  const stale = new Set<number>();
  const usable: number[] = [];
  const codable = exact.filter(({ entry }) => entry.originalBytes <= MAX_CODED_BYTES);
  const coveredBytes = codable.reduce((sum, { entry }) => sum + entry.originalBytes, 0);
  for (const { number } of core.primes.infos) {
    const header = core.primes.header(number)!;
    if (!header.ordinals.every((ordinal) => there.has(ordinal))) stale.add(number);
    else if (header.sizeBytes > PRIME_BYTES * 0.9 || coveredBytes <= header.coveredBytes * OUTGROWN)
      usable.push(number);
  }
  const plan = { stale, coveredBytes, exact: codable };
  // Without SIMD coding would take minutes per megabyte.
  const coding = minBytes !== null && coveredBytes >= minBytes && WasmTextModel.isSupported();
  if (!coding) return { ...plan, prime: null };
  return { ...plan, prime: usable.length > 0 ? Math.max(...usable) : "new" };
}

/** What a segment is coded with after this compaction, when it is rewritten. */
export class SegmentCodings {
  readonly #core: StoreCore;
  readonly #stale: ReadonlySet<number>;
  /** For texts that are coded anew; null: they aren't. */
  readonly fresh: TextCoding | null;

  constructor(core: StoreCore, stale: ReadonlySet<number>, fresh: TextCoding | null) {
    this.#core = core;
    this.#stale = stale;
    this.fresh = fresh;
  }

  /** Coding of a segment's rewritten form: the fresh one, or its blocks carried over as they are. */
  of(segment: Segment): TextCoding | null {
    const { prime } = segment.info;
    if (this.fresh) return this.fresh;
    if (prime === undefined || this.#stale.has(prime)) return null;
    return { prime, codec: null, primeShare: primeShare(this.#core, prime) };
  }
}

function primeShare(core: StoreCore, prime: number): number {
  const header = core.primes.header(prime);
  const info = core.primes.infos.find(({ number }) => number === prime);
  if (!header || !info) return 0;
  return (info.sizeBytes + parityBytes(info.sizeBytes)) / Math.max(1, header.coveredBytes);
}

/** Brings up the planned prime's model; makes the prime when it is new. Null: nothing is coded. */
export async function openCoding(
  core: StoreCore,
  plan: TextPlan,
  takeNumber: () => number,
  options: TaskOptions,
): Promise<TextCoding | null> {
  if (plan.prime === null) return null;
  if (plan.prime !== "new") {
    const codec = await core.primes.codec(plan.prime);
    const share = primeShare(core, plan.prime);
    return { prime: plan.prime, codec, primeShare: share };
  }
  const sample = await sampleTexts(core, plan);
  options.onProgress?.({ stage: "Learning the text", done: 0, total: null });
  const { ordinals, text } = sample;
  const { coveredBytes } = plan;
  const { codec, file } = await TextCodec.create(text, { ordinals, coveredBytes }, options);
  const number = takeNumber();
  await core.primes.add(number, codec, file);
  return { prime: number, codec, primeShare: primeShare(core, number) };
}

/** Every so many-th text, at most half of all, so that all times and sources are in it. */
async function sampleTexts(
  core: StoreCore,
  plan: TextPlan,
): Promise<{ text: Uint8Array; ordinals: number[] }> {
  const limit = Math.min(PRIME_BYTES, plan.coveredBytes / 2);
  const every = Math.max(2, plan.coveredBytes / limit);
  const records = plan.exact.toSorted((a, b) => a.entry.timestamp - b.entry.timestamp);
  const encoder = new TextEncoder();
  const text = new Uint8Array(PRIME_BYTES);
  const ordinals: number[] = [];
  let size = 0;
  for (let at = 0; at < records.length; at += every) {
    const record = records[Math.floor(at)]!;
    let content: string | null;
    try {
      content = await core.reader.content(record);
    } catch (error) {
      if (!isCorrupt(error)) throw error;
      continue; // its segment is set apart, not coded
    }
    if (content === null || content === "") continue;
    const bytes = encoder.encode(content);
    if (size + bytes.length + 1 > limit) continue;
    text.set(bytes, size);
    size += bytes.length + 1; // ended by a zero byte, as in the blocks
    ordinals.push(record.entry.ordinal);
  }
  return { text: text.subarray(0, size), ordinals };
}

/**
 * The blocks of a row group that can go over as they are: coded with the same prime, and all of
 * their rows still there.
 * @param newRows by old row: the new one
 */
async function keptBlocks(
  segment: Segment,
  group: number,
  coding: TextCoding | null,
  newRows: ReadonlyMap<number, number>,
): Promise<PackedBlock[]> {
  const kept: PackedBlock[] = [];
  if (coding === null || segment.info.prime !== coding.prime) return kept;
  for (const [number, block] of segment.blocks.entries()) {
    if (block.group !== group || !block.rows.every((row) => newRows.has(row))) continue;
    kept.push({
      kind: block.kind,
      rows: block.rows.map((row) => newRows.get(row)!),
      packed: await segment.packedBlock(number),
      sizeBytes: block.sizeBytes,
    });
  }
  return kept;
}

/** The text of a coded row whose block doesn't go over, through a cache of one row group's blocks. */
async function codedText(
  segment: Segment,
  numbers: readonly number[],
  row: number,
  cache: Map<number, Uint8Array[]>,
): Promise<string> {
  const parts: Uint8Array[] = [];
  for (const number of numbers) {
    let texts = cache.get(number);
    if (!texts) {
      texts = await segment.readBlock(number);
      cache.set(number, texts);
      await nextTurn();
    }
    parts.push(texts[segment.blocks[number]!.rows.indexOf(row)]!);
  }
  return decodeText(concatBytes(parts));
}

/** Whether a segment is merged with new rows: decoding coded texts to do so costs seconds per megabyte. */
export function isSmall(
  { info }: Segment,
  texts: TextPlan,
  limits: { plain: number; coded: number },
): boolean {
  const { prime } = info;
  const lasts = prime !== undefined && !texts.stale.has(prime) && texts.prime !== "new";
  if (!lasts) return info.contentBytes < limits.plain;
  return prime === texts.prime && info.contentBytes < limits.coded;
}

/** Primes that segments use, also those that can't be read now, and those that none uses. */
export function sortPrimes(
  core: StoreCore,
  segments: readonly ManifestSegment[],
): { primes: PrimeInfo[]; unusedPrimes: PrimeInfo[] } {
  const known = new Map<number, PrimeInfo>();
  for (const info of [...(core.manifest.primes ?? []), ...core.primes.infos])
    known.set(info.number, info);
  const used = new Set(segments.map(({ prime }) => prime));
  return {
    primes: [...known.values()].filter(({ number }) => used.has(number)),
    unusedPrimes: [...known.values()].filter(({ number }) => !used.has(number)),
  };
}

/** A row in its old place, for `rewriteRows`. */
const oldIndex = (record: MemoryRecord): number => (record.place as { index: number }).index;

/** The rows of a rewritten row group; of those in blocks that go over as they are, without content. */
export async function rewriteRows(
  segment: Segment,
  group: number,
  own: readonly MemoryRecord[],
  coding: TextCoding | null,
  reuse: PageReuse,
): Promise<{ rows: StoredRow[]; kept: PackedBlock[] }> {
  const old = await segment.readRows(group, { reuse, withoutCoded: true });
  const staying = new Map<number, number>();
  own.forEach((record, index) => {
    if (writtenLevel(record) === "exact") staying.set(oldIndex(record), index);
  });
  const kept = await keptBlocks(segment, group, coding, staying);
  const done = new Set(kept.flatMap((block) => block.rows));
  const cache = new Map<number, Uint8Array[]>();
  const rows: StoredRow[] = [];
  for (const [index, record] of own.entries()) {
    const row = old[oldIndex(record)]!;
    const blocks = segment.blocksOf(group, oldIndex(record));
    if (blocks.length > 0 && !done.has(index) && staying.has(oldIndex(record)))
      row.content = await codedText(segment, blocks, oldIndex(record), cache);
    rows.push(currentRow(record, row));
  }
  return { rows, kept };
}
