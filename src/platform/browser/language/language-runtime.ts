/** A model loaded inside a language worker: what the host drives, whatever engine runs it. */

import type { GenerateResult } from "../../../ports/language-model.ts";
import type { LoadedInfo, LoadSpec, WireRequest } from "./language-protocol.ts";

export interface LoadOptions {
  signal: AbortSignal;
  /** 0 to 1. */
  onProgress: (share: number) => void;
}

export interface LanguageRuntime {
  readonly info: LoadedInfo;
  /** One at a time. Yields text deltas; returns the whole result. */
  stream(request: WireRequest, signal: AbortSignal): AsyncGenerator<string, GenerateResult>;
  close(): Promise<void>;
}

export type LoadRuntime = (spec: LoadSpec, options: LoadOptions) => Promise<LanguageRuntime>;
