/**
 * A copy of what the catalog holds of one segment, in columns that open ten times as fast as the
 * segment's own: texts lie in one piece and are cut by their lengths, what repeats is there once,
 * neighbours are named by their distance. Derived data: a copy that is missing, damaged or of another
 * segment is passed over, the segment read instead, and the copy made again.
 *
 * Bytes (little-endian): magic, version u16, footer check u32 and size u32 of the segment, rows u32,
 * then sections (u32 length, bytes) in the order in which `decodeCatalogCopy` reads them.
 */

import type { CompressionMode, KeepLevel, QualityVector } from "../model/memory.ts";
import type { FileStore } from "../ports/file-store.ts";
import { ByteReader, ByteWriter } from "./bytes.ts";
import { encodeDerived, openDerived } from "./derived.ts";
import type { ManifestSegment } from "./manifest.ts";
import type { CatalogEntry } from "./memory-store.ts";
import type { Segment } from "./segment.ts";
import { DERIVED_PREFIX, isUnread, type StoreCore } from "./store-core.ts";
import type { StoredRow } from "./stored-row.ts";
import type { Zstd } from "./zstd.ts";

const MAGIC = 0x43434c4c; // "LLCC"
const VERSION = 1;
const NULL = 0xffffffff;
const QUALITY_VALUES = 5;

export function catalogCopyPath(segment: number): string {
  return `${DERIVED_PREFIX}catalog.segment-${segment}`;
}

/** Which segment a path's copy is of; null for other files. */
export function segmentOfCopy(path: string): number | null {
  const found = /^index\/catalog\.segment-(\d+)$/.exec(path);
  return found ? Number(found[1]) : null;
}

/** Distinct texts by the order in which they came. */
class Texts {
  readonly list: string[] = [];
  readonly #numbers = new Map<string, number>();

  number(text: string | null): number {
    if (text === null) return NULL;
    let number = this.#numbers.get(text);
    if (number === undefined) {
      number = this.list.length;
      this.list.push(text);
      this.#numbers.set(text, number);
    }
    return number;
  }
}

const LABELS = ["userId", "keep", "mode", "model", "embeddingModel"] as const;
const NUMBERS = [
  "timestamp",
  "recordedAt",
  "validFrom",
  "validTo",
  "originalBytes",
  "storedBytes",
] as const;
const REFERENCES = ["previousId", "nextId", "episodeId", "supersedes", "supersededBy"] as const;

/** Takes a segment's rows as they are written. */
export class CatalogCopyEncoder {
  readonly #ids: string[] = [];
  readonly #hashes: string[] = [];
  readonly #ordinals: number[] = [];
  readonly #activations: number[] = [];
  readonly #numbers = NUMBERS.map((): number[] => []);
  readonly #labels = LABELS.map(() => ({ texts: new Texts(), of: [] as number[] }));
  readonly #references = REFERENCES.map((): (string | null)[] => []);
  readonly #qualities: QualityVector[] = [];
  readonly #qualityNumbers = new Map<string, number>();
  readonly #qualityOf: number[] = [];
  readonly #keys = new Texts();
  readonly #keysOf: number[] = [];
  readonly #values = new Texts();
  readonly #valuesOf: number[] = [];

  get rows(): number {
    return this.#ids.length;
  }

  add(rows: readonly StoredRow[]): void {
    for (const row of rows) {
      this.#ids.push(row.id);
      this.#hashes.push(row.contentSha256);
      this.#ordinals.push(row.ordinal);
      this.#activations.push(row.activation);
      NUMBERS.forEach((name, i) => this.#numbers[i]!.push(row[name] ?? NaN));
      LABELS.forEach((name, i) => {
        const { texts, of } = this.#labels[i]!;
        of.push(texts.number(row[name]));
      });
      REFERENCES.forEach((name, i) => this.#references[i]!.push(row[name]));
      this.#qualityOf.push(this.#qualityNumber(row.quality));
      this.#keysOf.push(this.#keys.number(JSON.stringify(Object.keys(row.metadata))));
      for (const value of Object.values(row.metadata))
        this.#valuesOf.push(this.#values.number(value));
    }
  }

  #qualityNumber(quality: QualityVector): number {
    const key = qualityValues(quality).join();
    let number = this.#qualityNumbers.get(key);
    if (number === undefined) {
      number = this.#qualities.length;
      this.#qualities.push(quality);
      this.#qualityNumbers.set(key, number);
    }
    return number;
  }

  finish(info: Pick<ManifestSegment, "footerCrc" | "sizeBytes">): Uint8Array {
    const writer = new ByteWriter().u32(MAGIC).u16(VERSION);
    writer.u32(info.footerCrc).u32(info.sizeBytes >>> 0);
    writer.u32(this.rows);
    const section = (bytes: Uint8Array) => void writer.u32(bytes.length).bytes(bytes);
    const texts = (list: readonly string[]): void => {
      section(bytesOf(Uint32Array.from(list, ({ length }) => length)));
      section(new TextEncoder().encode(list.join("")));
    };
    texts(this.#ids);
    texts(this.#hashes);
    section(bytesOf(Uint32Array.from(this.#ordinals)));
    section(bytesOf(Float32Array.from(this.#activations)));
    for (const values of this.#numbers) section(bytesOf(Float64Array.from(values)));
    for (const label of this.#labels) {
      texts(label.texts.list);
      section(bytesOf(Uint32Array.from(label.of)));
    }
    const rowOf = new Map(this.#ids.map((id, row) => [id, row]));
    const foreign = new Texts();
    const references = this.#references.map((ids) =>
      Uint32Array.from(ids, (id, row) => {
        if (id === null) return 0;
        const target = rowOf.get(id);
        if (target === undefined) return 2 + 2 * foreign.number(id);
        return 1 + 2 * zigzag(target - row);
      }),
    );
    texts(foreign.list);
    for (const column of references) section(bytesOf(column));
    section(bytesOf(Float64Array.from(this.#qualities.flatMap(qualityValues))));
    section(bytesOf(Uint32Array.from(this.#qualityOf)));
    texts(this.#keys.list);
    section(bytesOf(Uint32Array.from(this.#keysOf)));
    texts(this.#values.list);
    section(bytesOf(Uint32Array.from(this.#valuesOf)));
    return writer.finish();
  }
}

const zigzag = (value: number): number => (value < 0 ? -2 * value - 1 : 2 * value);
const unzigzag = (value: number): number => (value % 2 === 1 ? -(value + 1) / 2 : value / 2);

function qualityValues(quality: QualityVector): number[] {
  const { similarity, coverage, entityRecall, numberRecall, faithfulness } = quality;
  return [similarity ?? NaN, coverage ?? NaN, entityRecall, numberRecall, faithfulness];
}

function bytesOf(values: Uint32Array | Float32Array | Float64Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

/** Entries in the order of the segment's rows; null for bytes that aren't this segment's copy. */
export function decodeCatalogCopy(
  bytes: Uint8Array,
  info: Pick<ManifestSegment, "footerCrc" | "sizeBytes" | "rows">,
): CatalogEntry[] | null {
  const reader = new ByteReader(bytes, "copy of a catalog");
  if (reader.u32() !== MAGIC || reader.u16() !== VERSION) return null;
  if (reader.u32() !== info.footerCrc || reader.u32() !== info.sizeBytes >>> 0) return null;
  const count = reader.u32();
  if (count !== info.rows) return null;
  const section = (): Uint8Array => reader.bytes(reader.u32());
  /** A copy of its own: sections lie at any address. */
  const words = (length?: number): Uint32Array => {
    const found = new Uint32Array(section().slice().buffer);
    if (length !== undefined && found.length !== length) throw reader.fail("a column is cut off");
    return found;
  };
  const floats = (length?: number): Float64Array => {
    const found = new Float64Array(section().slice().buffer);
    if (length !== undefined && found.length !== length) throw reader.fail("a column is cut off");
    return found;
  };
  const texts = (length?: number): string[] => {
    const lengths = words(length);
    const joined = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(section());
    let at = 0;
    return Array.from(lengths, (size) => joined.slice(at, (at += size)));
  };
  const ids = texts(count);
  const hashes = texts(count);
  const ordinals = words(count);
  const activations = new Float32Array(section().slice().buffer);
  const numbers = NUMBERS.map(() => floats(count));
  const labels = LABELS.map(() => ({ list: texts(), of: words(count) }));
  const foreign = texts();
  const references = REFERENCES.map(() => words(count));
  const qualities = qualitiesOf(floats());
  const qualityOf = words(count);
  const keyLists = texts().map((list) => JSON.parse(list) as string[]);
  const keysOf = words(count);
  const values = texts();
  const valuesOf = words();

  const [times, recorded, from, to, originalBytes, storedBytes] = numbers as [
    Float64Array,
    ...Float64Array[],
  ] as Float64Array[];
  const label = (which: number, row: number): string | null => {
    const { list, of } = labels[which]!;
    return of[row] === NULL ? null : list[of[row]!]!;
  };
  const reference = (which: number, row: number): string | null => {
    const code = references[which]![row]!;
    if (code === 0) return null;
    return code % 2 === 0 ? foreign[(code - 2) / 2]! : ids[row + unzigzag((code - 1) / 2)]!;
  };
  const orNull = (value: number): number | null => (Number.isNaN(value) ? null : value);
  let valueAt = 0;
  const entries = new Array<CatalogEntry>(count);
  for (let row = 0; row < count; row++) {
    const keys = keyLists[keysOf[row]!]!;
    const metadata = metadataOf(keys, values, valuesOf, valueAt);
    valueAt += keys.length;
    const embeddingModel = label(4, row);
    entries[row] = {
      ordinal: ordinals[row]!,
      id: ids[row]!,
      timestamp: times![row]!,
      recordedAt: recorded![row]!,
      activation: activations[row]!,
      userId: label(0, row)!,
      keep: label(1, row) as KeepLevel,
      metadata,
      previousId: reference(0, row),
      nextId: reference(1, row),
      episodeId: reference(2, row),
      supersedes: reference(3, row),
      supersededBy: reference(4, row),
      validFrom: orNull(from![row]!),
      validTo: orNull(to![row]!),
      contentSha256: hashes[row]!,
      originalBytes: originalBytes![row]!,
      storedBytes: storedBytes![row]!,
      quality: qualities[qualityOf[row]!]!,
      mode: label(2, row) as CompressionMode,
      model: label(3, row)!,
      embedded: embeddingModel !== null,
      embeddingModel,
    };
  }
  return entries;
}

function qualitiesOf(values: Float64Array): QualityVector[] {
  const orNull = (value: number): number | null => (Number.isNaN(value) ? null : value);
  return Array.from({ length: values.length / QUALITY_VALUES }, (_, i) => {
    const at = i * QUALITY_VALUES;
    return {
      similarity: orNull(values[at]!),
      coverage: orNull(values[at + 1]!),
      entityRecall: values[at + 2]!,
      numberRecall: values[at + 3]!,
      faithfulness: values[at + 4]!,
    };
  });
}

function metadataOf(
  keys: readonly string[],
  values: readonly string[],
  valuesOf: Uint32Array,
  at: number,
): Record<string, string> {
  // A key like any other only where it is defined, not assigned.
  if (keys.includes("__proto__"))
    return Object.fromEntries(keys.map((key, i) => [key, values[valuesOf[at + i]!]!]));
  const metadata: Record<string, string> = {};
  for (let i = 0; i < keys.length; i++) metadata[keys[i]!] = values[valuesOf[at + i]!]!;
  return metadata;
}

/** What the copy beside the segment says; null where there is none that can be used. */
export async function readCatalogCopy(
  files: FileStore,
  zstd: Zstd,
  { info }: Segment,
): Promise<CatalogEntry[] | null> {
  try {
    const file = await openDerived(files, zstd, catalogCopyPath(info.number));
    return file && decodeCatalogCopy(await file.read(), info);
  } catch (error) {
    // Text that doesn't decode: its checks hold, and it is none of ours.
    if (isUnread(error) || error instanceof TypeError) return null;
    throw error;
  }
}

/** Resolves to whether it was written: a store opens without, too. */
export async function writeCatalogCopy(
  core: Pick<StoreCore, "files" | "zstd" | "generation">,
  info: ManifestSegment,
  encoder: CatalogCopyEncoder,
): Promise<boolean> {
  const bytes = await encodeDerived(core.zstd, encoder.finish(info), core.generation);
  return core.files.write(catalogCopyPath(info.number), bytes).then(
    () => true,
    () => false,
  );
}

/** Writes the copies that opening found missing. To be called alone among writers. */
export async function writeMissingCopies(core: StoreCore): Promise<void> {
  for (const segment of core.segments.values()) {
    const { number, rows } = segment.info;
    if (rows < core.catalogCopyFromRows || core.catalogCopies.has(number)) continue;
    if (core.damagedSegments.has(number)) continue;
    const encoder = new CatalogCopyEncoder();
    for (let group = 0; group < segment.groups.length; group++)
      encoder.add(await segment.readLightRows(group));
    if (await writeCatalogCopy(core, segment.info, encoder)) core.catalogCopies.add(number);
  }
}
