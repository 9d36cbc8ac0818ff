/** The page in which networks and transformers.js take turns with the same sentences. */

import type { OrtModule } from "../../src/processing/embedding/onnx-session.ts";
import { createOnnxSession } from "../../src/processing/embedding/onnx-session.ts";
import { OnnxEmbedder } from "../../src/processing/embedding/onnx-embedder.ts";
import { createTextTokenizer } from "../../src/processing/embedding/tokenizer.ts";
import { loadWasmRuntime } from "../../src/platform/browser/ort-runtime.ts";

export interface PageRequest {
  sentences: string[];
  threads: number;
  rounds: number;
  /** Name and address of each network. */
  networks: [name: string, url: string][];
  tokenizerUrl: string;
  /** Address of transformers.js's build for browsers, where it is installed. */
  transformersUrl: string | null;
}

export interface PageResult {
  isolated: boolean;
  systems: {
    name: string;
    loadMs: number;
    /** Of each round. */
    ms: number[];
    /** Row-major, unit length. */
    vectors: number[][];
  }[];
}

declare global {
  interface Window {
    measure(request: PageRequest): Promise<PageResult>;
    ready?: true;
  }
}

type Embed = (texts: string[]) => Promise<Float32Array[]>;

const bytesOf = async (url: string): Promise<Uint8Array> => {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url}: ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
};

async function ours(ort: OrtModule, url: string, tokenizerJson: unknown, threads: number): Promise<Embed> {
  const session = await createOnnxSession(ort, await bytesOf(url), { executionProvider: "wasm" });
  const embedder = new OnnxEmbedder({
    session,
    tokenizer: createTextTokenizer(tokenizerJson),
    info: { id: url, dimensions: 384, maxTokens: 256, backend: "wasm", threads },
  });
  return (texts) => embedder.embed(texts);
} // prettier-ignore

interface Transformers {
  env: {
    allowRemoteModels: boolean;
    allowLocalModels: boolean;
    localModelPath: string;
    useBrowserCache: boolean;
    backends: { onnx: { wasm: { numThreads: number; wasmPaths: string } } };
  };
  AutoTokenizer: { from_pretrained(model: string): Promise<unknown> };
  AutoModel: { from_pretrained(model: string, options: object): Promise<unknown> };
  FeatureExtractionPipeline: new (
    parts: object,
  ) => (
    texts: string[],
    options: Record<string, unknown>,
  ) => Promise<{ data: Float32Array; dims: number[] }>;
}

/** As its documentation embeds sentences: a batch at once, mean pooling, normalised. */
async function transformers(url: string, threads: number): Promise<Embed> {
  // Relative addresses would be those of this script.
  const address = new URL(url, location.href).href;
  const library = (await import(/* @vite-ignore */ address)) as Transformers;
  library.env.allowRemoteModels = false;
  library.env.allowLocalModels = true;
  library.env.useBrowserCache = false;
  library.env.localModelPath = "/transformers-models/";
  library.env.backends.onnx.wasm.numThreads = threads;
  library.env.backends.onnx.wasm.wasmPaths = new URL("./", address).href;
  const extract = new library.FeatureExtractionPipeline({
    task: "feature-extraction",
    tokenizer: await library.AutoTokenizer.from_pretrained("minilm"),
    model: await library.AutoModel.from_pretrained("minilm", { dtype: "q8", device: "wasm" }),
  });
  const embed = async (texts: string[], batch: number): Promise<Float32Array[]> => {
    const vectors: Float32Array[] = [];
    for (let at = 0; at < texts.length; at += batch) {
      const { data, dims } = await extract(texts.slice(at, at + batch), {
        pooling: "mean",
        normalize: true,
      });
      const size = dims[1]!;
      for (let row = 0; row < dims[0]!; row++)
        vectors.push(data.slice(row * size, (row + 1) * size));
    }
    return vectors;
  };
  // The peer is given the number of texts a call with which it is fastest here.
  let best: { batch: number; ms: number } | null = null;
  return async (texts) => {
    if (best === null) {
      await embed(texts.slice(0, 8), 8);
      for (const batch of PEER_BATCHES) {
        const started = performance.now();
        await embed(texts, batch);
        const ms = performance.now() - started;
        if (best === null || ms < best.ms) best = { batch, ms };
      }
    }
    return embed(texts, best!.batch);
  };
}

const PEER_BATCHES = [1, 4, 8, 16];

window.measure = async (request) => {
  const { sentences, threads, rounds, networks, tokenizerUrl, transformersUrl } = request;
  const ort = await loadWasmRuntime(threads);
  const tokenizer = JSON.parse(new TextDecoder().decode(await bytesOf(tokenizerUrl))) as unknown;
  const systems: (PageResult["systems"][number] & { embed: Embed })[] = [];
  const add = async (name: string, load: () => Promise<Embed>): Promise<void> => {
    const started = performance.now();
    const embed = await load();
    systems.push({ name, loadMs: performance.now() - started, ms: [], vectors: [], embed });
  };
  for (const [name, url] of networks) await add(name, () => ours(ort, url, tokenizer, threads));
  if (transformersUrl !== null)
    await add("transformers.js q8", () => transformers(transformersUrl, threads));
  for (let round = 0; round <= rounds; round++)
    for (const system of systems) {
      const started = performance.now();
      const vectors = await system.embed(sentences);
      // The first round warms up.
      if (round > 0) system.ms.push(performance.now() - started);
      else system.vectors = vectors.map((vector) => Array.from(vector));
    }
  return {
    isolated: crossOriginIsolated,
    systems: systems.map(({ name, loadMs, ms, vectors }) => ({ name, loadMs, ms, vectors })),
  };
};
window.ready = true;
