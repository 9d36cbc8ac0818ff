/** Float32 tensors as a safetensors file, in the order given; see `safetensors.ts` for the format. */

import { AppError } from "../../errors.ts";
import { elementCount } from "./tensor-file.ts";

export interface WrittenTensor {
  name: string;
  shape: readonly number[];
  /** Row-major. */
  values: Float32Array;
}

/** `invalid_input` for a name that is there twice, or values that don't fit their shape. */
export function encodeSafetensors(
  tensors: readonly WrittenTensor[],
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  const header: Record<string, unknown> = {};
  if (Object.keys(metadata).length > 0) header["__metadata__"] = metadata;
  let at = 0;
  for (const { name, shape, values } of tensors) {
    if (name in header || name === "__metadata__" || elementCount(shape) !== values.length)
      throw new AppError(
        "invalid_input",
        `The tensor "${name}" is there twice, or doesn't fit its shape.`,
      );
    header[name] = { dtype: "F32", shape, data_offsets: [at, at + values.byteLength] };
    at += values.byteLength;
  }
  const json = new TextEncoder().encode(JSON.stringify(header));
  // Padded with spaces so that the data starts on a multiple of eight, as the format asks.
  const headerBytes = Math.ceil(json.length / 8) * 8;
  const file = new Uint8Array(8 + headerBytes + at).fill(0x20, 8, 8 + headerBytes);
  new DataView(file.buffer).setUint32(0, headerBytes, true);
  file.set(json, 8);
  let to = 8 + headerBytes;
  for (const { values } of tensors) {
    file.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), to);
    to += values.byteLength;
  }
  return file;
}
