/**
 * What crosses between the engine's worker and a language worker. Calls and replies are data, named
 * by call id; text deltas are messages beside Comlink's own (which ignores them). Errors travel as
 * `WireError` inside the reply, because Comlink would drop their codes.
 */

import type {
  GenerateRequest,
  GenerateResult,
  InstallProgress,
} from "../../../ports/language-model.ts";
import type { StoppableReply } from "../worker-session.ts";

/** What a language worker needs to load one model. */
export type LoadSpec =
  | {
      runtime: "wllama";
      name: string;
      title: string;
      /** Folder under `models/` and the file in it. */
      folder: string;
      file: string;
      contextTokens: number;
    }
  | {
      runtime: "webllm";
      name: string;
      title: string;
      /** The addresses under which its files are kept; nothing is ever fetched from them. */
      modelUrl: string;
      libraryUrl: string;
      contextTokens: number;
      /** Of mlc-chat-config.json. */
      overrides: Record<string, number>;
      shaderF16: boolean;
      /** Its template knows a switch that keeps it from thinking aloud. */
      thinks: boolean;
    };

export interface LoadedInfo {
  contextTokens: number;
  /** "4 threads", "WebGPU". */
  backend: string;
}

/** A request without what can't be cloned. */
export type WireRequest = Omit<GenerateRequest, "signal" | "timeoutMs">;

export interface LanguageHostApi {
  /** Holds the lock by which the other side learns that this worker ended. */
  hold(lockName: string): Promise<void>;
  /** Replaces the model that was loaded before. */
  load(callId: string, spec: LoadSpec): Promise<StoppableReply<LoadedInfo>>;
  /** Deltas come as `WorkerNews` until the reply does. */
  generate(callId: string, request: WireRequest): Promise<StoppableReply<GenerateResult>>;
  cancel(callId: string): void;
}

/** Posted by the worker beside the replies. */
export type WorkerNews =
  | { kind: "delta"; callId: string; text: string }
  | { kind: "progress"; callId: string; progress: InstallProgress };

export interface NewsMessage {
  languageNews: WorkerNews;
}

export function wrapNews(news: WorkerNews): NewsMessage {
  return { languageNews: news };
}

export function unwrapNews(data: unknown): WorkerNews | null {
  return typeof data === "object" && data !== null && "languageNews" in data
    ? (data as NewsMessage).languageNews
    : null;
}
