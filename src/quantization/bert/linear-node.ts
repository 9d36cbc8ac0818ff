/** One linear layer y = x Wᵀ + b in an ONNX graph, in float32, in few bits, or with INT8 arithmetic. */

import { AppError } from "../../errors.ts";
import { ELEMENT } from "../onnx/onnx-model.ts";
import { MICROSOFT, type GraphBuilder } from "../onnx/graph-builder.ts";
import { packCodes } from "../packing.ts";
import { groupLayout, type QuantizedTensor } from "../quantized-tensor.ts";

export type LinearWeights =
  | { kind: "float"; values: Float32Array; rows: number; columns: number }
  /** Weights in few bits, computed in float32 (`MatMulNBits`). Groups of a power of two from 16, or "channel". */
  | { kind: "weight-only"; tensor: QuantizedTensor }
  /**
   * INT8 products: inputs are multiplied with the tensor's column factors and quantized as they come.
   * One scale per row, symmetric, 8 bits.
   */
  | { kind: "dynamic"; tensor: QuantizedTensor };

/** Inputs in INT8 by their name in the graph: layers with the same input and factors share them. */
export type QuantizedInputs = Map<string, { factors: Float32Array | undefined; parts: string[] }>;

/** Adds the layer; gives the name of its output. */
export function addLinear(
  builder: GraphBuilder,
  name: string,
  input: string,
  weights: LinearWeights,
  bias: Float32Array,
  inputs: QuantizedInputs = new Map(),
): string {
  const product =
    weights.kind === "float"
      ? floatProduct(builder, name, input, weights)
      : weights.kind === "weight-only"
        ? weightOnlyProduct(builder, name, input, weights.tensor)
        : dynamicProduct(builder, name, input, weights.tensor, inputs);
  return builder.node("Add", [product, builder.constant(`${name}.bias`, [bias.length], bias)]);
}

function floatProduct(
  builder: GraphBuilder,
  name: string,
  input: string,
  { values, rows, columns }: Extract<LinearWeights, { kind: "float" }>,
): string {
  return builder.node("MatMul", [
    input,
    builder.constant(`${name}.weight`, [columns, rows], transpose(values, rows, columns)),
  ]);
}

function weightOnlyProduct(
  builder: GraphBuilder,
  name: string,
  input: string,
  tensor: QuantizedTensor,
): string {
  const { rows, columns, scheme } = tensor;
  const blockSize = blockSizeOf(tensor);
  const blocks = Math.ceil(columns / blockSize);
  const perRow = groupLayout(rows, columns, scheme).groupsPerRow;
  // A channel's scale serves all blocks of its row.
  const scales = new Float32Array(rows * blocks);
  const zeroPoints = new Uint8Array(rows * blocks);
  for (let row = 0; row < rows; row++)
    for (let block = 0; block < blocks; block++) {
      const group =
        scheme.group === "tensor" ? 0 : row * perRow + (scheme.group === "channel" ? 0 : block);
      scales[row * blocks + block] = tensor.scales[group]!;
      zeroPoints[row * blocks + block] = tensor.zeroPoints[group]!;
    }
  const blobBytes = (blockSize * scheme.bits) / 8;
  const rowBytes = tensor.packed.length / rows;
  const codes = new Uint8Array(rows * blocks * blobBytes);
  for (let row = 0; row < rows; row++)
    codes.set(
      tensor.packed.subarray(row * rowBytes, (row + 1) * rowBytes),
      row * blocks * blobBytes,
    );
  const inputs = [
    input,
    builder.constant(`${name}.codes`, [rows, blocks, blobBytes], codes),
    builder.constant(`${name}.scales`, [rows * blocks], scales),
  ];
  // Absent zero points mean the middle code, which is what symmetric schemes use.
  if (!scheme.symmetric) {
    const packedRow = Math.ceil((blocks * scheme.bits) / 8);
    const packed = new Uint8Array(rows * packedRow);
    for (let row = 0; row < rows; row++)
      packed.set(
        packCodes(zeroPoints.subarray(row * blocks, (row + 1) * blocks), scheme.bits),
        row * packedRow,
      );
    inputs.push(builder.constant(`${name}.zero_points`, [rows * packedRow], packed));
  }
  return builder.node(
    "MatMulNBits",
    inputs,
    { K: columns, N: rows, bits: scheme.bits, block_size: blockSize },
    { domain: MICROSOFT },
  );
}

/** The operator's blocks: the scheme's groups, or any size that divides a row that has one scale. */
function blockSizeOf({ columns, scheme }: QuantizedTensor): number {
  if (typeof scheme.group === "number") {
    const { group } = scheme;
    if (group < 16 || !Number.isInteger(Math.log2(group)))
      throw new AppError(
        "unsupported_input",
        `A runnable network needs groups of 16, 32, 64, …; not ${group}.`,
        {
          hint: "Use 32 or 128, or write the package only.",
        },
      );
    return group;
  }
  const size = [128, 64, 32, 16].find((one) => columns % one === 0);
  return size ?? 16;
}

function dynamicProduct(
  builder: GraphBuilder,
  name: string,
  input: string,
  tensor: QuantizedTensor,
  inputs: QuantizedInputs,
): string {
  const { rows, columns, scheme, packed } = tensor;
  if (scheme.bits !== 8 || !scheme.symmetric || scheme.group !== "channel")
    throw new AppError(
      "internal",
      "INT8 arithmetic needs symmetric INT8 weights with a scale per row.",
    );
  const [codes, inputScale, zeroPoint] = quantizedInput(
    builder,
    name,
    input,
    tensor.columnFactors,
    inputs,
  ) as [string, string, string];
  // [columns, rows]; codes are 128 above their value.
  const signed = new Int8Array(columns * rows);
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++)
      signed[column * rows + row] = packed[row * columns + column]! - 128;
  const sums = builder.node("MatMulInteger", [
    codes,
    builder.constant(`${name}.codes`, [columns, rows], signed),
    zeroPoint,
  ]);
  const scales = builder.constant(`${name}.scales`, [rows], tensor.scales);
  const scale = builder.node("Mul", [inputScale, scales]);
  return builder.node("Mul", [builder.node("Cast", [sums], { to: ELEMENT.float }), scale]);
}

function quantizedInput(
  builder: GraphBuilder,
  name: string,
  input: string,
  factors: Float32Array | undefined,
  inputs: QuantizedInputs,
): string[] {
  const known = inputs.get(input);
  if (known !== undefined && sameValues(known.factors, factors)) return known.parts;
  const smooth =
    factors === undefined
      ? input
      : builder.node("Mul", [
          input,
          builder.constant(`${name}.column_factors`, [factors.length], factors),
        ]);
  const parts = ["codes", "scale", "zero_point"].map((part) => `${name}.input_${part}`);
  builder.node("DynamicQuantizeLinear", [smooth], {}, { outputs: parts });
  inputs.set(input, { factors, parts });
  return parts;
}

function sameValues(a: Float32Array | undefined, b: Float32Array | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a.length === b.length && a.every((value, i) => value === b[i]);
}

export function transpose(values: Float32Array, rows: number, columns: number): Float32Array {
  const result = new Float32Array(values.length);
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++)
      result[column * rows + row] = values[row * columns + column]!;
  return result;
}
