/**
 * The worker's side of `RemoteEngine`: runs calls on a local `Engine`, keeps the controls of the
 * running ones, and sends their news back. One host serves every client of the tab and, when its
 * tab leads, the other tabs.
 */

import type { Engine, ExportedFile, ExportFormat, ImportOptions } from "../../engine.ts";
import { AppError, toWireError } from "../../errors.ts";
import { TaskControl } from "../../model/task-control.ts";
import type { ModelState } from "../../ports/embedder.ts";
import { withTransfer } from "./reply-transfer.ts";
import {
  CALLABLE_METHODS,
  type CallableMethod,
  type DownloadProgress,
  type EngineHostApi,
  type HostMethod,
  type Notification,
  type Reply,
} from "./engine-protocol.ts";

/** Installation of the embedding model, as the host offers it. */
export interface ModelService {
  state(): Promise<ModelState>;
  install(options: {
    onProgress: (progress: DownloadProgress) => void;
    signal: AbortSignal;
  }): Promise<void>;
  remove(): Promise<void>;
}

type Method = (...values: unknown[]) => Promise<unknown>;
type Notify = (notification: Notification) => void;

export class EngineHost {
  readonly #engine: Engine;
  readonly #models: ModelService;

  constructor(engine: Engine, models: ModelService) {
    this.#engine = engine;
    this.#models = models;
  }

  /**
   * The api for one client; `notify` reaches that client alone. `end`, when the client is gone: what
   * it was reading is closed; what it was storing goes on, since part of it was acknowledged.
   */
  createApi(notify: Notify): { api: EngineHostApi; end: () => void } {
    const controls = new Map<string, TaskControl>();
    const streams = new Map<string, AsyncIterator<ExportedFile>>();

    const run = async (callId: string, work: (control: TaskControl) => Promise<unknown>) => {
      const control = new TaskControl();
      controls.set(callId, control);
      try {
        return withTransfer({ ok: true, value: await work(control) } satisfies Reply);
      } catch (error) {
        return { ok: false, error: toWireError(error) } satisfies Reply;
      } finally {
        controls.delete(callId);
      }
    };

    const closeStream = (callId: string): void => {
      void streams.get(callId)?.return?.();
      streams.delete(callId);
    };
    const api: EngineHostApi = {
      call: (callId, method, args) =>
        run(callId, (control) => this.#dispatch(callId, method, args, control, notify)),
      control: (callId, action) => controls.get(callId)?.[action](),
      openStream: (callId, _method, args) =>
        run(callId, () => {
          const iterable = this.#engine.exportStore(args[0] as ExportFormat);
          streams.set(callId, iterable[Symbol.asyncIterator]());
          return Promise.resolve(null);
        }),
      pull: (callId) =>
        run(callId, async () => {
          const stream = streams.get(callId);
          if (!stream) throw new AppError("not_found", `No open stream ${callId}.`);
          const result = await stream.next();
          if (result.done) streams.delete(callId);
          return result;
        }),
      closeStream,
    };
    return { api, end: () => [...streams.keys()].forEach(closeStream) };
  }

  async #dispatch(
    callId: string,
    method: HostMethod,
    args: unknown[],
    control: TaskControl,
    notify: Notify,
  ): Promise<unknown> {
    switch (method) {
      case "modelState":
        return this.#models.state();
      case "installModel":
        return this.#models.install({
          onProgress: (progress) => notify({ kind: "download", callId, progress }),
          signal: control.signal,
        });
      case "removeModel":
        return this.#models.remove();
    }
    if (!(CALLABLE_METHODS as readonly string[]).includes(method))
      throw new AppError("invalid_input", `The engine has no method ${String(method)}.`);
    return this.#callEngine(callId, method, args, control, notify);
  }

  #callEngine(
    callId: string,
    method: CallableMethod,
    args: unknown[],
    control: TaskControl,
    notify: Notify,
  ): Promise<unknown> {
    const lived = {
      control,
      signal: control.signal,
      onProgress: (progress) => notify({ kind: "progress", callId, progress }),
      onReceipt: (receipt) => notify({ kind: "receipt", callId, receipt }),
      onFile: (file) => notify({ kind: "file", callId, file }),
    } satisfies ImportOptions;
    const withTask = TASK_METHODS[method];
    const full =
      withTask === undefined
        ? args
        : [
            ...args.slice(0, withTask),
            ...Array<undefined>(Math.max(0, withTask - args.length)).fill(undefined),
            { ...(args[withTask] as object | undefined), ...lived },
          ];
    // "language.list" is the method of a part of the engine.
    const [first, second] = method.split(".") as [keyof Engine, string | undefined];
    const owner = second === undefined ? this.#engine : this.#engine[first];
    const target = (owner as unknown as Record<string, Method>)[second ?? first]!;
    return target.apply(owner, full);
  }
}

/** Index of the options argument of the methods that take progress, signal or control. */
const TASK_METHODS: Partial<Record<CallableMethod, number>> = {
  remember: 1,
  recall: 1,
  compress: 1,
  evaluate: 1,
  compare: 1,
  resummarize: 1,
  sql: 1,
  "embedders.measure": 0,
  "language.install": 1,
  "language.probe": 1,
  "episodes.build": 0,
  "retention.apply": 0,
  importStore: 1,
  embedMissing: 0,
  compact: 0,
};
