/** Builds an ONNX graph node by node; every node gives the name of its output for the next. */

import { AppError } from "../../errors.ts";
import {
  ELEMENT,
  encodeOnnx,
  type ElementType,
  type OnnxAttribute,
  type OnnxNode,
  type OnnxTensor,
  type OnnxValue,
} from "./onnx-model.ts";

export type AttributeValue = number | string | readonly number[] | { float: number };

/** The domain of ONNX Runtime's own operators. */
export const MICROSOFT = "com.microsoft";
/** LayerNormalization came with 17; later ones need newer runtimes and give us nothing. */
const OPSET = 17;

type TensorData = Float32Array | Uint8Array | Int8Array | Int32Array | BigInt64Array;

function elementOf(data: TensorData): ElementType {
  if (data instanceof Float32Array) return ELEMENT.float;
  if (data instanceof Uint8Array) return ELEMENT.uint8;
  if (data instanceof Int8Array) return ELEMENT.int8;
  if (data instanceof Int32Array) return ELEMENT.int32;
  return ELEMENT.int64;
}

export class GraphBuilder {
  readonly #name: string;
  readonly #nodes: OnnxNode[] = [];
  readonly #initializers = new Map<string, OnnxTensor>();
  readonly #inputs: OnnxValue[] = [];
  readonly #outputs: OnnxValue[] = [];
  #usesMicrosoft = false;

  constructor(name: string) {
    this.#name = name;
  }

  input(name: string, dataType: ElementType, dims: readonly (number | string)[]): string {
    this.#inputs.push({ name, dataType, dims });
    return name;
  }

  output(name: string, dataType: ElementType, dims: readonly (number | string)[]): void {
    this.#outputs.push({ name, dataType, dims });
  }

  /** A constant. The bytes are referenced until `build`, not copied. Giving the same name again is an error of ours. */
  constant(name: string, dims: readonly number[], data: TensorData): string {
    const values = dims.reduce((product, size) => product * size, 1);
    if (this.#initializers.has(name) || values !== data.length)
      throw new AppError(
        "internal",
        `The graph's constant "${name}" is there twice or of the wrong size.`,
      );
    const rawData = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    this.#initializers.set(name, { name, dims, dataType: elementOf(data), rawData });
    return name;
  }

  /** An integer list as a constant: shapes, axes. Equal lists share one. */
  ints(values: readonly number[]): string {
    const name = `ints_${values.join("_").replaceAll("-", "m")}`;
    if (!this.#initializers.has(name))
      this.constant(name, [values.length], BigInt64Array.from(values, BigInt));
    return name;
  }

  scalar(value: number): string {
    const name = `scalar_${String(value).replaceAll(/\W/g, "_")}`;
    if (!this.#initializers.has(name)) this.constant(name, [], Float32Array.of(value));
    return name;
  }

  /** One output, named after the node unless `outputs` says otherwise. */
  node(
    op: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, AttributeValue>> = {},
    options: { domain?: string; outputs?: readonly string[] } = {},
  ): string {
    const name = options.outputs?.[0] ?? `${op}_${this.#nodes.length}`;
    const domain = options.domain ?? "";
    if (domain === MICROSOFT) this.#usesMicrosoft = true;
    this.#nodes.push({
      op,
      domain,
      name: `node_${name}`,
      inputs,
      outputs: options.outputs ?? [name],
      attributes: Object.entries(attributes).map(([key, value]) => toAttribute(key, value)),
    });
    return name;
  }

  build(metadata: Readonly<Record<string, string>> = {}): Uint8Array {
    return encodeOnnx({
      graphName: this.#name,
      nodes: this.#nodes,
      initializers: [...this.#initializers.values()],
      inputs: this.#inputs,
      outputs: this.#outputs,
      opsets: [
        { domain: "", version: OPSET },
        ...(this.#usesMicrosoft ? [{ domain: MICROSOFT, version: 1 }] : []),
      ],
      metadata,
    });
  }
}

function toAttribute(name: string, value: AttributeValue): OnnxAttribute {
  if (typeof value === "string") return { name, kind: "string", value };
  if (typeof value === "number") return { name, kind: "int", value };
  if ("float" in value) return { name, kind: "float", value: value.float };
  return { name, kind: "ints", value };
}
