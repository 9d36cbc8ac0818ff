/**
 * What the two engines for models inside the browser have in common as sources: a catalogue with the
 * user's own additions, installation state, what the device can do, and one language worker.
 */

import { AppError, isAbortError, throwIfAborted } from "../../../errors.ts";
import type { WebLlmModel, WllamaModel } from "../../../model/language-catalogue.ts";
import type {
  CustomModel,
  LanguageModelInfo,
  LanguageModelState,
} from "../../../model/language-model.ts";
import type {
  InstallProgress,
  LanguageModel,
  LanguageModelSource,
} from "../../../ports/language-model.ts";
import { withInstallLock } from "../model-installer.ts";
import { deviceObstacle, type DeviceCapabilities } from "./device-capabilities.ts";
import type { LoadSpec } from "./language-protocol.ts";
import { LanguageWorker } from "./language-worker.ts";
import { WorkerLanguageModel } from "./worker-language-model.ts";

export interface Installed {
  state: "missing" | "partial" | "installed";
  installedBytes: number;
  /** Of the whole model; undefined while nobody knows. */
  sizeBytes?: number;
  /** Tokens that its own description allows; undefined while unknown. */
  contextTokens?: number;
}

export interface CallOptions {
  signal?: AbortSignal;
  onProgress?: (progress: InstallProgress) => void;
}

export interface WorkerModelSourceParts {
  createWorker: () => Worker;
  device: () => Promise<DeviceCapabilities>;
}

/** A list doesn't wait longer for a graphics processor to say what it can: one that is starting takes seconds. */
const DEVICE_WAIT_MS = 2_000;

export abstract class WorkerModelSource<
  Model extends WllamaModel | WebLlmModel,
> implements LanguageModelSource {
  abstract readonly provider: Model["provider"];
  readonly #models: Map<string, Model>;
  readonly #device: () => Promise<DeviceCapabilities>;
  readonly #worker: LanguageWorker;
  /** Why a model could not be loaded last. */
  readonly #failures = new Map<string, string>();

  protected constructor(models: readonly Model[], parts: WorkerModelSourceParts) {
    this.#models = new Map(models.map((model) => [model.name, model]));
    this.#device = parts.device;
    this.#worker = new LanguageWorker(parts.createWorker);
  }

  /** Never throws. */
  protected abstract readInstalled(model: Model): Promise<Installed>;
  protected abstract download(model: Model, options: CallOptions): Promise<void>;
  protected abstract deleteFiles(model: Model): Promise<void>;
  protected abstract toSpec(model: Model): Promise<LoadSpec>;
  /** `invalid_input` for what can't be one. */
  protected abstract parseCustom(model: CustomModel): Model;

  async list(): Promise<LanguageModelInfo[]> {
    const device = await this.#deviceSoon();
    return Promise.all([...this.#models.values()].map((model) => this.#describe(model, device)));
  }

  async open(name: string, options: CallOptions = {}): Promise<LanguageModel> {
    const model = this.#find(name);
    const obstacle = deviceObstacle(model.needs, await this.#device());
    if (obstacle)
      throw new AppError("model_failed", `${model.title} can't run here.`, { hint: obstacle });
    try {
      const spec = await this.#installedSpec(model);
      const totalBytes = (await this.readInstalled(model)).sizeBytes ?? 1;
      const info = await this.#worker.load(spec, {
        ...(options.signal && { signal: options.signal }),
        ...(options.onProgress && {
          onProgress: ({ doneBytes }) =>
            options.onProgress?.({ doneBytes: Math.round(doneBytes * totalBytes), totalBytes }),
        }),
      });
      this.#failures.delete(name);
      return new WorkerLanguageModel(
        `${this.provider}:${name}`,
        info.contextTokens,
        async (request, onDelta) =>
          this.#worker.generate(await this.#installedSpec(model), request, onDelta),
      );
    } catch (error) {
      if (error instanceof AppError && error.code === "model_failed")
        this.#failures.set(name, error.message);
      throw error;
    }
  }

  async install(name: string, options: CallOptions = {}): Promise<void> {
    const model = this.#find(name);
    throwIfAborted(options.signal);
    const obstacle = deviceObstacle(model.needs, await this.#device());
    if (obstacle)
      throw new AppError("unsupported_input", `${model.title} can't run on this device.`, {
        hint: obstacle,
      });
    await withInstallLock(this.#lockName(name), options.signal, () =>
      this.download(model, options),
    );
    this.#failures.delete(name);
  }

  async remove(name: string): Promise<void> {
    const model = this.#find(name);
    this.#worker.drop(
      name,
      new AppError("model_missing", `${model.title} was removed while it was in use.`, {
        hint: "Install it again, or take another model.",
      }),
    );
    await withInstallLock(this.#lockName(name), undefined, () => this.deleteFiles(model));
    this.#failures.delete(name);
  }

  async add(custom: CustomModel): Promise<LanguageModelInfo> {
    const model = this.parseCustom(custom);
    const known = this.#models.get(model.name);
    if (known && !known.custom)
      throw new AppError(
        "invalid_input",
        `“${model.name}” is the name of a model of the catalogue.`,
        {
          hint: "Give it another name.",
        },
      );
    if (known) this.#worker.drop(model.name, replaced(model.title));
    this.#models.set(model.name, model);
    this.#failures.delete(model.name);
    return this.#describe(model, await this.#deviceSoon());
  }

  close(): Promise<void> {
    return this.#worker.close();
  }

  /** Null while it isn't known: nothing is refused for that, opening and installing wait for it. */
  #deviceSoon(): Promise<DeviceCapabilities | null> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => resolve(null), DEVICE_WAIT_MS);
      this.#device()
        .then(resolve, reject)
        .finally(() => clearTimeout(timer));
    });
  }

  #lockName(name: string): string {
    return `${this.provider}:${name}`;
  }

  #find(name: string): Model {
    const model = this.#models.get(name);
    if (model) return model;
    throw new AppError("not_found", `There is no model “${name}” for ${this.provider}.`, {
      hint: "Take one of the list, or add it by its address.",
    });
  }

  async #installedSpec(model: Model): Promise<LoadSpec> {
    if ((await this.readInstalled(model)).state !== "installed")
      throw new AppError("model_missing", `${model.title} is not installed.`, {
        hint: "Install it on the Models page, or take another model.",
      });
    return this.toSpec(model);
  }

  async #describe(model: Model, device: DeviceCapabilities | null): Promise<LanguageModelInfo> {
    const installed = await this.readInstalled(model).catch(
      (error: unknown): Installed & { error: string } => ({
        state: "missing",
        installedBytes: 0,
        error: isAbortError(error) ? "" : String((error as Error).message),
      }),
    );
    const obstacle = device && deviceObstacle(model.needs, device);
    const failure = this.#failures.get(model.name) ?? ("error" in installed ? installed.error : "");
    let state: LanguageModelState = installed.state;
    if (obstacle) state = "unavailable";
    else if (this.#worker.loadedName === model.name) state = "loaded";
    else if (failure) state = "failed";
    const reason = obstacle ?? failure;
    const sizeBytes = model.sizeBytes ?? installed.sizeBytes;
    return {
      id: `${this.provider}:${model.name}`,
      provider: this.provider,
      name: model.name,
      title: model.title,
      tier: model.tier,
      contextTokens: Math.min(model.contextTokens, installed.contextTokens ?? Infinity),
      local: true,
      price: { inputUsd: 0, outputUsd: 0 },
      installedBytes: installed.installedBytes,
      ...(sizeBytes !== undefined && sizeBytes > 0 && { sizeBytes }),
      ...(model.licence !== undefined && { licence: model.licence }),
      ...(model.origin !== undefined && { origin: model.origin }),
      needs: model.needs,
      state,
      ...(reason && { reason }),
      ...(model.custom && { custom: true }),
    };
  }
}

function replaced(title: string): AppError {
  return new AppError("model_missing", `${title} was replaced by a model of the same name.`, {
    hint: "Install it again.",
  });
}
