/**
 * The quantization worker's side: opens weights, runs one quantization at a time among all tabs of
 * the origin, measures it and keeps its result. Memory goes back when the page ends the worker.
 */

import { expose } from "comlink";
import { AppError, isAbortError, throwIfAborted, toWireError } from "../../errors.ts";
import type { Progress } from "../../model/task-control.ts";
import { buildEncoder } from "../../quantization/bert/bert-graph.ts";
import { BertWeights, parseBertConfig } from "../../quantization/bert/bert-model.ts";
import { compareHistograms, type TensorHistogram } from "../../quantization/histogram.ts";
import { openPackage, unpackTensor } from "../../quantization/package/package-reader.ts";
import type { QuantizationKernels } from "../../quantization/kernels/kernels.ts";
import { quantize, type QuantizeResult } from "../../quantization/quantizer.ts";
import { bytesSource } from "../../quantization/tensors/byte-source.ts";
import { referenceOf, type Reference } from "../../quantization/validation.ts";
import {
  RUN_FILES,
  type SourceInfo,
  type WorkbenchRequest,
  type WorkbenchRun,
  type WorkbenchTexts,
} from "../../quantization/workbench.ts";
import { loadZstd } from "../../storage/zstd.ts";
import { openKernels } from "./quantization-kernels.ts";
import { OrtGraphRuntime } from "../onnx/ort-graph-runtime.ts";
import { checkSpace, installModel } from "./model-installer.ts";
import { readModelState } from "./model-files.ts";
import { loadWasmRuntime } from "./ort-runtime.ts";
import type { QuantizationHostApi, QuantizationNews } from "./quantization-protocol.ts";
import {
  listRuns,
  openRunFile,
  readHistograms,
  removeRun,
  sweepRuns,
  writeRun,
} from "./quantization-runs.ts";
import {
  findSource,
  openSource,
  removeSourceFiles,
  type OpenedSource,
} from "./quantization-source.ts";
import { usableThreads } from "./thread-calibration.ts";
import { holdPulse } from "./worker-pulse.ts";
import type { WorkerScope } from "./worker-scope.ts";
import type { StoppableReply } from "./worker-session.ts";

/** One after the other among all tabs: two at once would need twice the memory. */
const RUN_LOCK = "llm-compression:quantization-run";
/** Longest text that calibrates or measures, in tokens. */
const MAX_TOKENS = 128;

interface RunControl {
  signal: AbortSignal;
  onProgress: (progress: Progress) => void;
}

export function serveQuantization(scope: WorkerScope): void {
  const running = new Map<string, AbortController>();
  const bench = new RunMaker();

  const answer = async <T>(
    callId: string,
    work: (control: RunControl) => Promise<T>,
  ): Promise<StoppableReply<T>> => {
    const controller = new AbortController();
    running.set(callId, controller);
    const onProgress = (progress: Progress): void =>
      scope.postMessage({ quantizationNews: { callId, progress } } satisfies QuantizationNews);
    try {
      return { ok: true, value: await work({ signal: controller.signal, onProgress }) };
    } catch (error) {
      const plain = memoryError(error) ?? error;
      // The runtime's memory is undefined after it failed.
      const fatal = plain instanceof AppError && plain.code === "model_failed";
      return { ok: false, error: toWireError(plain), fatal };
    } finally {
      running.delete(callId);
    }
  };

  const api: QuantizationHostApi = {
    hold: holdPulse,
    sourceState: (callId, name) =>
      answer(callId, async () => {
        const { state, ...sizes } = await readModelState(findSource(name));
        const { sizeBytes, installedBytes, licence } = sizes;
        const known = state === "installed" || state === "partial" ? state : "missing";
        return { state: known, sizeBytes, installedBytes, licence };
      }),
    installSource: (callId, name) =>
      answer(callId, ({ signal, onProgress }) =>
        installModel({
          name: findSource(name).name,
          signal,
          onProgress: ({ doneBytes, totalBytes }) =>
            onProgress({ stage: "Downloading", done: doneBytes, total: totalBytes, doneBytes, totalBytes }), // prettier-ignore
        }),
      ),
    removeSource: (callId, name) => answer(callId, () => removeSourceFiles(name)),
    inspect: (callId, source) => answer(callId, async () => describe(await openSource(source))),
    run: (callId, request) =>
      answer(callId, async (control) => {
        control.onProgress({ stage: "Waiting for the run before", done: 0, total: null });
        return navigator.locks.request(RUN_LOCK, { signal: control.signal }, () =>
          bench.run(request, control),
        );
      }),
    runs: (callId) => answer(callId, listRuns),
    histograms: (callId, id) => answer(callId, () => readHistograms(id)),
    openFile: (callId, id, name) => answer(callId, () => openRunFile(id, name)),
    removeRun: (callId, id) => answer(callId, () => removeRun(id)),
    cancel: (callId) => running.get(callId)?.abort(),
  };
  expose(api, scope);
}

function describe({ file, config, tokenizer }: OpenedSource): SourceInfo {
  let networkReason: string | null = null;
  if (config === undefined) networkReason = "There is no config.json beside the weights.";
  else
    try {
      BertWeights.open(file, parseBertConfig(config));
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== "unsupported_input") throw error;
      networkReason = error.message;
    }
  const { name, format, sizeBytes, tensors } = file;
  return {
    name,
    format,
    sizeBytes,
    tensors: [...tensors.values()],
    networkReason,
    hasTokenizer: tokenizer !== null,
  };
}

/** Makes runs; keeps the runtime and the last original's vectors between them. */
class RunMaker {
  #runtime: Promise<OrtGraphRuntime> | null = null;
  #kernels: Promise<QuantizationKernels> | null = null;
  #reference: { key: string; value: Reference } | null = null;

  async run(
    { title, source, settings, texts }: WorkbenchRequest,
    { signal, onProgress }: RunControl,
  ): Promise<WorkbenchRun> {
    throwIfAborted(signal);
    await sweepRuns();
    onProgress({ stage: "Reading the weights", done: 0, total: null });
    const opened = await openSource(source);
    const zstd = await loadZstd();
    const encoder = openEncoder(opened);
    const split = encoder === null ? null : tokenize(opened, encoder, texts);
    const runtime = split === null ? null : await this.#loadRuntime();
    const reference =
      encoder === null || split === null || runtime === null
        ? null
        : await this.#referenceOf(opened.key, encoder, runtime, split.heldOut, {
            signal,
            onProgress,
          });
    const kernels = await (this.#kernels ??= openKernels());
    const result = await quantize(opened.file, settings, {
      codec: zstd,
      kernels,
      ...(opened.config !== undefined && { config: opened.config }),
      ...(runtime !== null && { runtime }),
      ...(split !== null && split),
      ...(reference !== null && { reference }),
      signal,
      onProgress,
    });
    const histograms = await this.#histograms(opened, result, zstd, { signal, onProgress });
    onProgress({ stage: "Keeping the result", done: 0, total: null });
    const contents = [
      { name: RUN_FILES.package, bytes: result.package },
      ...(result.network === null
        ? []
        : [{ name: RUN_FILES.network, bytes: result.network }, ...opened.beside]),
    ];
    await checkSpace(contents.reduce((sum, { bytes }) => sum + bytes.length, 0));
    throwIfAborted(signal);
    return writeRun(
      {
        id: crypto.randomUUID(),
        title,
        madeAt: Date.now(),
        source: opened.file.name,
        base: source.kind === "installed" ? source.name : null,
        report: result.report,
      },
      contents,
      histograms,
    );
  }

  #loadRuntime(): Promise<OrtGraphRuntime> {
    return (this.#runtime ??= usableThreads()
      .then(loadWasmRuntime)
      .then((ort) => new OrtGraphRuntime(ort))
      .catch((error: unknown) => {
        this.#runtime = null;
        throw new AppError("model_failed", "ONNX Runtime could not be loaded.", {
          hint: "Check the connection and try again; once loaded it stays for offline use.",
          retryable: true,
          cause: error,
        });
      }));
  }

  /** The original's vectors, made once for runs that are measured with the same texts. */
  async #referenceOf(
    source: string,
    encoder: BertWeights,
    runtime: OrtGraphRuntime,
    heldOut: readonly Int32Array[],
    { signal, onProgress }: RunControl,
  ): Promise<Reference> {
    const key = `${source}\n${heldOut.map((ids) => ids.join()).join("\n")}`;
    if (this.#reference?.key === key) return this.#reference.value;
    const stage = "Reading the texts with the original";
    const value = await referenceOf(runtime, await buildEncoder(encoder), heldOut, {
      signal,
      onProgress: (progress) => onProgress({ ...progress, stage }),
    });
    this.#reference = { key, value };
    return value;
  }

  /** Of what was written: the package is read back, which checks it too. */
  async #histograms(
    { file }: OpenedSource,
    { package: bytes }: QuantizeResult,
    zstd: Awaited<ReturnType<typeof loadZstd>>,
    { signal, onProgress }: RunControl,
  ): Promise<TensorHistogram[]> {
    const { info, tensors } = await openPackage(bytesSource(RUN_FILES.package, bytes), zstd);
    const histograms: TensorHistogram[] = [];
    let done = 0;
    for await (const tensor of tensors()) {
      throwIfAborted(signal);
      const { name, values } = tensor;
      if (values.kind === "affine")
        histograms.push(
          compareHistograms(name, await file.readFloats(name), unpackTensor(tensor), values.tensor),
        );
      onProgress({ stage: "Checking the package", done: ++done, total: info.tensorCount });
    }
    return histograms;
  }
}

/** Null where no network can be built: the quantizer says why, in its report or as its error. */
function openEncoder({ file, config }: OpenedSource): BertWeights | null {
  if (config === undefined) return null;
  try {
    return BertWeights.open(file, parseBertConfig(config));
  } catch (error) {
    if (error instanceof AppError) return null;
    throw error;
  }
}

/** Null: nothing is measured, for want of text or of a tokenizer. */
function tokenize(
  { tokenizer }: OpenedSource,
  { config }: BertWeights,
  texts: WorkbenchTexts | null,
): { calibration: Int32Array[]; heldOut: Int32Array[] } | null {
  if (tokenizer === null || texts === null) return null;
  const maxTokens = Math.min(MAX_TOKENS, config.maxTokens);
  const encode = (all: readonly string[]): Int32Array[] =>
    all.map((text) => tokenizer.encode(text, maxTokens)).filter(({ length }) => length > 0);
  const split = { calibration: encode(texts.calibration), heldOut: encode(texts.heldOut) };
  const known = (ids: Int32Array): boolean => ids.every((id) => id < config.vocabularySize);
  if (![...split.calibration, ...split.heldOut].every(known))
    throw new AppError("invalid_input", "tokenizer.json knows more words than the model.", {
      hint: "Give the tokenizer.json that belongs to these weights.",
    });
  return split;
}

/** Engines throw a bare RangeError or WebAssembly error when memory ends. */
function memoryError(error: unknown): AppError | null {
  if (isAbortError(error) || error instanceof AppError) return null;
  const message = error instanceof Error ? error.message : String(error);
  if (
    !/out of memory|allocation failed|invalid typed array length|could not allocate/i.test(message)
  )
    return null;
  return new AppError("model_failed", "There is not enough memory for this run.", {
    hint: "Close other tabs, use fewer calibration texts, or switch GPTQ off. Nothing of it was kept.",
    retryable: true,
    cause: error,
  });
}
