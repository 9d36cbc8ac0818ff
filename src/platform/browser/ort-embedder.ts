/**
 * The embedder in the browser's embedding worker: weights from the origin's private file system,
 * WebGPU where a hardware adapter passes a self-test, else WASM with as many threads as were
 * measured to help. All inference code is shared with Node: `processing/embedding/`.
 */

import { AppError } from "../../errors.ts";
import { EMBEDDING_DIMENSIONS } from "../../model/vector.ts";
import {
  DEFAULT_EMBEDDING_MODEL,
  embedderId,
  findWeights,
  findWeightsFile,
  type WeightsModel,
} from "../../model/weights.ts";
import type { Embedder, EmbedderInfo } from "../../ports/embedder.ts";
import type { BatchLimits } from "../../processing/embedding/batching.ts";
import { selfTest } from "../../processing/embedding/known-vector.ts";
import { OnnxEmbedder } from "../../processing/embedding/onnx-embedder.ts";
import { createOnnxSession } from "../../processing/embedding/onnx-session.ts";
import { createTextTokenizer, type TextTokenizer } from "../../processing/embedding/tokenizer.ts";
import { VariantFolder, variantId } from "../../processing/embedding/variant-folder.ts";
import { readModelFile } from "./model-files.ts";
import { loadWasmRuntime, loadWebGpuRuntime, webGpuObstacle } from "./ort-runtime.ts";
import { calibrateWhenIdle, usableThreads } from "./thread-calibration.ts";
import { browserVariantFiles } from "./variant-files.ts";

export interface BrowserEmbedderOptions {
  /** Default: "webgpu" where it passes, else "wasm". */
  backend?: "wasm" | "webgpu";
  /** WASM threads. Default: as measured once on this machine; 1 without cross-origin isolation. */
  threads?: number;
}

/** Tokens the model was trained to see at once; longer text is chunked by the caller. */
const MAX_TOKENS = 256;
/** A GPU needs more rows at once to be busy than a processor does. */
const WEBGPU_LIMITS: BatchLimits = { maxTokens: 4096, maxRows: 64 };

interface ModelBytes {
  network: Uint8Array<ArrayBuffer>;
  tokenizer: TextTokenizer;
  info: Pick<EmbedderInfo, "id" | "dimensions" | "maxTokens">;
  /** Why graphics processors are no use for this network. */
  webGpuObstacle: string | null;
}

const variants = new VariantFolder(browserVariantFiles);

/** Loads the installed model: `model_missing` when it isn't, `model_failed` when it can't be used. */
export async function loadBrowserEmbedder(options: BrowserEmbedderOptions = {}): Promise<Embedder> {
  const model = defaultModel();
  const definition = await readModelFile(model, findWeightsFile(model, "tokenizer.json"));
  const { network, id, isIntegerNetwork } = await readNetwork();
  const parts: ModelBytes = {
    network,
    webGpuObstacle: isIntegerNetwork ? "this network multiplies INT8 numbers on processors" : null,
    tokenizer: createTextTokenizer(JSON.parse(new TextDecoder().decode(definition))),
    info: { id, dimensions: EMBEDDING_DIMENSIONS, maxTokens: MAX_TOKENS },
  };
  if (options.backend === "wasm") return loadWasm(parts, options);
  const webgpu = parts.webGpuObstacle ?? (await tryWebGpu(parts, options.backend === "webgpu"));
  if (typeof webgpu !== "string") return webgpu;
  if (options.backend === "webgpu")
    throw new AppError("model_failed", `The model can't run on WebGPU: ${webgpu}.`, {
      hint: "Leave the choice to the program: it runs without a graphics processor too.",
    });
  return loadWasm(parts, options, webgpu);
}

function defaultModel(): WeightsModel {
  return findWeights(DEFAULT_EMBEDDING_MODEL);
}

/** The fetched network, or the variant that was chosen in its place. */
async function readNetwork(): Promise<{
  network: Uint8Array<ArrayBuffer>;
  id: string;
  isIntegerNetwork: boolean;
}> {
  const chosen = await variants.chosen();
  if (chosen === null) {
    const model = defaultModel();
    const network = await readModelFile(model, findWeightsFile(model, "model.onnx"));
    return { network, id: embedderId(model), isIntegerNetwork: false };
  }
  const { variant, network } = await variants.readNetwork(chosen);
  return {
    network: network as Uint8Array<ArrayBuffer>,
    id: variantId(variant),
    isIntegerNetwork: variant.settings["arithmetic"] === "int8",
  };
}

async function loadWasm(
  { network, tokenizer, info }: ModelBytes,
  options: BrowserEmbedderOptions,
  backendReason?: string,
): Promise<Embedder> {
  const threads = options.threads ?? (await usableThreads());
  const ort = await loadWasmRuntime(threads);
  const session = await createOnnxSession(ort, network, { executionProvider: "wasm" });
  const embedder = new OnnxEmbedder({
    session,
    tokenizer,
    info: { ...info, backend: "wasm", threads, ...(backendReason && { backendReason }) },
  });
  if (options.threads === undefined)
    // Best effort, for the next start: a failure changes nothing.
    calibrateWhenIdle(embedder, async () => (await readNetwork()).network).catch(() => undefined);
  return embedder;
}

/** The embedder, or why WebGPU is not to be used here. */
async function tryWebGpu(
  { network, tokenizer, info }: ModelBytes,
  evenInSoftware: boolean,
): Promise<Embedder | string> {
  const obstacle = await webGpuObstacle();
  if (obstacle && !evenInSoftware) return obstacle;
  try {
    const ort = await loadWebGpuRuntime();
    const session = await createOnnxSession(ort, network, { executionProvider: "webgpu" });
    const embedder = new OnnxEmbedder({
      session,
      tokenizer,
      info: { ...info, backend: "webgpu", threads: 1 },
      limits: WEBGPU_LIMITS,
    });
    const failure = await selfTest(embedder);
    if (failure === null) return embedder;
    await embedder.close();
    return `the WebGPU self-test failed: ${failure}`;
  } catch (error) {
    return `WebGPU failed: ${error instanceof Error ? error.message : String(error)}`;
  }
}
