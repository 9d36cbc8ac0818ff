/** What runs ONNX graphs for the workbench: calibration, validation. Platforms bring ONNX Runtime Web. */

export type GraphTensor =
  | { type: "float32"; dims: readonly number[]; data: Float32Array }
  | { type: "int64"; dims: readonly number[]; data: BigInt64Array };

export interface GraphSession {
  /** Every output by name. Calls must not overlap. `model_failed` when the runtime fails. */
  run(feeds: Readonly<Record<string, GraphTensor>>): Promise<Record<string, GraphTensor>>;
  release(): Promise<void>;
}

export interface GraphRuntime {
  /** `model_failed` when the graph is refused. */
  load(model: Uint8Array): Promise<GraphSession>;
}
