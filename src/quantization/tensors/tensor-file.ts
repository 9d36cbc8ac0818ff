/** Named tensors of a weights file, whatever its format: what the workbench reads its input from. */

/** Types that are read as numbers; others are listed and refused when read. */
export type FloatDtype = "F32" | "F16" | "BF16" | "F64";

export interface TensorInfo {
  name: string;
  /** As the format names it: "F32", "BF16", "I64", … */
  dtype: string;
  shape: readonly number[];
  sizeBytes: number;
}

export interface TensorFile {
  /** "safetensors" or "onnx". */
  readonly format: string;
  readonly name: string;
  readonly sizeBytes: number;
  /** By name, in the order of the file. */
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  readonly metadata: Readonly<Record<string, string>>;
  /**
   * Values as float32, row-major: the whole tensor, or `count` rows of its first dimension from
   * `firstRow`. `not_found` for an unknown name, `unsupported_input` for a type that isn't a float.
   */
  readFloats(name: string, rows?: { firstRow: number; count: number }): Promise<Float32Array>;
}

/** Values in a tensor; 1 for a scalar. */
export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}
