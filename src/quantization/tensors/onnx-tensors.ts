/**
 * The initialisers of an ONNX file as tensors. The file is read whole (protobuf has no index), data in
 * files beside it by range. Field meanings: `onnx.proto`, TensorProto.
 */

import { AppError } from "../../errors.ts";
import { decodeOnnx, ELEMENT, type ReadInitializer } from "../onnx/onnx-model.ts";
import type { ByteSource } from "./byte-source.ts";
import { decodeFloats, FLOAT_BYTES, halfToNumber, isFloatDtype } from "./float-formats.ts";
import { elementCount, type TensorFile, type TensorInfo } from "./tensor-file.ts";

const DTYPES: Readonly<Record<number, { name: string; bytes: number }>> = {
  [ELEMENT.float]: { name: "F32", bytes: 4 },
  [ELEMENT.uint8]: { name: "U8", bytes: 1 },
  [ELEMENT.int8]: { name: "I8", bytes: 1 },
  [ELEMENT.int32]: { name: "I32", bytes: 4 },
  [ELEMENT.int64]: { name: "I64", bytes: 8 },
  [ELEMENT.bool]: { name: "BOOL", bytes: 1 },
  [ELEMENT.float16]: { name: "F16", bytes: 2 },
  [ELEMENT.double]: { name: "F64", bytes: 8 },
  [ELEMENT.bfloat16]: { name: "BF16", bytes: 2 },
};

/** A single protobuf message can't be larger. */
const MAX_FILE_BYTES = 2 ** 31 - 1;

/**
 * @param openExternal the source of a file beside it, by the name that the model has for it
 * @throws `corrupt_data` for bytes that are no ONNX model or contradict themselves
 */
export async function openOnnxTensors(
  source: ByteSource,
  openExternal: (location: string) => Promise<ByteSource>,
): Promise<TensorFile> {
  if (source.sizeBytes > MAX_FILE_BYTES)
    throw new AppError(
      "too_large",
      `${source.name} has more than 2 GiB, which no ONNX file can have.`,
    );
  const initializers = decode(source, await source.read(0, source.sizeBytes));
  const tensors = new Map<string, TensorInfo>();
  const byName = new Map<string, ReadInitializer>();
  let sizeBytes = source.sizeBytes;
  for (const initializer of initializers) {
    const { name, dims, dataType } = initializer;
    const count = elementCount(dims);
    if (
      name === "" ||
      byName.has(name) ||
      dims.some((size) => !(size >= 0)) ||
      !Number.isSafeInteger(count)
    )
      throw damaged(source, `its initialiser "${name.slice(0, 200)}" has no usable name or shape`);
    const type = DTYPES[dataType] ?? { name: `type ${dataType}`, bytes: 0 };
    byName.set(name, initializer);
    tensors.set(name, { name, dtype: type.name, shape: dims, sizeBytes: count * type.bytes });
    if ("location" in initializer.external) sizeBytes += count * type.bytes;
  }
  if (tensors.size === 0)
    throw damaged(
      source,
      "it has no initialisers",
      "Is it an ONNX model? Its weights may be in another file.",
    );
  return {
    format: "onnx",
    name: source.name,
    sizeBytes,
    tensors,
    metadata: {},
    async readFloats(name, rows) {
      const initializer = byName.get(name);
      if (initializer === undefined)
        throw new AppError("not_found", `${source.name} has no tensor "${name}".`);
      const info = tensors.get(name)!;
      const values = await readValues(source, initializer, info, openExternal);
      if (rows === undefined) return values;
      const rowValues = elementCount(info.shape.slice(1));
      return values.subarray(rows.firstRow * rowValues, (rows.firstRow + rows.count) * rowValues);
    },
  };
}

function decode(source: ByteSource, bytes: Uint8Array): ReadInitializer[] {
  try {
    return decodeOnnx(bytes).initializers;
  } catch (error) {
    throw damaged(source, "it is no ONNX model, or was cut", undefined, error);
  }
}

async function readValues(
  source: ByteSource,
  tensor: ReadInitializer,
  info: TensorInfo,
  openExternal: (location: string) => Promise<ByteSource>,
): Promise<Float32Array> {
  const { dtype, sizeBytes } = info;
  if (!isFloatDtype(dtype))
    throw new AppError("unsupported_input", `The tensor "${info.name}" holds ${dtype}, no floats.`);
  const count = sizeBytes / FLOAT_BYTES[dtype];
  const raw =
    "location" in tensor.external
      ? await readExternal(source, tensor, info, openExternal)
      : tensor.rawData;
  const values =
    raw !== null && raw.length === sizeBytes
      ? decodeFloats(raw, dtype)
      : dtype === "F32"
        ? Float32Array.from(tensor.floatData)
        : dtype === "F16"
          ? Float32Array.from(tensor.int32Data, (bits) => halfToNumber(bits & 0xffff))
          : Float32Array.from(tensor.doubleData);
  if (values.length !== count)
    throw damaged(source, `"${info.name}" should have ${count} values; it has ${values.length}`);
  return values;
}

async function readExternal(
  source: ByteSource,
  { external }: ReadInitializer,
  info: TensorInfo,
  openExternal: (location: string) => Promise<ByteSource>,
): Promise<Uint8Array> {
  const location = external["location"]!;
  const offset = Number(external["offset"] ?? 0);
  const length = Number(external["length"] ?? info.sizeBytes);
  // A file beside the model, never a path elsewhere.
  if (!/^[\w][\w.-]*$/.test(location))
    throw damaged(
      source,
      `"${info.name}" lies in "${location.slice(0, 200)}", which is no plain file name`,
    );
  const file = await openExternal(location);
  if (!(offset >= 0) || length !== info.sizeBytes || offset + length > file.sizeBytes)
    throw damaged(
      source,
      `"${info.name}" lies outside of ${location}`,
      "The files are of different downloads.",
    );
  return file.read(offset, length);
}

function damaged(source: ByteSource, what: string, hint?: string, cause?: unknown): AppError {
  return new AppError("corrupt_data", `${source.name} can't be read: ${what}.`, {
    hint: hint ?? "Fetch the file again, or check it with the tool that wrote it.",
    ...(cause === undefined ? {} : { cause }),
  });
}
