/**
 * What a page asks of the workbench, and what it keeps: where weights come from, one run, the runs
 * that were made. Platforms implement it (the browser in a worker, with its private file system).
 */

import type { TaskOptions } from "../model/task-control.ts";
import type { TensorHistogram } from "./histogram.ts";
import type { QuantizeSettings } from "./quantize-settings.ts";
import type { QuantizationReport } from "./report.ts";
import type { TensorInfo } from "./tensors/tensor-file.ts";

/** Weights that are shrunk. */
export type WorkbenchSource =
  /** Of the weights table, installed before. */
  | { kind: "installed"; name: string }
  /** The owner's files: one of weights (or an index and its shards), and what lies beside it. */
  | { kind: "files"; files: readonly File[] };

export interface SourceInfo {
  /** Of the weights file. */
  name: string;
  format: string;
  sizeBytes: number;
  tensors: readonly TensorInfo[];
  /** Why no network can be built that runs; null when one can. */
  networkReason: string | null;
  /** A tokenizer is there: text can calibrate and measure. */
  hasTokenizer: boolean;
}

export interface WorkbenchTexts {
  /** What GPTQ and smoothing are fitted to. */
  calibration: readonly string[];
  /** Of other documents: what the result is measured with. */
  heldOut: readonly string[];
}

export interface WorkbenchRequest {
  /** What the owner calls it. */
  title: string;
  source: WorkbenchSource;
  settings: QuantizeSettings;
  /** Null: nothing is measured. */
  texts: WorkbenchTexts | null;
}

export interface RunFile {
  name: string;
  sizeBytes: number;
  /** Lower-case hex. */
  sha256: string;
}

/** A finished run as it is kept. */
export interface WorkbenchRun {
  id: string;
  title: string;
  /** ms since epoch. */
  madeAt: number;
  /** Name of the weights file. */
  source: string;
  /** The model of the weights table that they are of; null for files of the owner. */
  base: string | null;
  report: QuantizationReport;
  files: readonly RunFile[];
}

export interface KeptRuns {
  /** Newest first. */
  runs: WorkbenchRun[];
  /** Ids of runs whose files are missing, cut or unreadable. */
  damaged: string[];
}

export interface InstallState {
  state: "missing" | "partial" | "installed";
  sizeBytes: number;
  installedBytes: number;
  licence: string;
}

export const RUN_FILES = {
  package: "weights.parquet",
  network: "model.onnx",
  config: "config.json",
  tokenizer: "tokenizer.json",
} as const;

export interface Workbench {
  sourceState(name: string): Promise<InstallState>;
  /** Downloads and checks weights of the table; continues what was cut. Errors as `installModel`. */
  installSource(
    name: string,
    options?: {
      onProgress?: (progress: { doneBytes: number; totalBytes: number }) => void;
      signal?: AbortSignal;
    },
  ): Promise<void>;
  removeSource(name: string): Promise<void>;
  /** Reads headers only. `invalid_input` for files that hold no weights, `corrupt_data`, `unsupported_input`. */
  inspect(source: WorkbenchSource): Promise<SourceInfo>;
  /** Runs after those before it. Nothing is kept of one that fails or is cancelled. */
  run(request: WorkbenchRequest, options?: TaskOptions): Promise<WorkbenchRun>;
  runs(): Promise<KeptRuns>;
  histograms(id: string): Promise<TensorHistogram[]>;
  /** A file of a run, checked against its size. `not_found`, `corrupt_data`. */
  openFile(id: string, name: string): Promise<File>;
  removeRun(id: string): Promise<void>;
}
