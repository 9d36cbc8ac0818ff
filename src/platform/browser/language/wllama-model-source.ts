/** GGUF models for llama.cpp in WebAssembly as a source: the catalogue, the user's own, their installation. */

import { z } from "zod";
import { AppError } from "../../../errors.ts";
import { WLLAMA_MODELS, type WllamaModel } from "../../../model/language-catalogue.ts";
import type { CustomModel } from "../../../model/language-model.ts";
import { findWeights } from "../../../model/weights.ts";
import { modelFileUrl } from "../model-download.ts";
import { createModelFolder, deleteModelFolder, findModelFolder } from "../model-files.ts";
import { checkSpace } from "../model-installer.ts";
import { downloadFile, fileSize, PART_SUFFIX } from "../resumable-file.ts";
import { parseWllamaModel } from "./custom-model.ts";
import { readDeviceCapabilities } from "./device-capabilities.ts";
import type { LoadSpec } from "./language-protocol.ts";
import {
  WorkerModelSource,
  type CallOptions,
  type Installed,
  type WorkerModelSourceParts,
} from "./worker-model-source.ts";

const FILE = "model.gguf";
/** What was installed: from where, and which bytes. */
const RECORD = "installed.json";
/** One buffer must hold a file in browsers without asynchronous reads (wllama's own limit). */
const MAX_FILE_BYTES = 2 ** 31 - 1;

const recordSchema = z.object({ url: z.string(), sizeBytes: z.number(), sha256: z.string() });

export class WllamaModelSource extends WorkerModelSource<WllamaModel> {
  readonly provider = "wllama";

  constructor(parts: Omit<WorkerModelSourceParts, "device"> & Partial<WorkerModelSourceParts>) {
    super(WLLAMA_MODELS, { device: readDeviceCapabilities, ...parts });
  }

  protected async readInstalled(model: WllamaModel): Promise<Installed> {
    const folder = await findModelFolder(folderName(model));
    if (!folder) return { state: "missing", installedBytes: 0 };
    const record = await readRecord(folder);
    const size = await fileSize(folder, FILE);
    if (size !== null && record && size === record.sizeBytes && isOf(record, model))
      return { state: "installed", installedBytes: size, sizeBytes: size };
    const part = (await fileSize(folder, FILE + PART_SUFFIX)) ?? 0;
    return { state: part > 0 ? "partial" : "missing", installedBytes: part };
  }

  protected async download(model: WllamaModel, options: CallOptions): Promise<void> {
    const before = await findModelFolder(folderName(model));
    const record = before && (await readRecord(before));
    if (record && isOf(record, model) && (await fileSize(before, FILE)) === record.sizeBytes) {
      options.onProgress?.({ doneBytes: record.sizeBytes, totalBytes: record.sizeBytes });
      return;
    }
    // Whole, but of another address: the same name is another model now.
    if (record) await deleteModelFolder(folderName(model));
    const folder = await createModelFolder(folderName(model));
    // A kill came between the file and its record: it is checked again, not fetched again.
    if ((await fileSize(folder, FILE)) !== null) await unfinish(folder);
    const part = (await fileSize(folder, FILE + PART_SUFFIX)) ?? 0;
    await checkSpace((model.sizeBytes ?? 0) - part);
    const done = await downloadFile(
      folder,
      {
        name: FILE,
        label: `${model.title}`,
        urls: addresses(model),
        sizeBytes: model.sizeBytes ?? null,
        sha256: model.sha256 ?? null,
        checkStart: checkGguf(model),
      },
      {
        onBytes: (doneBytes, total) => {
          if ((total ?? 0) > MAX_FILE_BYTES) throw tooLarge(model);
          options.onProgress?.({ doneBytes, totalBytes: Math.max(total ?? 0, doneBytes) });
        },
        ...(options.signal && { signal: options.signal }),
      },
    );
    await writeRecord(folder, { ...done, url: model.ggufUrl });
  }

  protected deleteFiles(model: WllamaModel): Promise<void> {
    return deleteModelFolder(folderName(model));
  }

  protected toSpec(model: WllamaModel): Promise<LoadSpec> {
    return Promise.resolve({
      runtime: "wllama",
      name: model.name,
      title: model.title,
      folder: folderName(model),
      file: FILE,
      contextTokens: model.contextTokens,
    });
  }

  protected parseCustom(model: CustomModel): WllamaModel {
    return parseWllamaModel(model);
  }
}

function folderName(model: WllamaModel): string {
  return `wllama-${encodeURIComponent(model.name)}`;
}

/** The application's own server first: it may have the file, and a visitor's address stays with it. */
function addresses(model: WllamaModel): string[] {
  if (!model.weights) return [model.ggufUrl];
  const weights = findWeights(model.weights);
  return [modelFileUrl(weights, weights.files[0]!), model.ggufUrl];
}

async function unfinish(folder: FileSystemDirectoryHandle): Promise<void> {
  const file = await folder.getFileHandle(FILE);
  if ((await fileSize(folder, FILE + PART_SUFFIX)) !== null)
    await folder.removeEntry(FILE + PART_SUFFIX);
  await (file as FileSystemFileHandle & { move(name: string): Promise<void> }).move(
    FILE + PART_SUFFIX,
  );
}

async function readRecord(
  folder: FileSystemDirectoryHandle,
): Promise<z.infer<typeof recordSchema> | null> {
  try {
    const file = await (await folder.getFileHandle(RECORD)).getFile();
    return recordSchema.parse(JSON.parse(await file.text()));
  } catch {
    return null;
  }
}

async function writeRecord(
  folder: FileSystemDirectoryHandle,
  record: z.infer<typeof recordSchema>,
): Promise<void> {
  const handle = await folder.getFileHandle(RECORD, { create: true });
  const writable = await handle.createWritable();
  await writable.write(JSON.stringify(record));
  await writable.close();
}

function isOf(record: z.infer<typeof recordSchema>, model: WllamaModel): boolean {
  return model.sha256 ? record.sha256 === model.sha256 : record.url === model.ggufUrl;
}

function checkGguf(model: WllamaModel): (start: Uint8Array) => void {
  return (start) => {
    if (new TextDecoder().decode(start.subarray(0, 4)) === "GGUF") return;
    throw new AppError("invalid_input", `${model.ggufUrl} is no GGUF file.`, {
      hint: "Give the address of the .gguf file itself (on a hub: its “download” link, with /resolve/ in it).",
    });
  };
}

function tooLarge(model: WllamaModel): AppError {
  return new AppError(
    "too_large",
    `${model.title} is larger than the 2 GB that one file may have.`,
    {
      hint: "Take a smaller quantization of it, or a smaller model.",
    },
  );
}
