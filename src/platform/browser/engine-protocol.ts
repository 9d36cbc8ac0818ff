/**
 * What crosses between a page and the engine's worker, directly or through another tab.
 *
 * Calls and replies are data: callbacks, signals and iterators stay on their side and are named by
 * `callId`. Errors travel as `WireError` inside the reply, because Comlink would drop their codes.
 */

import type { EngineEvent, Receipt, RecognizedFile } from "../../engine.ts";
import type { WireError } from "../../errors.ts";
import type { Progress } from "../../model/task-control.ts";

/** Methods of the engine that answer once; `exportStore` streams through `pull`. */
export const CALLABLE_METHODS = [
  "remember",
  "recall",
  "read",
  "browse",
  "facets",
  "update",
  "forget",
  "restore",
  "compress",
  "decompress",
  "evaluate",
  "compare",
  "resummarize",
  "sql",
  "getEmbeddingsBuffer",
  "importStore",
  "embedMissing",
  "compact",
  "repair",
  "status",
  "embedders.list",
  "embedders.use",
  "embedders.install",
  "embedders.remove",
  "embedders.measure",
  "language.list",
  "language.install",
  "language.remove",
  "language.add",
  "language.settings",
  "language.configure",
  "language.providers",
  "language.configureProvider",
  "language.setKey",
  "language.route",
  "language.profiles",
  "language.spending",
  "language.probe",
  "episodes.build",
  "episodes.list",
  "episodes.read",
  "retention.policy",
  "retention.setPolicy",
  "retention.preview",
  "retention.apply",
  "retention.undo",
] as const;
export type CallableMethod = (typeof CALLABLE_METHODS)[number];

/** Methods beside the engine: the embedding model's installation, which lives in the same worker. */
export const MODEL_METHODS = ["modelState", "installModel", "removeModel"] as const;
export type ModelMethod = (typeof MODEL_METHODS)[number];

export type HostMethod = CallableMethod | ModelMethod;

export type Reply = { ok: true; value: unknown } | { ok: false; error: WireError };

/** The object that the worker exposes through Comlink. Every function resolves; failures are replies. */
export interface EngineHostApi {
  call(callId: string, method: HostMethod, args: unknown[]): Promise<Reply>;
  control(callId: string, action: "pause" | "resume" | "cancel"): void;
  openStream(callId: string, method: "exportStore", args: unknown[]): Promise<Reply>;
  /** `value` is an IteratorResult. */
  pull(callId: string): Promise<Reply>;
  closeStream(callId: string): void;
}

/** Sent beside Comlink's own messages (which it ignores): news of a running call, or of the store. */
export type Notification =
  | { kind: "progress"; callId: string; progress: Progress }
  | { kind: "receipt"; callId: string; receipt: Receipt }
  | { kind: "file"; callId: string; file: RecognizedFile }
  | { kind: "download"; callId: string; progress: DownloadProgress }
  | { kind: "engine"; event: EngineEvent };

export interface DownloadProgress {
  doneBytes: number;
  totalBytes: number;
}

export const NOTIFICATION_KEY = "llmCompressionNotification";

export function wrapNotification(notification: Notification): Record<string, Notification> {
  return { [NOTIFICATION_KEY]: notification };
}

export function unwrapNotification(data: unknown): Notification | null {
  if (typeof data !== "object" || data === null || !(NOTIFICATION_KEY in data)) return null;
  return (data as Record<string, Notification>)[NOTIFICATION_KEY] ?? null;
}

/** Calls that change nothing: safe to send again when the worker that had them ended. */
export const REPEATABLE_METHODS: ReadonlySet<HostMethod> = new Set([
  "recall",
  "read",
  "browse",
  "facets",
  "compress",
  "decompress",
  "evaluate",
  "compare",
  "sql",
  "getEmbeddingsBuffer",
  "status",
  "embedders.list",
  "language.list",
  "language.settings",
  "language.providers",
  "language.route",
  "language.profiles",
  "language.spending",
  "episodes.list",
  "episodes.read",
  "retention.policy",
  "retention.preview",
  "modelState",
]);
