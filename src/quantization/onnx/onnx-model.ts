/**
 * The part of the ONNX format that the workbench writes and reads, with field numbers of `onnx.proto`
 * (ONNX IR specification). Encoding and decoding of the protobuf itself is the library's.
 */

import { PbfReader, PbfWriter } from "pbf";

/** `TensorProto.DataType`. */
export const ELEMENT = {
  float: 1, uint8: 2, int8: 3, int32: 6, int64: 7, bool: 9, float16: 10, double: 11, bfloat16: 16,
} as const; // prettier-ignore
export type ElementType = (typeof ELEMENT)[keyof typeof ELEMENT];

export interface OnnxTensor {
  name: string;
  dims: readonly number[];
  dataType: ElementType;
  /** Little-endian values. */
  rawData: Uint8Array;
}

export type OnnxAttribute =
  | { name: string; kind: "int"; value: number }
  | { name: string; kind: "ints"; value: readonly number[] }
  | { name: string; kind: "float"; value: number }
  | { name: string; kind: "string"; value: string };

export interface OnnxNode {
  op: string;
  /** "" is ONNX's own. */
  domain: string;
  name: string;
  /** "" leaves an optional input out. */
  inputs: readonly string[];
  outputs: readonly string[];
  attributes: readonly OnnxAttribute[];
}

/** A dimension is a size, or the name of one that is known when it runs. */
export interface OnnxValue {
  name: string;
  dataType: ElementType;
  dims: readonly (number | string)[];
}

export interface OnnxModel {
  graphName: string;
  nodes: readonly OnnxNode[];
  initializers: readonly OnnxTensor[];
  inputs: readonly OnnxValue[];
  outputs: readonly OnnxValue[];
  opsets: readonly { domain: string; version: number }[];
  metadata: Readonly<Record<string, string>>;
}

/** IR version 8 goes with opsets up to 17 and is read by every runtime of the last years. */
const IR_VERSION = 8;
const PRODUCER = "llm-compress";

export function encodeOnnx(model: OnnxModel): Uint8Array {
  const size = model.initializers.reduce((sum, { rawData }) => sum + rawData.length + 256, 1 << 16);
  const writer = new PbfWriter(new Uint8Array(size));
  writer.writeVarintField(1, IR_VERSION);
  writer.writeStringField(2, PRODUCER);
  writer.writeMessage(7, writeGraph, model);
  for (const opset of model.opsets)
    writer.writeMessage(8, (value: typeof opset, pbf: PbfWriter) => {
      pbf.writeStringField(1, value.domain);
      pbf.writeVarintField(2, value.version);
    }, opset); // prettier-ignore
  for (const [key, value] of Object.entries(model.metadata))
    writer.writeMessage(14, (pair: [string, string], pbf: PbfWriter) => {
      pbf.writeStringField(1, pair[0]);
      pbf.writeStringField(2, pair[1]);
    }, [key, value] as [string, string]); // prettier-ignore
  return writer.finish();
}

function writeGraph(model: OnnxModel, pbf: PbfWriter): void {
  for (const node of model.nodes) pbf.writeMessage(1, writeNode, node);
  pbf.writeStringField(2, model.graphName);
  for (const tensor of model.initializers) pbf.writeMessage(5, writeTensor, tensor);
  for (const value of model.inputs) pbf.writeMessage(11, writeValue, value);
  for (const value of model.outputs) pbf.writeMessage(12, writeValue, value);
}

function writeNode(node: OnnxNode, pbf: PbfWriter): void {
  for (const input of node.inputs) pbf.writeStringField(1, input);
  for (const output of node.outputs) pbf.writeStringField(2, output);
  pbf.writeStringField(3, node.name);
  pbf.writeStringField(4, node.op);
  for (const attribute of node.attributes) pbf.writeMessage(5, writeAttribute, attribute);
  if (node.domain !== "") pbf.writeStringField(7, node.domain);
}

const ATTRIBUTE_TYPE = { float: 1, int: 2, string: 3, ints: 7 } as const;

function writeAttribute(attribute: OnnxAttribute, pbf: PbfWriter): void {
  pbf.writeStringField(1, attribute.name);
  switch (attribute.kind) {
    case "float":
      pbf.writeFloatField(2, attribute.value);
      break;
    case "int":
      pbf.writeVarintField(3, attribute.value);
      break;
    case "string":
      pbf.writeBytesField(4, new TextEncoder().encode(attribute.value));
      break;
    case "ints":
      for (const value of attribute.value) pbf.writeVarintField(8, value);
  }
  pbf.writeVarintField(20, ATTRIBUTE_TYPE[attribute.kind]);
}

function writeTensor(tensor: OnnxTensor, pbf: PbfWriter): void {
  for (const size of tensor.dims) pbf.writeVarintField(1, size);
  pbf.writeVarintField(2, tensor.dataType);
  pbf.writeStringField(8, tensor.name);
  pbf.writeBytesField(9, tensor.rawData);
}

function writeValue(value: OnnxValue, pbf: PbfWriter): void {
  pbf.writeStringField(1, value.name);
  pbf.writeMessage(2, (of: OnnxValue, type: PbfWriter) => {
    type.writeMessage(1, (tensor: OnnxValue, inner: PbfWriter) => {
      inner.writeVarintField(1, tensor.dataType);
      inner.writeMessage(2, (shaped: OnnxValue, shape: PbfWriter) => {
        for (const size of shaped.dims)
          shape.writeMessage(1, (dim: number | string, out: PbfWriter) => {
            if (typeof dim === "number") out.writeVarintField(1, dim);
            else out.writeStringField(2, dim);
          }, size); // prettier-ignore
      }, tensor);
    }, of);
  }, value); // prettier-ignore
}

/** An initialiser as it stands in a file: its values in one of several fields, or in another file. */
export interface ReadInitializer {
  name: string;
  dims: number[];
  dataType: number;
  rawData: Uint8Array | null;
  floatData: number[];
  /** Holds int8, uint8 and the bits of float16 too. */
  int32Data: number[];
  doubleData: number[];
  /** Keys "location", "offset", "length". */
  external: Record<string, string>;
}

export interface ReadGraph {
  initializers: ReadInitializer[];
  nodes: { op: string; name: string; inputs: string[]; outputs: string[] }[];
}

/** Throws whatever the protobuf library throws on bytes that are no protobuf; nothing else is checked. */
export function decodeOnnx(bytes: Uint8Array): ReadGraph {
  const graph: ReadGraph = { initializers: [], nodes: [] };
  new PbfReader(bytes).readFields((tag, result: ReadGraph, pbf) => {
    if (tag === 7) pbf.readMessage(readGraphField, result);
  }, graph);
  return graph;
}

function readGraphField(tag: number, graph: ReadGraph, pbf: PbfReader): void {
  if (tag === 1) {
    const node = { op: "", name: "", inputs: [], outputs: [] };
    graph.nodes.push(pbf.readMessage(readNodeField, node));
  } else if (tag === 5) {
    const tensor: ReadInitializer = {
      name: "", dims: [], dataType: 0, rawData: null, floatData: [], int32Data: [], doubleData: [], external: {},
    }; // prettier-ignore
    graph.initializers.push(pbf.readMessage(readTensorField, tensor));
  }
}

function readNodeField(
  tag: number,
  node: { op: string; name: string; inputs: string[]; outputs: string[] },
  pbf: PbfReader,
): void {
  if (tag === 1) node.inputs.push(pbf.readString());
  else if (tag === 2) node.outputs.push(pbf.readString());
  else if (tag === 3) node.name = pbf.readString();
  else if (tag === 4) node.op = pbf.readString();
}

function readTensorField(tag: number, tensor: ReadInitializer, pbf: PbfReader): void {
  switch (tag) {
    case 1:
      pbf.readPackedVarint(tensor.dims, true);
      break;
    case 2:
      tensor.dataType = pbf.readVarint();
      break;
    case 4:
      pbf.readPackedFloat(tensor.floatData);
      break;
    case 5:
      pbf.readPackedVarint(tensor.int32Data, true);
      break;
    case 8:
      tensor.name = pbf.readString();
      break;
    case 9:
      tensor.rawData = pbf.readBytes();
      break;
    case 10:
      pbf.readPackedDouble(tensor.doubleData);
      break;
    case 13: {
      const pair = pbf.readMessage(
        (field: number, entry: { key: string; value: string }, inner: PbfReader) => {
          if (field === 1) entry.key = inner.readString();
          else if (field === 2) entry.value = inner.readString();
        },
        { key: "", value: "" },
      );
      tensor.external[pair.key] = pair.value;
    }
  }
}
