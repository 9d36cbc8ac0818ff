/** A weight matrix in few bits, and the choices that made it. */

export type QuantizationBits = 2 | 4 | 8;

export interface QuantizationScheme {
  bits: QuantizationBits;
  /** Symmetric codes are centred on a fixed middle code; asymmetric groups carry a zero point each. */
  symmetric: boolean;
  /** Values per scale along a row; "channel" is one scale per row, "tensor" one for all. */
  group: number | "channel" | "tensor";
}

/** value[i] ≈ (code[i] - zeroPoint[g]) * scale[g], with unsigned codes of `bits` bits. */
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
}
