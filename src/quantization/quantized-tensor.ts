/** A weight matrix in few bits, and the choices that made it. */

import { AppError } from "../errors.ts";

export type QuantizationBits = 2 | 4 | 8;

export interface QuantizationScheme {
  bits: QuantizationBits;
  /** Symmetric codes are centred on a fixed middle code; asymmetric groups carry a zero point each. */
  symmetric: boolean;
  /** Values per scale along a row; "channel" is one scale per row, "tensor" one for all. */
  group: number | "channel" | "tensor";
}

/** value[i] ≈ (code[i] - zeroPoint[g]) * scale[g] (* columnFactors[column]), with unsigned codes of `bits` bits. */
export interface QuantizedTensor {
  scheme: QuantizationScheme;
  /** Row-major [rows, columns]. */
  rows: number;
  columns: number;
  /** One per group, in row-major order of the groups. */
  scales: Float32Array;
  zeroPoints: Uint8Array;
  /** Packed little-endian within a byte: the first code is in the lowest bits; each row starts on a byte. */
  packed: Uint8Array;
  /**
   * Float32, one per column: the codes are those of the weights divided by it, and what is multiplied
   * with them is to be multiplied with it first (smoothing, `smoothing.ts`). Absent: all 1.
   */
  columnFactors?: Float32Array;
}

/** Which scale belongs to which value. */
export interface GroupLayout {
  /** Scales in all. */
  groupCount: number;
  groupsPerRow: number;
  /** Values of one row that share a scale; the last group of a row may be shorter. */
  groupColumns: number;
  /** Index of the first scale of a row. */
  firstGroup(row: number): number;
}

/** `invalid_input` for a group that isn't a positive whole number. */
export function groupLayout(
  rows: number,
  columns: number,
  { group }: Pick<QuantizationScheme, "group">,
): GroupLayout {
  if (group === "tensor")
    return { groupCount: 1, groupsPerRow: 1, groupColumns: columns, firstGroup: () => 0 };
  const size = group === "channel" ? Math.max(1, columns) : group;
  if (!Number.isInteger(size) || size < 1)
    throw new AppError("invalid_input", `A group of ${size} values is not possible.`, {
      hint: "Give a positive whole number, for example 32 or 128.",
    });
  const groupsPerRow = Math.ceil(columns / size);
  return {
    groupCount: rows * groupsPerRow,
    groupsPerRow,
    groupColumns: size,
    firstGroup: (row) => row * groupsPerRow,
  };
}

export interface QuantizedSize {
  codeBytes: number;
  /** Float32 each. */
  scaleBytes: number;
  /** `bits` each, packed per row; none when symmetric, where they are all the same. */
  zeroPointBytes: number;
  /** Float32 each; none without column factors. */
  factorBytes: number;
  totalBytes: number;
}

/** What the tensor takes where it is used: codes, scales and zero points packed to whole bytes a row. */
export function quantizedSize(
  tensor: Pick<QuantizedTensor, "scheme" | "rows" | "columns" | "columnFactors">,
): QuantizedSize {
  const { rows, columns, scheme } = tensor;
  const { groupCount, groupsPerRow } = groupLayout(rows, columns, scheme);
  const codeBytes = rows * Math.ceil((columns * scheme.bits) / 8);
  const scaleBytes = groupCount * 4;
  const zeroPointBytes = scheme.symmetric
    ? 0
    : scheme.group === "tensor"
      ? 1
      : rows * Math.ceil((groupsPerRow * scheme.bits) / 8);
  const factorBytes = tensor.columnFactors?.byteLength ?? 0;
  return {
    codeBytes,
    scaleBytes,
    zeroPointBytes,
    factorBytes,
    totalBytes: codeBytes + scaleBytes + zeroPointBytes + factorBytes,
  };
}
