/**
 * The embedder in Node: weights from disk, ONNX Runtime Web's Node build (WASM, no native module).
 * All inference code is shared with the browser: `processing/embedding/`.
 */

import { createHash } from "node:crypto";
import { existsSync, readFileSync, statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { AppError, toError } from "../../errors.ts";
import { EMBEDDING_DIMENSIONS } from "../../model/vector.ts";
import {
  DEFAULT_EMBEDDING_MODEL,
  embedderId,
  findWeights,
  findWeightsFile,
  type WeightsFile,
  type WeightsModel,
  weightsSizeBytes,
} from "../../model/weights.ts";
import type { Embedder, EmbedderProvider, ModelState } from "../../ports/embedder.ts";
import type { EmbedderVariants } from "../../ports/embedder-variants.ts";
import type { BatchLimits } from "../../processing/embedding/batching.ts";
import {
  defaultThreads,
  type StoredCalibration,
  storedThreads,
} from "../../processing/embedding/calibration.ts";
import { OnnxEmbedder } from "../../processing/embedding/onnx-embedder.ts";
import { createOnnxSession } from "../../processing/embedding/onnx-session.ts";
import { createTextTokenizer } from "../../processing/embedding/tokenizer.ts";
import { VariantFolder, variantId } from "../../processing/embedding/variant-folder.ts";
import { variantFiles } from "./variant-files.ts";

export interface NodeEmbedderOptions {
  /** Holds MODEL/FILE. Default `$LLM_COMPRESS_MODELS`, else `.cache/models` of the package. */
  modelsDirectory?: string;
  /**
   * Default: `$LLM_COMPRESS_THREADS`, else as the set-up measured (`calibration.json` beside the weights), else 2 where the machine
   * has as many processors. Fixed by the first load of a process.
   */
  threads?: number;
  limits?: BatchLimits;
}

/** Tokens the model was trained to see at once; longer text is chunked by the caller. */
const MAX_TOKENS = 256;

/** Loads on the first `load()`; once loaded, every call gives the same embedder. */
export class NodeEmbedderProvider implements EmbedderProvider {
  readonly #model: WeightsModel = findWeights(DEFAULT_EMBEDDING_MODEL);
  readonly #options: NodeEmbedderOptions;
  readonly #directory: string;
  readonly variants: VariantFolder;
  #loading: Promise<Embedder | null> | null = null;
  #loaded: Embedder | null = null;
  #error: AppError | null = null;

  constructor(options: NodeEmbedderOptions = {}) {
    this.#options = options;
    const models = options.modelsDirectory ?? defaultModelsDirectory();
    this.#directory = join(models, this.#model.name);
    this.variants = new VariantFolder(variantFiles(join(models, "embedder-variants")));
  }

  /** Null while the weights are missing or can't be used; `state()` says why. */
  load(): Promise<Embedder | null> {
    this.#loading ??= this.#load().then((embedder) => {
      // Weights may be installed, or replaced, later.
      if (!embedder) this.#loading = null;
      return embedder;
    });
    return this.#loading;
  }

  async #load(): Promise<Embedder | null> {
    try {
      if (!this.#isComplete()) return null;
      const embedder = await loadNodeEmbedder(
        this.#model,
        this.#directory,
        this.variants,
        this.#options,
      );
      this.#loaded = forgetOnClose(embedder, () => {
        this.#loaded = null;
        this.#loading = null;
      });
      this.#error = null;
      return this.#loaded;
    } catch (error) {
      this.#error = toError(error) as AppError;
      return null;
    }
  }

  async state(): Promise<ModelState> {
    const variant = await this.variants.chosen();
    const installedBytes = this.#model.files.reduce(
      (sum, file) => sum + sizeOf(join(this.#directory, file.name)),
      0,
    );
    const state = this.#loaded
      ? "loaded"
      : this.#error
        ? "failed"
        : this.#isComplete()
          ? "installed"
          : installedBytes > 0
            ? "partial"
            : "missing";
    return {
      name: this.#model.name,
      state,
      sizeBytes: weightsSizeBytes(this.#model),
      installedBytes,
      licence: this.#model.licence,
      ...(this.#loaded && { backend: this.#loaded.info.backend }),
      ...(variant !== null && { variant }),
      ...(this.#error && { error: this.#error.message }),
    };
  }

  #isComplete(): boolean {
    return this.#model.files.every((file) => existsSync(join(this.#directory, file.name)));
  }
}

/** The runtime starts its threads once per process. */
let runtimeThreads: number | null = null;

async function loadNodeEmbedder(
  model: WeightsModel,
  directory: string,
  variants: EmbedderVariants,
  options: NodeEmbedderOptions,
): Promise<OnnxEmbedder> {
  const chosen = await variants.chosen();
  const [{ network, id }, tokenizer] = await Promise.all([
    chosen === null
      ? readChecked(directory, findWeightsFile(model, "model.onnx")).then((bytes) => ({
          network: bytes as Uint8Array,
          id: embedderId(model),
        }))
      : variants
          .readNetwork(chosen)
          .then((found) => ({ network: found.network, id: variantId(found.variant) })),
    readChecked(directory, findWeightsFile(model, "tokenizer.json")),
  ]);
  // The package's root: under Node its Node build, whose threads are worker_threads.
  const ort = await import("onnxruntime-web");
  runtimeThreads ??= options.threads ?? (await usableThreads(dirname(directory)));
  ort.env.wasm.numThreads = runtimeThreads;
  const session = await createOnnxSession(ort, network, { executionProvider: "wasm" });
  return new OnnxEmbedder({
    session,
    tokenizer: createTextTokenizer(JSON.parse(tokenizer.toString("utf8"))),
    info: {
      id,
      dimensions: EMBEDDING_DIMENSIONS,
      maxTokens: MAX_TOKENS,
      backend: "wasm",
      backendReason: "Node has no WebGPU",
      threads: runtimeThreads,
    },
    ...(options.limits && { limits: options.limits }),
  });
}

async function usableThreads(modelsDirectory: string): Promise<number> {
  const configured = Number(process.env["LLM_COMPRESS_THREADS"]);
  if (Number.isInteger(configured) && configured > 0) return configured;
  const processors = availableParallelism();
  try {
    const text = await readFile(join(modelsDirectory, "calibration.json"), "utf8");
    const stored = JSON.parse(text) as StoredCalibration;
    // An answer does not age here: the set-up measures again when asked.
    return storedThreads(stored, processors, stored.measuredAt) ?? defaultThreads(processors);
  } catch {
    return defaultThreads(processors);
  }
}

async function readChecked(directory: string, file: WeightsFile): Promise<Buffer> {
  const path = join(directory, file.name);
  const bytes = await readFile(path);
  if (createHash("sha256").update(bytes).digest("hex") !== file.sha256)
    throw new AppError("model_failed", `The weights file ${path} is damaged (SHA-256 differs).`, {
      hint: "Run `npm run setup`: it replaces the file.",
    });
  return bytes;
}

function sizeOf(path: string): number {
  for (const candidate of [path, `${path}.part`])
    if (existsSync(candidate)) return statSync(candidate).size;
  return 0;
}

/** `.cache/models` beside this package's package.json, both from the sources and from `dist/`. */
export function defaultModelsDirectory(): string {
  const configured = process.env["LLM_COMPRESS_MODELS"];
  if (configured) return configured;
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
    const manifest = join(folder, "package.json");
    if (existsSync(manifest) && packageName(manifest) === "llm-compression")
      return join(folder, ".cache", "models");
    if (folder === dirname(folder)) return join(process.cwd(), ".cache", "models");
  }
}

function packageName(path: string): unknown {
  try {
    return (JSON.parse(readFileSync(path, "utf8")) as { name?: unknown }).name;
  } catch {
    return undefined;
  }
}

/** The embedder itself, with its provider told when it closes. */
function forgetOnClose(embedder: OnnxEmbedder, onClose: () => void): Embedder {
  const close = embedder.close.bind(embedder);
  embedder.close = async () => {
    onClose();
    await close();
  };
  return embedder;
}
