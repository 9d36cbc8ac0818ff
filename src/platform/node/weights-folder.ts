/** Weights on disk for the workbench: the file or its shards by range, and what lies beside it. */

import { open, readFile, stat } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { basename, dirname, join } from "node:path";
import { createTextTokenizer } from "../../processing/embedding/tokenizer.ts";
import type { GraphRuntime } from "../../quantization/graph-runtime.ts";
import type { ByteSource } from "../../quantization/tensors/byte-source.ts";
import { openOnnxTensors } from "../../quantization/tensors/onnx-tensors.ts";
import { openSafetensors } from "../../quantization/tensors/safetensors.ts";
import { openSharded } from "../../quantization/tensors/sharded.ts";
import type { TensorFile } from "../../quantization/tensors/tensor-file.ts";
import { OrtGraphRuntime } from "../onnx/ort-graph-runtime.ts";

/** A file read by range, opened anew for each: nothing to close, and no handle is held while others work. */
export async function fileSource(path: string): Promise<ByteSource> {
  const { size } = await stat(path);
  return {
    name: basename(path),
    sizeBytes: size,
    async read(offset, length) {
      const file = await open(path, "r");
      try {
        const bytes = new Uint8Array(length);
        let done = 0;
        while (done < length) {
          const { bytesRead } = await file.read(bytes, done, length - done, offset + done);
          if (bytesRead === 0) break;
          done += bytesRead;
        }
        return bytes.subarray(0, done);
      } finally {
        await file.close();
      }
    },
  };
}

/** Opens `.safetensors`, an index of shards (`.safetensors.index.json`) or `.onnx`. */
export async function openWeights(path: string): Promise<TensorFile> {
  const beside = (name: string): Promise<ByteSource> => fileSource(join(dirname(path), name));
  const source = await fileSource(path);
  if (path.endsWith(".index.json")) return openSharded(source, beside);
  return path.endsWith(".onnx") ? openOnnxTensors(source, beside) : openSafetensors(source);
}

/** The file of that name beside the weights; undefined when there is none. */
export async function readBeside(path: string, name: string): Promise<Uint8Array | undefined> {
  try {
    return await readFile(join(dirname(path), name));
  } catch {
    return undefined;
  }
}

/** Runs graphs on the processors of this machine (at most four: such small products gain nothing from more). */
async function loadGraphRuntime(): Promise<GraphRuntime> {
  const ort = await import("onnxruntime-web");
  ort.env.wasm.numThreads = Math.min(4, availableParallelism());
  return new OrtGraphRuntime(ort);
}

/** All of it, as the command line asks for it. */
export const weightsAccess = {
  source: fileSource,
  open: openWeights,
  readBeside,
  tokenizer: createTextTokenizer,
  runtime: loadGraphRuntime,
};
