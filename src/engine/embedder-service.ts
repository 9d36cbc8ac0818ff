/**
 * Which network makes the vectors: the fetched one or a variant from the workbench. A change drops the
 * loaded one; stored vectors stay and are known by the network that made them, so they are never
 * compared with others, until `embedMissing` has made them again.
 */

import { z } from "zod";
import type { EmbedderOption, Embedders } from "../engine.ts";
import { AppError } from "../errors.ts";
import type { TaskOptions } from "../model/task-control.ts";
import { EMBEDDING_DIMENSIONS } from "../model/vector.ts";
import {
  DEFAULT_EMBEDDING_MODEL,
  embedderId,
  findWeights,
  findWeightsFile,
} from "../model/weights.ts";
import type { EmbedderVariants } from "../ports/embedder-variants.ts";
import { variantId } from "../processing/embedding/variant-folder.ts";
import type { MemoryStore } from "../storage/memory-store.ts";
import { measureEmbedder } from "./embedder-speed.ts";
import type { ModelHolder } from "./model-holder.ts";
import type { SettingsStore } from "./settings-store.ts";

const SETTINGS = "embedder-speeds";
const speedsSchema = z.record(z.string(), z.number().positive());
type Speeds = Record<string, number>;

export interface EmbedderParts {
  store: Pick<MemoryStore, "catalog">;
  models: ModelHolder;
  /** Answers that the network before gave are forgotten. */
  search: { clearCache(): void };
  settings: SettingsStore;
}

export class EmbedderService implements Embedders {
  readonly #parts: EmbedderParts;
  readonly #onChange: () => void;

  constructor(parts: EmbedderParts, onChange: () => void) {
    this.#parts = parts;
    this.#onChange = onChange;
  }

  async list(): Promise<EmbedderOption[]> {
    const { models, settings, store } = this.#parts;
    const speeds = await settings.read<Speeds>(SETTINGS, speedsSchema, {});
    const counts = new Map<string, number>();
    for (const { embeddingModel } of store.catalog.entries())
      if (embeddingModel !== null)
        counts.set(embeddingModel, (counts.get(embeddingModel) ?? 0) + 1);
    const fetched = findWeights(DEFAULT_EMBEDDING_MODEL);
    const variants = (await models.variants?.list()) ?? [];
    const chosen = (await models.variants?.chosen()) ?? null;
    const known = (id: string) => ({
      id,
      sentencesPerSecond: speeds[id] ?? null,
      vectorCount: counts.get(id) ?? 0,
    });
    return [
      {
        ...known(embedderId(fetched)),
        name: null,
        label: fetched.title,
        sizeBytes: findWeightsFile(fetched, "model.onnx").sizeBytes,
        settings: {},
        quality: null,
        isChosen: chosen === null,
      },
      ...variants.map((variant) => ({
        ...known(variantId(variant)),
        name: variant.name,
        label: variant.label,
        sizeBytes: variant.network.sizeBytes,
        settings: variant.settings,
        quality: variant.quality,
        isChosen: chosen === variant.name,
      })),
    ];
  }

  use: Embedders["use"] = async (name) => {
    const variants = this.#variants();
    const before = await variants.chosen();
    if (before === name) return;
    await variants.choose(name);
    await this.#reload();
    if (name === null) return;
    try {
      await this.#tryOut();
    } catch (error) {
      // Nobody is left with a network that doesn't work.
      await variants.choose(before);
      await this.#reload();
      throw error;
    }
  };

  install: Embedders["install"] = async (variant, network) => {
    const variants = this.#variants();
    const installed = await variants.install(variant, network);
    if ((await variants.chosen()) === installed.name) await this.#reload();
    else this.#onChange();
  };

  remove: Embedders["remove"] = async (name) => {
    const variants = this.#variants();
    const wasChosen = (await variants.chosen()) === name;
    await variants.remove(name);
    if (wasChosen) await this.#reload();
    else this.#onChange();
  };

  async measure(options: TaskOptions = {}): Promise<{ id: string; sentencesPerSecond: number }> {
    const embedder = await this.#parts.models.load();
    if (embedder === null)
      throw new AppError("model_missing", "No embedding model can be used.", {
        hint: "Install it in Settings, or run `npm run setup`.",
      });
    const sentencesPerSecond = await measureEmbedder(embedder, options);
    const { id } = embedder.info;
    const speeds = await this.#parts.settings.read<Speeds>(SETTINGS, speedsSchema, {});
    await this.#parts.settings.write(SETTINGS, { ...speeds, [id]: sentencesPerSecond });
    this.#onChange();
    return { id, sentencesPerSecond };
  }

  /** A network of another model, or one that this runtime can't run, is found out before it is relied on. */
  async #tryOut(): Promise<void> {
    const { models } = this.#parts;
    const embedder = await models.load();
    if (embedder === null) {
      const { state, error } = await models.state();
      throw state === "failed"
        ? new AppError("model_failed", `This network can't be used: ${error ?? "it failed"}`)
        : new AppError("model_missing", "No embedding model is installed.", {
            hint: "Install it in Settings, or run `npm run setup`; its tokenizer serves all networks.",
          });
    }
    const [vector] = await embedder.embed(["The ferry leaves from the south pier."]);
    const length = Math.hypot(...(vector ?? []));
    if (vector?.length !== EMBEDDING_DIMENSIONS || !(Math.abs(length - 1) < 0.01))
      throw new AppError(
        "model_failed",
        `This network makes no unit vectors of ${EMBEDDING_DIMENSIONS} values: it belongs to another model.`,
      );
  }

  #variants(): EmbedderVariants {
    const { variants } = this.#parts.models;
    if (variants === undefined)
      throw new AppError("unsupported_input", "Here the embedding model can't be exchanged.");
    return variants;
  }

  async #reload(): Promise<void> {
    await this.#parts.models.unload();
    this.#parts.search.clearCache();
    this.#onChange();
  }
}
