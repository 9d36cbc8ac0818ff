/** Turns texts into 384-d unit vectors. */

import type { EmbedderVariants } from "./embedder-variants.ts";

export interface EmbedderInfo {
  /** Name plus the first 8 hex digits of the weights' SHA-256: vectors of different ids are never mixed. */
  id: string;
  dimensions: number;
  /** Longest input in tokens; longer text is the caller's to chunk. */
  maxTokens: number;
  /** "wasm" or "webgpu", with the reason where a better one was not taken. */
  backend: string;
  backendReason?: string;
  threads: number;
}

export interface EmbedOptions {
  signal?: AbortSignal;
  /** Texts embedded so far. */
  onProgress?: (done: number) => void;
}

/** A loaded embedding model. `model_failed` when inference fails; texts beyond `maxTokens` are cut, so chunk before. */
export interface Embedder {
  readonly info: EmbedderInfo;
  /** One unit vector per text, in order. An empty text gives a zero vector. */
  embed(texts: readonly string[], options?: EmbedOptions): Promise<Float32Array[]>;
  countTokens(text: string): number | Promise<number>;
  close(): Promise<void>;
}

/** What loads the embedder on demand; rejects with `model_missing` while no weights are installed. */
export interface EmbedderProvider {
  /** Other networks that can be chosen; undefined where there is no place for them. */
  readonly variants?: EmbedderVariants;
  /** Null while the weights are not installed; never throws. */
  load(): Promise<Embedder | null>;
  state(): Promise<ModelState>;
}

export interface ModelState {
  name: string;
  state: "missing" | "partial" | "installed" | "loaded" | "failed";
  /** Bytes of the download. */
  sizeBytes: number;
  installedBytes: number;
  licence: string;
  backend?: string;
  /** The variant that is used in place of the fetched network. */
  variant?: string;
  error?: string;
}
