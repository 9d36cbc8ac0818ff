/**
 * Downloads a WebLLM model: finds its folder (a plain one, or a hub's repository), reads which files
 * it has, and puts them where WebLLM looks. What arrived stays when it is paused or cut.
 */

import { z } from "zod";
import { AppError, type ErrorCode } from "../../../errors.ts";
import type { WebLlmModel } from "../../../model/language-catalogue.ts";
import type { InstallProgress } from "../../../ports/language-model.ts";
import { fetchWhole } from "../model-download.ts";
import { checkSpace } from "../model-installer.ts";
import { downloadFile, fileSize, type FileToDownload } from "../resumable-file.ts";
import {
  cachedAddresses,
  deleteInstalled,
  openCacheFolder,
  payloadName,
  readInstalled,
  readManifest,
  writeManifest,
  writePayload,
  writeRecord,
  type CacheScope,
  type WebLlmManifest,
} from "./webllm-files.ts";

/** The descriptions are JSON of some kilobytes; a large model's list of tensors is a megabyte. */
const MAX_DESCRIPTION_BYTES = 64 * 1024 * 1024;
const CONFIG = "mlc-chat-config.json";
/** The name that WebLLM 0.2.86 reads, and the one that older folders have. */
const TENSOR_LISTS = ["tensor-cache.json", "ndarray-cache.json"];

const configSchema = z.looseObject({
  tokenizer_files: z.array(z.string()),
  context_window_size: z.number(),
  sliding_window_size: z.number().nullish(),
});
/** What WebLLM 0.2.86 refuses to do without, at the values that change nothing. */
const CONFIG_DEFAULTS = { sliding_window_size: -1, temperature: 1, repetition_penalty: 1 };
/** After these another address of the same file may have it; servers leave CORS out of their 404s. */
const ELSEWHERE: readonly ErrorCode[] = ["not_found", "invalid_input", "network"];

const tensorListSchema = z.looseObject({
  records: z
    .array(
      z.looseObject({
        dataPath: z
          .string()
          .regex(/^[\w.-][\w./-]*$/)
          .refine((path) => !path.split("/").includes("..")),
        nbytes: z.int().min(0),
        md5sum: z
          .string()
          .regex(/^[0-9a-f]{32}$/)
          .nullish(),
      }),
    )
    .min(1),
});

export interface WebLlmInstallOptions {
  signal?: AbortSignal;
  onProgress?: (progress: InstallProgress) => void;
}

interface PlannedFile extends Omit<FileToDownload, "name"> {
  scope: CacheScope;
  cachedUrl: string;
}

/** `not_found`, `network`, `corrupt_data`, `invalid_input` (no model folder there), `storage_full`, `AbortError`. */
export async function installWebLlm(
  model: WebLlmModel,
  options: WebLlmInstallOptions,
): Promise<void> {
  const before = await readManifest(model.name);
  // The same name from another address is another model.
  if (before && (before.weightsUrl !== model.weightsUrl || before.libraryUrl !== model.libraryUrl))
    await deleteInstalled(model.name);

  const { folderUrl, bytes: configBytes } = await findFolder(model.weightsUrl, options.signal);
  const config = parseJson(configSchema, configBytes, folderUrl + CONFIG);
  const tensors = await fetchTensorList(folderUrl, options.signal);
  const addresses = cachedAddresses(model.name);
  const at = (path: string) => new URL(path, addresses.modelUrl).href;
  const small = [
    {
      scope: "webllm/config" as const,
      url: at(CONFIG),
      bytes: completeConfig(config, configBytes),
    },
    { scope: "webllm/model" as const, url: at(TENSOR_LISTS[0]!), bytes: tensors.bytes },
  ];
  const tokenizer = tokenizerFile(config.tokenizer_files, folderUrl);
  const planned: PlannedFile[] = [
    {
      scope: "webllm/wasm",
      cachedUrl: addresses.libraryUrl,
      urls: [model.libraryUrl],
      sizeBytes: null,
      sha256: null,
      checkStart: checkWasm(model.libraryUrl),
    },
    {
      scope: "webllm/model",
      cachedUrl: at(tokenizer),
      urls: [new URL(tokenizer, folderUrl).href],
      sizeBytes: null,
      sha256: null,
    },
    ...tensors.list.records.map(({ dataPath, nbytes, md5sum }) => ({
      scope: "webllm/model" as const,
      cachedUrl: at(dataPath),
      urls: [new URL(dataPath, folderUrl).href],
      sizeBytes: nbytes,
      sha256: null,
      ...(md5sum && { md5: md5sum }),
    })),
  ];

  const manifest: WebLlmManifest = {
    version: 1,
    weightsUrl: model.weightsUrl,
    libraryUrl: model.libraryUrl,
    contextWindow: config.context_window_size,
    files: [
      ...small.map(({ scope, url, bytes }) => ({
        scope,
        url,
        sizeBytes: bytes.length,
        sha256: null,
      })),
      ...planned.map((file) => ({
        scope: file.scope,
        url: file.cachedUrl,
        sizeBytes: file.sizeBytes,
        sha256: null as string | null,
      })),
    ],
    complete: false,
  };
  const there = await readInstalled(manifest);
  await checkSpace(there.sizeBytes - there.installedBytes);
  // First the list of what belongs to the model: nothing is ever on the disk that `remove` doesn't know.
  await writeManifest(model.name, manifest);
  for (const { scope, url, bytes } of small) await writePayload(scope, url, bytes);
  await downloadAll(planned, manifest, options);
  await writeManifest(model.name, { ...manifest, complete: true });
}

async function downloadAll(
  planned: readonly PlannedFile[],
  manifest: WebLlmManifest,
  { signal, onProgress }: WebLlmInstallOptions,
): Promise<void> {
  const done = new Map<string, number>();
  const totals = new Map<string, number>();
  for (const file of manifest.files) totals.set(file.url, file.sizeBytes ?? 0);
  for (const file of manifest.files.slice(0, -planned.length))
    done.set(file.url, file.sizeBytes ?? 0);
  const sum = (values: Map<string, number>) => [...values.values()].reduce((a, b) => a + b, 0);
  const report = () => onProgress?.({ doneBytes: sum(done), totalBytes: sum(totals) });
  for (const file of planned) {
    const folder = await openCacheFolder(file.scope);
    const name = payloadName(file.cachedUrl);
    const entry = manifest.files.find(({ url }) => url === file.cachedUrl)!;
    const onBytes = (bytes: number, total: number | null) => {
      done.set(file.cachedUrl, bytes);
      totals.set(file.cachedUrl, Math.max(total ?? 0, bytes));
      report();
    };
    const present = await fileSize(folder, name);
    if (present !== null && (file.sizeBytes === null || present === file.sizeBytes)) {
      entry.sizeBytes = present;
      onBytes(present, present);
    } else {
      const { sizeBytes, sha256 } = await downloadFile(
        folder,
        { ...file, name, label: new URL(file.urls[0]!).pathname.split("/").at(-1)! },
        { onBytes, ...(signal && { signal }) },
      );
      entry.sizeBytes = sizeBytes;
      entry.sha256 = sha256;
      onBytes(sizeBytes, sizeBytes);
    }
    await writeRecord(folder, file.cachedUrl, entry.sizeBytes);
  }
}

/**
 * The folder of the weights, with a slash at its end. An address that names a revision is taken as it
 * is; a hub's repository has its files under `resolve/main/`; anything else may be either.
 */
async function findFolder(
  weightsUrl: string,
  signal: AbortSignal | undefined,
): Promise<{ folderUrl: string; bytes: Uint8Array<ArrayBuffer> }> {
  const candidates = folderCandidates(weightsUrl);
  let first: unknown;
  for (const folderUrl of candidates)
    try {
      const bytes = await fetchWhole(folderUrl + CONFIG, MAX_DESCRIPTION_BYTES, signal);
      parseJson(configSchema, bytes, folderUrl + CONFIG);
      return { folderUrl, bytes };
    } catch (error) {
      if (!(error instanceof AppError) || !ELSEWHERE.includes(error.code)) throw error;
      first ??= error;
    }
  throw first;
}

export function folderCandidates(weightsUrl: string): string[] {
  const url = new URL(weightsUrl);
  url.search = "";
  url.hash = "";
  if (url.pathname.endsWith(`/${CONFIG}`)) url.pathname = url.pathname.slice(0, -CONFIG.length);
  if (!url.pathname.endsWith("/")) url.pathname += "/";
  const plain = url.href;
  if (/\/resolve\/[^/]+\//.test(url.pathname)) return [plain];
  const hub = `${plain}resolve/main/`;
  return url.hostname === "huggingface.co" ? [hub] : [plain, hub];
}

async function fetchTensorList(folderUrl: string, signal: AbortSignal | undefined) {
  let missing: unknown;
  for (const name of TENSOR_LISTS)
    try {
      const bytes = await fetchWhole(folderUrl + name, MAX_DESCRIPTION_BYTES, signal);
      return { bytes, list: parseJson(tensorListSchema, bytes, folderUrl + name) };
    } catch (error) {
      if (!(error instanceof AppError) || !ELSEWHERE.includes(error.code)) throw error;
      missing ??= error;
    }
  throw missing;
}

/** The description as it was served; where an entry is missing that WebLLM needs, with its default. */
export function completeConfig(
  config: Record<string, unknown>,
  served: Uint8Array<ArrayBuffer>,
): Uint8Array<ArrayBuffer> {
  const gaps = Object.entries(CONFIG_DEFAULTS).filter(([name]) => (config[name] ?? null) === null);
  if (gaps.length === 0) return served;
  return new TextEncoder().encode(JSON.stringify({ ...config, ...Object.fromEntries(gaps) }));
}

/** The one that WebLLM reads. */
function tokenizerFile(names: readonly string[], folderUrl: string): string {
  const name = ["tokenizer.json", "tokenizer.model"].find((known) => names.includes(known));
  if (name) return name;
  throw new AppError("invalid_input", `The model at ${folderUrl} has no tokenizer for WebLLM.`, {
    hint: `Its ${CONFIG} must name tokenizer.json or tokenizer.model in tokenizer_files.`,
  });
}

function checkWasm(url: string): (start: Uint8Array) => void {
  return (start) => {
    if (start[0] === 0 && start[1] === 0x61 && start[2] === 0x73 && start[3] === 0x6d) return;
    throw new AppError("invalid_input", `${url} is no model library (WebAssembly).`, {
      hint: "Give the address of the compiled .wasm file, not of a page about it.",
    });
  };
}

function parseJson<T>(schema: z.ZodType<T>, bytes: Uint8Array, url: string): T {
  try {
    return schema.parse(JSON.parse(new TextDecoder().decode(bytes)));
  } catch (error) {
    const issue = error instanceof z.ZodError ? error.issues[0] : undefined;
    const reason = issue ? `${issue.path.join(".")}: ${issue.message}` : "it isn't JSON";
    throw new AppError("invalid_input", `${url} doesn't describe a WebLLM model: ${reason}.`, {
      hint: `Give the address of the folder that holds ${CONFIG}, ${TENSOR_LISTS[0]}, the tokenizer and the params_shard files.`,
      cause: error,
    });
  }
}
