/** The word table in an ONNX graph: a Gather of float32 rows, or of packed codes that are unpacked after it. */

import { AppError } from "../../errors.ts";
import { ELEMENT } from "../onnx/onnx-model.ts";
import type { GraphBuilder } from "../onnx/graph-builder.ts";
import { groupLayout, type QuantizedTensor } from "../quantized-tensor.ts";

export type TableWeights =
  | { kind: "float"; values: Float32Array; rows: number; columns: number }
  | { kind: "quantized"; tensor: QuantizedTensor };

/** Rows of the table by token id: [batch, tokens, columns]. Only standard operators. */
export function addTable(
  builder: GraphBuilder,
  name: string,
  ids: string,
  table: TableWeights,
): string {
  if (table.kind === "float")
    return builder.node("Gather", [
      builder.constant(`${name}.weight`, [table.rows, table.columns], table.values),
      ids,
    ]);
  const { rows, columns, scheme, packed, scales, zeroPoints } = table.tensor;
  const { groupsPerRow, groupColumns } = groupLayout(rows, columns, scheme);
  if (scheme.group === "tensor" || columns % groupColumns !== 0)
    throw new AppError(
      "unsupported_input",
      `A runnable table of ${columns} columns can't have groups of ${scheme.group}.`,
      {
        hint: "Use one scale per row, or groups that divide a row.",
      },
    );
  const shape = builder.ints([0, 0, groupsPerRow, groupColumns]);
  const rowBytes = packed.length / rows;
  const bytes = builder.node("Gather", [
    builder.constant(`${name}.codes`, [rows, rowBytes], packed),
    ids,
  ]);
  const codes = builder.node("Reshape", [unpack(builder, name, bytes, scheme.bits), shape]);
  const values = builder.node("Cast", [codes], { to: ELEMENT.float });
  const perGroup = (part: string, data: Float32Array | Uint8Array): string => {
    const constant = builder.constant(`${name}.${part}`, [rows, groupsPerRow, 1], data);
    return builder.node("Gather", [constant, ids]);
  };
  const zeros = scheme.symmetric
    ? builder.scalar(2 ** (scheme.bits - 1))
    : builder.node("Cast", [perGroup("zero_points", zeroPoints)], { to: ELEMENT.float });
  const centred = builder.node("Sub", [values, zeros]);
  const scaled = builder.node("Mul", [centred, perGroup("scales", scales)]);
  return builder.node("Reshape", [scaled, builder.ints([0, 0, columns])]);
}

/** [batch, tokens, bytes] of packed codes as uint8 codes, [batch, tokens, bytes, codes per byte]. */
function unpack(builder: GraphBuilder, name: string, bytes: string, bits: 2 | 4 | 8): string {
  if (bits === 8) return bytes;
  const perByte = 8 / bits;
  const spread = builder.node("Unsqueeze", [bytes, builder.ints([3])]);
  // Division of whole numbers, where shifts of bytes aren't in every runtime; then the remainder.
  const wide = builder.node("Cast", [spread], { to: ELEMENT.int32 });
  const divisors = Int32Array.from({ length: perByte }, (_, i) => 2 ** (i * bits));
  const shifted = builder.node("Div", [
    wide,
    builder.constant(`${name}.shifts`, [perByte], divisors),
  ]);
  return builder.node("Mod", [
    shifted,
    builder.constant(`${name}.levels`, [1], Int32Array.of(2 ** bits)),
  ]);
}
