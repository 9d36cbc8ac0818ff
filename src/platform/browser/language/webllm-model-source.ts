/** Models for WebLLM (WebGPU) as a source: its catalogue, the user's own, their installation. */

import { WEBLLM_MODELS, type WebLlmModel } from "../../../model/language-catalogue.ts";
import type { CustomModel } from "../../../model/language-model.ts";
import { parseWebLlmModel } from "./custom-model.ts";
import { readDeviceCapabilities } from "./device-capabilities.ts";
import type { LoadSpec } from "./language-protocol.ts";
import { cachedAddresses, deleteInstalled, readInstalled, readManifest } from "./webllm-files.ts";
import { installWebLlm } from "./webllm-installer.ts";
import {
  WorkerModelSource,
  type CallOptions,
  type Installed,
  type WorkerModelSourceParts,
} from "./worker-model-source.ts";

export class WebLlmModelSource extends WorkerModelSource<WebLlmModel> {
  readonly provider = "webllm";

  constructor(parts: Omit<WorkerModelSourceParts, "device"> & Partial<WorkerModelSourceParts>) {
    super(WEBLLM_MODELS, { device: readDeviceCapabilities, ...parts });
  }

  protected async readInstalled(model: WebLlmModel): Promise<Installed> {
    const manifest = await readManifest(model.name);
    if (
      !manifest ||
      manifest.weightsUrl !== model.weightsUrl ||
      manifest.libraryUrl !== model.libraryUrl
    )
      return { state: "missing", installedBytes: 0 };
    return {
      ...(await readInstalled(manifest)),
      ...(manifest.contextWindow > 0 && { contextTokens: manifest.contextWindow }),
    };
  }

  protected download(model: WebLlmModel, options: CallOptions): Promise<void> {
    return installWebLlm(model, options);
  }

  protected deleteFiles(model: WebLlmModel): Promise<void> {
    return deleteInstalled(model.name);
  }

  protected async toSpec(model: WebLlmModel): Promise<LoadSpec> {
    const window = (await readManifest(model.name))?.contextWindow ?? -1;
    const contextTokens = window > 0 ? Math.min(window, model.contextTokens) : model.contextTokens;
    // A model with a sliding window must not be given a fixed one too, unless its entry says how.
    const fixed = window > 0 || model.overrides?.["sliding_window_size"] === -1;
    return {
      runtime: "webllm",
      name: model.name,
      title: model.title,
      ...cachedAddresses(model.name),
      contextTokens,
      overrides: { ...model.overrides, ...(fixed && { context_window_size: contextTokens }) },
      shaderF16: model.needs.shaderF16 ?? false,
      thinks: /qwen-?3(?!.*instruct-2507)/i.test(model.name),
    };
  }

  protected parseCustom(model: CustomModel): WebLlmModel {
    return parseWebLlmModel(model);
  }
}
