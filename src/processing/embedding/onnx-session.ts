/**
 * The network itself behind one narrow interface, so that the embedder doesn't know which build of
 * ONNX Runtime Web (Node, WASM, WebGPU) runs it. The platform adapters bring the module and its files.
 */

import type * as Ort from "onnxruntime-web";
import { AppError } from "../../errors.ts";
import type { TokenBatch } from "./batching.ts";

/** What is used of an ONNX Runtime Web build. */
export type OrtModule = Pick<typeof Ort, "InferenceSession" | "Tensor">;

export interface OnnxSession {
  /** Token vectors, row-major [rows, columns, dimensions]. Calls must not overlap. */
  run(batch: TokenBatch): Promise<Float32Array>;
  release(): Promise<void>;
}

export interface OnnxSessionOptions {
  executionProvider: "wasm" | "webgpu";
}

/** Parses the network. `model_failed` when the bytes are no network of this kind. */
export async function createOnnxSession(
  ort: OrtModule,
  network: Uint8Array,
  options: OnnxSessionOptions,
): Promise<OnnxSession> {
  let session: Ort.InferenceSession;
  try {
    session = await ort.InferenceSession.create(network, {
      executionProviders: [options.executionProvider],
      graphOptimizationLevel: "all",
    });
  } catch (error) {
    throw new AppError(
      "model_failed",
      `The embedding model could not be loaded: ${messageOf(error)}`,
      {
        hint: "Install the embedding model again; keyword search works meanwhile.",
        cause: error,
      },
    );
  }
  const output = session.outputNames[0]!;
  const needsTypeIds = session.inputNames.includes("token_type_ids");
  return {
    async run({ rows, columns, inputIds, attentionMask }) {
      const dims = [rows, columns];
      const feeds: Record<string, Ort.Tensor> = {
        input_ids: new ort.Tensor("int64", inputIds, dims),
        attention_mask: new ort.Tensor("int64", attentionMask, dims),
      };
      if (needsTypeIds)
        feeds["token_type_ids"] = new ort.Tensor("int64", new BigInt64Array(rows * columns), dims);
      try {
        const result = (await session.run(feeds))[output]!;
        return (await result.getData(true)) as Float32Array;
      } catch (error) {
        throw new AppError("model_failed", `The embedding model failed: ${messageOf(error)}`, {
          hint: "Try again; if it stays, free some memory or install the embedding model again.",
          retryable: true,
          cause: error,
        });
      }
    },
    release: () => session.release(),
  };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
