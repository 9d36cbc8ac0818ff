/**
 * Every vector of the store in long runs for an index to load: of a row group whose vectors are all
 * live, views of the column as it was decoded, without an object per row.
 */

import type { VectorColumn } from "./memory-store.ts";
import { isCorrupt, type StoreCore } from "./store-core.ts";
import { isBare, type MemoryRecord } from "./store-state.ts";
import { partsByGroup, type StoreReads } from "./store-reads.ts";
import type { QuantizedVector } from "../model/vector.ts";

/** Vectors of the journal in one run. */
const RUN = 4096;
const COLUMNS = ["embedding", "embedding_scale", "embedding_fine"] as const;

/** @param alive throws once the store is closed */
export async function* scanVectors(
  core: StoreCore,
  reads: StoreReads,
  alive: () => void,
): AsyncIterable<VectorColumn> {
  const { catalog } = core.state;
  for (const { place, records } of partsByGroup(reads.records(), RUN)) {
    const wanted = records.filter(
      ({ entry }) => entry.embedded && entry.embeddingModel && !isBare(entry, entry.keep),
    );
    const whole =
      place.kind === "segment"
        ? await readRun(place.segment.readGroup.bind(place.segment), place.group, wanted)
        : null;
    alive();
    if (whole) {
      yield whole;
      continue;
    }
    const vectors: { record: MemoryRecord; vector: QuantizedVector }[] = [];
    for (const record of wanted) {
      const vector = await reads.embedding(record);
      if (vector) vectors.push({ record, vector });
    }
    alive();
    const live = vectors.filter(({ record }) => catalog.byOrdinal(record.entry.ordinal));
    for (const run of alike(live)) yield gather(run);
  }
}

/** The column as it lies there; null when not every row of it is wanted as it is, or it can't be read. */
async function readRun(
  readGroup: StoreCore["segments"] extends Map<number, infer S>
    ? S extends { readGroup: infer F }
      ? F
      : never
    : never,
  group: number,
  wanted: readonly MemoryRecord[],
): Promise<VectorColumn | null> {
  const [first] = wanted;
  if (!first || wanted.some(({ embedding }) => embedding !== null)) return null;
  const model = first.entry.embeddingModel!;
  if (wanted.some(({ entry }) => entry.embeddingModel !== model)) return null;
  let cells: Record<string, unknown[]>;
  try {
    cells = await readGroup(group, COLUMNS, { textAsBytes: true });
  } catch (error) {
    // Read one by one, what moved is found and what is damaged told.
    if (isCorrupt(error) || wanted.some(({ place }) => place !== first.place)) return null;
    throw error;
  }
  const indexes = wanted.map(({ place }) => (place.kind === "segment" ? place.index : -1));
  if (indexes.includes(-1)) return null;
  const pick = (name: (typeof COLUMNS)[number]) => indexes.map((index) => cells[name]![index]);
  const codes = join(pick("embedding"));
  if (!codes || codes.length === 0) return null;
  const fine = join(pick("embedding_fine"));
  const dimensions = codes.length / wanted.length;
  return {
    ordinals: Int32Array.from(wanted, ({ entry }) => entry.ordinal),
    codes: new Int8Array(codes.buffer, codes.byteOffset, codes.length),
    scales: Float32Array.from(pick("embedding_scale") as number[]),
    fine,
    dimensions,
    model,
  };
}

/** Cells of one length as one array: a view where they lie side by side, else a copy; null where they differ or lack. */
function join(cells: readonly unknown[]): Uint8Array | null {
  const [first] = cells;
  if (!(first instanceof Uint8Array)) return null;
  const size = first.length;
  let isRun = true;
  for (let i = 0; i < cells.length; i++) {
    const cell = cells[i];
    if (!(cell instanceof Uint8Array) || cell.length !== size) return null;
    isRun &&= cell.buffer === first.buffer && cell.byteOffset === first.byteOffset + i * size;
  }
  if (isRun) return new Uint8Array(first.buffer, first.byteOffset, size * cells.length);
  const joined = new Uint8Array(size * cells.length);
  cells.forEach((cell, i) => joined.set(cell as Uint8Array, i * size));
  return joined;
}

type Found = { record: MemoryRecord; vector: QuantizedVector };

/** Cuts where the model, the length, or whether there are finer bits changes. */
function* alike(found: readonly Found[]): Generator<Found[]> {
  const key = ({ record, vector }: Found) =>
    `${vector.codes.length}/${vector.fine ? 1 : 0}/${record.entry.embeddingModel}`;
  let run: Found[] = [];
  for (const one of found) {
    if (run.length > 0 && key(run[0]!) !== key(one)) {
      yield run;
      run = [];
    }
    run.push(one);
  }
  if (run.length > 0) yield run;
}

function gather(run: readonly Found[]): VectorColumn {
  const codes = join(
    run.map(
      ({ vector: { codes } }) => new Uint8Array(codes.buffer, codes.byteOffset, codes.length),
    ),
  )!;
  return {
    ordinals: Int32Array.from(run, ({ record }) => record.entry.ordinal),
    codes: new Int8Array(codes.buffer, codes.byteOffset, codes.length),
    scales: Float32Array.from(run, ({ vector }) => vector.scale),
    fine: join(run.map(({ vector }) => vector.fine)),
    dimensions: codes.length / run.length,
    model: run[0]!.record.entry.embeddingModel!,
  };
}
