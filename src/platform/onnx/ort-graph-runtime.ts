/** Runs the workbench's ONNX graphs with whatever build of ONNX Runtime Web the platform loaded. */

import type * as Ort from "onnxruntime-web";
import { AppError } from "../../errors.ts";
import type { OrtModule } from "../../processing/embedding/onnx-session.ts";
import type { GraphRuntime, GraphSession, GraphTensor } from "../../quantization/graph-runtime.ts";

export class OrtGraphRuntime implements GraphRuntime {
  readonly #ort: OrtModule;
  readonly #provider: "wasm" | "webgpu";

  constructor(ort: OrtModule, provider: "wasm" | "webgpu" = "wasm") {
    this.#ort = ort;
    this.#provider = provider;
  }

  async load(model: Uint8Array): Promise<GraphSession> {
    const session = await asModelFailure("loaded", () =>
      this.#ort.InferenceSession.create(model, {
        executionProviders: [this.#provider],
        graphOptimizationLevel: "all",
      }),
    );
    return {
      run: (feeds) => asModelFailure("run", () => this.#run(session, feeds)),
      release: () => session.release(),
    };
  }

  async #run(
    session: Ort.InferenceSession,
    feeds: Readonly<Record<string, GraphTensor>>,
  ): Promise<Record<string, GraphTensor>> {
    const tensors: Record<string, Ort.Tensor> = {};
    for (const [name, { type, dims, data }] of Object.entries(feeds))
      tensors[name] = new this.#ort.Tensor(type, data, dims);
    const results = await session.run(tensors);
    const outputs: Record<string, GraphTensor> = {};
    for (const [name, tensor] of Object.entries(results)) {
      const data = await tensor.getData(true);
      outputs[name] = { type: tensor.type, dims: tensor.dims, data } as GraphTensor;
    }
    return outputs;
  }
}

async function asModelFailure<T>(verb: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new AppError("model_failed", `The network could not be ${verb}: ${message}`, {
      hint: "If memory is short, close other programs and try again with less calibration text.",
      retryable: true,
      cause: error,
    });
  }
}
