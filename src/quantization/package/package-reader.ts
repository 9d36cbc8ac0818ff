/** Reads a package of quantized weights, tensor by tensor, and checks every part's checksum. */

import {
  parquetMetadataAsync,
  parquetReadObjects,
  type AsyncBuffer,
  type FileMetaData,
} from "hyparquet";
import { z } from "zod";
import { AppError } from "../../errors.ts";
import { packedBytes } from "../packing.ts";
import { groupLayout, type QuantizationScheme, type QuantizedTensor } from "../quantized-tensor.ts";
import { dequantizeTensor } from "../round-to-nearest.ts";
import type { ByteSource } from "../tensors/byte-source.ts";
import { elementCount } from "../tensors/tensor-file.ts";
import {
  FORMAT_KEY,
  FORMAT_NAME,
  FORMAT_VERSION,
  INFO_KEY,
  PART_BYTES,
  rowDigest,
  type PackageCodec,
  type PackageInfo,
} from "./package-format.ts";
import type { PackedTensor } from "./package-writer.ts";

/** A row that is longer than a part is one page. */
const MAX_PAGE_BYTES = 8 * PART_BYTES;

const count = z.number().int().nonnegative();
const bytes = z.instanceof(Uint8Array);
const rowSchema = z.object({
  name: z.string(),
  shape: z.string().regex(/^(\d+(,\d+)*)?$/),
  dtype: z.string(),
  scheme: z.enum(["affine", "float32"]),
  bits: z.union([z.literal(2), z.literal(4), z.literal(8), z.literal(32)]),
  symmetric: z.number(),
  group_size: z.number().int().min(-1),
  columns: count,
  first_row: count,
  rows: count,
  scales: bytes,
  zero_points: bytes,
  column_factors: bytes,
  codes: bytes,
  sha256: bytes,
});
type Row = z.output<typeof rowSchema>;
const infoSchema = z.object({
  model: z.string(),
  settings: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
  tensorCount: count,
});

export interface QuantizedPackage {
  info: PackageInfo;
  /** Tensors in the order of the file. `corrupt_data` at the first that fails its check. */
  tensors(): AsyncIterable<PackedTensor>;
}

/** `corrupt_data` when it isn't such a file, `unsupported_version` when a newer program wrote it. */
export async function openPackage(
  source: ByteSource,
  codec: PackageCodec,
): Promise<QuantizedPackage> {
  const file: AsyncBuffer = {
    byteLength: source.sizeBytes,
    slice: async (start, end = source.sizeBytes) => exact(await source.read(start, end - start)),
  };
  const metadata = await parquetMetadataAsync(file).catch((error: unknown) => {
    throw damaged(source, "it is no Parquet file, or was cut", error);
  });
  const info = readInfo(source, metadata);
  return {
    info,
    async *tensors() {
      let open: { rows: Row[]; next: number } | null = null;
      let total = 0;
      for (let at = 0; at < metadata.row_groups.length; at++) {
        const row = await readRow(source, file, metadata, at, codec);
        if (open === null || row.first_row === 0) {
          if (open !== null) yield assemble(source, open.rows);
          total++;
          open = { rows: [], next: 0 };
        }
        if (
          row.first_row !== open.next ||
          (open.rows[0] !== undefined && open.rows[0].name !== row.name)
        )
          throw damaged(source, `a part of "${row.name}" is missing`);
        open.rows.push(row);
        open.next += row.rows;
      }
      if (open !== null) yield assemble(source, open.rows);
      if (total !== info.tensorCount)
        throw damaged(source, `${total} of its ${info.tensorCount} tensors are there`);
    },
  };
}

/** Values of a tensor of a package, row-major: what the kernels produce, bit for bit. */
export function unpackTensor({ values }: PackedTensor): Float32Array {
  return values.kind === "float32" ? values.values : dequantizeTensor(values.tensor);
}

function readInfo(source: ByteSource, metadata: FileMetaData): PackageInfo {
  const value = (key: string): string | undefined =>
    metadata.key_value_metadata?.find((pair) => pair.key === key)?.value;
  const [name, version] = (value(FORMAT_KEY) ?? "").split("/");
  if (name !== FORMAT_NAME) throw damaged(source, "it holds no quantized weights");
  if (Number(version) > FORMAT_VERSION)
    throw new AppError(
      "unsupported_version",
      `${source.name} has format ${version}; this program reads up to ${FORMAT_VERSION}.`,
      {
        hint: "Update the program.",
      },
    );
  try {
    return infoSchema.parse(JSON.parse(value(INFO_KEY) ?? ""));
  } catch (error) {
    throw damaged(source, "its description can't be read", error);
  }
}

async function readRow(
  source: ByteSource,
  file: AsyncBuffer,
  metadata: FileMetaData,
  at: number,
  codec: PackageCodec,
): Promise<Row> {
  let row: Row;
  try {
    const rows = await parquetReadObjects({
      file,
      metadata,
      rowStart: at,
      rowEnd: at + 1,
      utf8: false,
      compressors: {
        ZSTD: (input, outputLength) => {
          if (outputLength > MAX_PAGE_BYTES) throw new Error(`A page of ${outputLength} bytes.`);
          return codec.decompress(input, { maxBytes: outputLength });
        },
      },
    });
    row = rowSchema.parse(rows[0]);
  } catch (error) {
    throw damaged(source, `row ${at} can't be read`, error);
  }
  const digest = rowDigest(row);
  if (digest.some((byte, i) => byte !== row.sha256[i]))
    throw damaged(source, `"${row.name}" fails its checksum`);
  return row;
}

function assemble(source: ByteSource, parts: readonly Row[]): PackedTensor {
  const { name, dtype, scheme, columns, bits, group_size: groupSize, symmetric, shape } = parts[0]!;
  const rows = parts.reduce((sum, part) => sum + part.rows, 0);
  const dims = shape === "" ? [] : shape.split(",").map(Number);
  if (elementCount(dims) !== rows * columns) throw damaged(source, `"${name}" isn't whole`);
  const codes = join(parts.map((part) => part.codes));
  if (scheme === "float32" || bits === 32) {
    if (codes.length !== rows * columns * 4) throw damaged(source, `"${name}" isn't whole`);
    return { name, dtype, shape: dims, values: { kind: "float32", values: floats(codes) } };
  }
  const made: QuantizationScheme = {
    bits,
    symmetric: symmetric === 1,
    group: groupSize === -1 ? "tensor" : groupSize === 0 ? "channel" : groupSize,
  };
  const { groupCount } = groupLayout(rows, columns, made);
  const wanted = made.group === "tensor" ? parts.slice(0, 1) : parts;
  const factors = floats(parts[0]!.column_factors);
  const tensor: QuantizedTensor = {
    scheme: made,
    rows,
    columns,
    scales: floats(join(wanted.map((part) => part.scales))),
    zeroPoints: join(wanted.map((part) => part.zero_points)),
    packed: codes,
    ...(factors.length > 0 && { columnFactors: factors }),
  };
  if (
    (factors.length !== 0 && factors.length !== columns) ||
    tensor.scales.length !== groupCount ||
    tensor.zeroPoints.length !== groupCount ||
    codes.length !== rows * packedBytes(columns, bits)
  )
    throw damaged(source, `"${name}" has another number of codes or scales than its shape needs`);
  return { name, dtype, shape: dims, values: { kind: "affine", tensor } };
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function floats(raw: Uint8Array): Float32Array {
  return new Float32Array(new Uint8Array(raw).buffer);
}

function exact(part: Uint8Array): ArrayBuffer {
  return new Uint8Array(part).buffer;
}

function damaged(source: ByteSource, what: string, cause?: unknown): AppError {
  return new AppError("corrupt_data", `${source.name} can't be read: ${what}.`, {
    hint: "Make the package again, or fetch it again.",
    ...(cause === undefined ? {} : { cause }),
  });
}
