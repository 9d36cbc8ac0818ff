/**
 * What the command line needs from its surroundings: streams, environment, a way to open an engine.
 * `compose.ts` fills it from the process; tests fill it with streams of their own.
 */

import type { Readable, Writable } from "node:stream";
import type { Engine } from "../../engine.ts";
import type { GraphRuntime } from "../../quantization/graph-runtime.ts";
import type { ByteSource } from "../../quantization/tensors/byte-source.ts";
import type { TensorFile } from "../../quantization/tensors/tensor-file.ts";

export interface OpenEngineRequest {
  /** Folder of the store; without it the engine works in memory and leaves nothing behind. */
  directory?: string;
  /** False never loads the embedding model. Default true. */
  embed?: boolean;
}

/** Weights on this machine, and what runs graphs made of them. */
export interface WeightsAccess {
  source(path: string): Promise<ByteSource>;
  open(path: string): Promise<TensorFile>;
  /** A file beside the weights; undefined when there is none. */
  readBeside(path: string, name: string): Promise<Uint8Array | undefined>;
  tokenizer(json: unknown): { encode(text: string, maxTokens: number): Int32Array };
  runtime(): Promise<GraphRuntime>;
}

export interface CliHost {
  stdin: Readable & { isTTY?: boolean };
  stdout: Writable & { isTTY?: boolean; columns?: number };
  stderr: Writable & { isTTY?: boolean; columns?: number };
  env: Readonly<Record<string, string | undefined>>;
  /** Absolute path that relative arguments start from. */
  cwd: string;
  homeDirectory: string;
  version: string;
  openEngine(request: OpenEngineRequest): Promise<Engine>;
  openWeights(): Promise<WeightsAccess>;
}
