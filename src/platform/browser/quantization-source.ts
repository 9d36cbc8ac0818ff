/** Weights for the workbench in the browser: of its private file system or files of the owner, read by range. */

import { AppError } from "../../errors.ts";
import { findWeights, type WeightsModel } from "../../model/weights.ts";
import { createTextTokenizer, type TextTokenizer } from "../../processing/embedding/tokenizer.ts";
import { blobSource, type ByteSource } from "../../quantization/tensors/byte-source.ts";
import { openOnnxTensors } from "../../quantization/tensors/onnx-tensors.ts";
import { openSafetensors } from "../../quantization/tensors/safetensors.ts";
import { openSharded } from "../../quantization/tensors/sharded.ts";
import type { TensorFile } from "../../quantization/tensors/tensor-file.ts";
import { RUN_FILES, type WorkbenchSource } from "../../quantization/workbench.ts";
import { withInstallLock } from "./model-installer.ts";
import { findModelFolder, modelFolderName, readModelState } from "./model-files.ts";
import { PART_SUFFIX } from "./resumable-file.ts";

/** Description files are small; more is another file by that name. */
const MAX_JSON_BYTES = 64 * 1024 * 1024;

export interface OpenedSource {
  file: TensorFile;
  /** Parsed `config.json`; undefined without one. */
  config: unknown;
  tokenizer: TextTokenizer | null;
  /** `config.json` and `tokenizer.json` as they are, for the result's folder. */
  beside: { name: string; bytes: Uint8Array }[];
  /** The same for the same weights. */
  key: string;
}

/** Reads headers and descriptions; values come when they are asked for. */
export async function openSource(source: WorkbenchSource): Promise<OpenedSource> {
  const files =
    source.kind === "files" ? [...source.files] : await installedFiles(findSource(source.name));
  const file = await openTensors(files);
  const beside: OpenedSource["beside"] = [];
  const json: Record<string, unknown> = {};
  for (const name of [RUN_FILES.config, RUN_FILES.tokenizer]) {
    const found = files.find((one) => one.name === name);
    if (found === undefined) continue;
    if (found.size > MAX_JSON_BYTES)
      throw new AppError(
        "too_large",
        `${name} has ${found.size} bytes, too many to describe a model.`,
      );
    const bytes = new Uint8Array(await readable(found, found.arrayBuffer()));
    json[name] = parseJson(name, bytes);
    beside.push({ name, bytes });
  }
  return {
    file,
    config: json[RUN_FILES.config],
    tokenizer: readTokenizer(json[RUN_FILES.tokenizer]),
    beside,
    key: files.map(({ name, size, lastModified }) => `${name}:${size}:${lastModified}`).join("|"),
  };
}

/** The network that runs takes BERT's words; a tokenizer of another kind says so where it would be used. */
function readTokenizer(definition: unknown): TextTokenizer | null {
  if (definition === undefined) return null;
  try {
    return createTextTokenizer(definition);
  } catch (error) {
    throw new AppError("unsupported_input", "tokenizer.json is no tokenizer of a BERT encoder.", {
      hint: "Leave it out to pack the weights alone, or give the one that belongs to the model.",
      cause: error,
    });
  }
}

async function openTensors(files: readonly File[]): Promise<TensorFile> {
  const ending = (end: string): File[] =>
    files.filter(({ name }) => name.toLowerCase().endsWith(end));
  const beside = (name: string): Promise<ByteSource> => {
    const found = files.find((file) => file.name === name);
    if (found !== undefined) return Promise.resolve(readableSource(found));
    return Promise.reject(
      new AppError(
        "not_found",
        `The weights go on in "${name.slice(0, 200)}", which isn't among the files.`,
        {
          hint: "Choose all files of the model together.",
        },
      ),
    );
  };
  const [index] = ending(".index.json");
  if (index !== undefined) return openSharded(readableSource(index), beside);
  const weights = [...ending(".safetensors"), ...ending(".onnx")];
  if (weights.length > 1)
    throw new AppError(
      "invalid_input",
      `${weights.length} files of weights: ${weights.map(({ name }) => name).join(", ")}.`,
      { hint: "Give one, or several with the model.safetensors.index.json that joins them." },
    );
  const [file] = weights;
  if (file === undefined)
    throw new AppError("invalid_input", "There is no file of weights among these.", {
      hint: "Weights are in a .safetensors or .onnx file; config.json and tokenizer.json go with it.",
    });
  const source = readableSource(file);
  return file.name.toLowerCase().endsWith(".onnx")
    ? openOnnxTensors(source, beside)
    : openSafetensors(source);
}

function readableSource(file: File): ByteSource {
  const source = blobSource(file.name, file);
  return { ...source, read: (offset, length) => readable(file, source.read(offset, length)) };
}

/** A file that was changed or moved after it was chosen can't be read any more. */
async function readable<T>(file: File, reading: Promise<T>): Promise<T> {
  try {
    return await reading;
  } catch (error) {
    throw new AppError("not_found", `${file.name} can't be read any more.`, {
      hint: "It was changed, moved or deleted after it was chosen: choose it again.",
      cause: error,
    });
  }
}

function parseJson(name: string, bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    throw new AppError("corrupt_data", `${name} is not JSON.`, {
      hint: "Fetch it again.",
      cause: error,
    });
  }
}

/** The model of that name; `not_found` when the table has no weights to start from by it. */
export function findSource(name: string): WeightsModel {
  let model: WeightsModel | null;
  try {
    model = findWeights(name);
  } catch {
    model = null;
  }
  if (model?.task !== "source")
    throw new AppError("not_found", `There are no weights “${name}” to start from.`);
  return model;
}

async function installedFiles(model: WeightsModel): Promise<File[]> {
  const folder = await findModelFolder(modelFolderName(model));
  if (folder === null || (await readModelState(model)).state !== "installed")
    throw new AppError("model_missing", `The weights of ${model.name} are not installed.`, {
      hint: "Install them first, or choose files of your own.",
    });
  return Promise.all(
    model.files.map(async ({ name }) => (await folder.getFileHandle(name)).getFile()),
  );
}

/** Deletes its files and halves of them; what else is in the folder stays. */
export async function removeSourceFiles(name: string): Promise<void> {
  const model = findSource(name);
  await withInstallLock(model.name, undefined, async () => {
    const folder = await findModelFolder(modelFolderName(model));
    for (const file of folder === null ? [] : model.files)
      for (const entry of [file.name, file.name + PART_SUFFIX])
        await folder!.removeEntry(entry).catch((error: unknown) => {
          if ((error as { name?: string }).name !== "NotFoundError") throw error;
        });
  });
}
