/** Writes a package of quantized weights tensor by tensor: one is held at a time. */

import { ByteWriter as ParquetBytes, ParquetWriter } from "hyparquet-writer";
import { AppError } from "../../errors.ts";
import { nextTurn } from "../../next-turn.ts";
import { groupLayout, type QuantizedTensor } from "../quantized-tensor.ts";
import { elementCount } from "../tensors/tensor-file.ts";
import {
  FORMAT_KEY,
  FORMAT_NAME,
  FORMAT_VERSION,
  INFO_KEY,
  PART_BYTES,
  SCHEMA,
  rowDigest,
  type PackageCodec,
  type PackageInfo,
  type PackageRow,
} from "./package-format.ts";

/** A tensor of the source file, in few bits or as it was. */
export interface PackedTensor {
  name: string;
  shape: readonly number[];
  /** Its type in the source file. */
  dtype: string;
  values: { kind: "affine"; tensor: QuantizedTensor } | { kind: "float32"; values: Float32Array };
}

const LEVEL = 12;

export class PackageWriter {
  readonly #out = new ParquetBytes();
  readonly #parquet: ParquetWriter;
  readonly #names = new Set<string>();

  constructor(codec: PackageCodec) {
    this.#parquet = new ParquetWriter({
      writer: this.#out,
      schema: SCHEMA,
      codec: "ZSTD",
      compressors: { ZSTD: (page) => codec.compress(page, LEVEL) },
      statistics: false,
      createdBy: "llm-compression",
    });
  }

  get sizeBytes(): number {
    return this.#out.offset;
  }

  /** `invalid_input` for a name that was written before. */
  async write(tensor: PackedTensor): Promise<void> {
    if (this.#names.has(tensor.name))
      throw new AppError("invalid_input", `The tensor "${tensor.name}" is there twice.`);
    this.#names.add(tensor.name);
    for (const part of partsOf(tensor)) {
      const row: PackageRow = {
        name: tensor.name,
        shape: tensor.shape.join(","),
        dtype: tensor.dtype,
        scheme: tensor.values.kind,
        bits: part.bits,
        symmetric: part.symmetric ? 1 : 0,
        group_size: part.groupSize,
        columns: part.columns,
        first_row: part.firstRow,
        rows: part.rows,
        scales: part.scales,
        zero_points: part.zeroPoints,
        column_factors: part.columnFactors,
        codes: part.codes,
      };
      const whole = { ...row, sha256: rowDigest(row) };
      void this.#parquet.write({
        columnData: Object.entries(whole).map(([name, value]) => ({
          name,
          data: [value],
          offsetIndex: false,
        })),
        rowGroupSize: 1,
        pageSize: 0,
      });
      await nextTurn();
    }
  }

  /** The whole file. Nothing can be written after it. */
  finish(info: Omit<PackageInfo, "tensorCount">): Uint8Array {
    this.#parquet.kvMetadata = [
      { key: FORMAT_KEY, value: `${FORMAT_NAME}/${FORMAT_VERSION}` },
      { key: INFO_KEY, value: JSON.stringify({ ...info, tensorCount: this.#names.size }) },
    ];
    void this.#parquet.finish();
    return new Uint8Array(this.#out.getBuffer());
  }
}

interface Part {
  bits: number;
  symmetric: boolean;
  groupSize: number;
  columns: number;
  firstRow: number;
  rows: number;
  scales: Uint8Array;
  zeroPoints: Uint8Array;
  columnFactors: Uint8Array;
  codes: Uint8Array;
}

function* partsOf({ shape, values }: PackedTensor): Generator<Part> {
  const empty = new Uint8Array(0);
  if (values.kind === "float32") {
    const count = elementCount(shape);
    const columns = shape.length === 0 ? 1 : elementCount(shape.slice(1));
    const rows = columns === 0 ? 0 : count / columns;
    const raw = bytesOf(values.values);
    const plain = {
      bits: 32,
      symmetric: false,
      groupSize: 0,
      columns,
      scales: empty,
      zeroPoints: empty,
      columnFactors: empty,
    };
    for (const [firstRow, some] of rowRanges(rows, columns * 4))
      yield {
        ...plain,
        firstRow,
        rows: some,
        codes: raw.subarray(firstRow * columns * 4, (firstRow + some) * columns * 4),
      };
    return;
  }
  const { tensor } = values;
  const { rows, columns, scheme, packed } = tensor;
  const layout = groupLayout(rows, columns, scheme);
  const rowBytes = rows === 0 ? 0 : packed.length / rows;
  const groupSize = scheme.group === "tensor" ? -1 : scheme.group === "channel" ? 0 : scheme.group;
  for (const [firstRow, some] of rowRanges(rows, rowBytes)) {
    const from = scheme.group === "tensor" ? 0 : layout.firstGroup(firstRow);
    const to = scheme.group === "tensor" ? 1 : layout.firstGroup(firstRow + some);
    yield {
      bits: scheme.bits,
      symmetric: scheme.symmetric,
      groupSize,
      columns,
      firstRow,
      rows: some,
      scales: bytesOf(tensor.scales.subarray(from, to)),
      zeroPoints: tensor.zeroPoints.subarray(from, to),
      // With the first part only: they are the same for all rows.
      columnFactors: firstRow === 0 && tensor.columnFactors ? bytesOf(tensor.columnFactors) : empty,
      codes: packed.subarray(firstRow * rowBytes, (firstRow + some) * rowBytes),
    };
  }
}

/** At least one range, also for a tensor without rows. */
function* rowRanges(rows: number, rowBytes: number): Generator<[firstRow: number, count: number]> {
  const step = Math.max(1, Math.floor(PART_BYTES / Math.max(1, rowBytes)));
  let at = 0;
  do {
    const count = Math.min(step, rows - at);
    yield [at, count];
    at += count;
  } while (at < rows);
}

function bytesOf(values: Float32Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}
