/**
 * What crosses between the page and the quantization worker. Replies are data, because Comlink would
 * drop the codes of errors; progress is posted beside them, named by call.
 */

import type { WireError } from "../../errors.ts";
import type { Progress } from "../../model/task-control.ts";
import type { TensorHistogram } from "../../quantization/histogram.ts";
import type {
  InstallState,
  KeptRuns,
  SourceInfo,
  WorkbenchRequest,
  WorkbenchRun,
  WorkbenchSource,
} from "../../quantization/workbench.ts";

export type QuantizationReply<T> =
  | /** After a `fatal` failure nothing in that worker can be trusted. */ { ok: true; value: T }
  | { ok: false; error: WireError; fatal: boolean };

export interface QuantizationHostApi {
  /** Holds the lock by which the page learns that this worker ended. */
  hold(lockName: string): Promise<void>;
  sourceState(callId: string, name: string): Promise<QuantizationReply<InstallState>>;
  installSource(callId: string, name: string): Promise<QuantizationReply<void>>;
  removeSource(callId: string, name: string): Promise<QuantizationReply<void>>;
  inspect(callId: string, source: WorkbenchSource): Promise<QuantizationReply<SourceInfo>>;
  run(callId: string, request: WorkbenchRequest): Promise<QuantizationReply<WorkbenchRun>>;
  runs(callId: string): Promise<QuantizationReply<KeptRuns>>;
  histograms(callId: string, id: string): Promise<QuantizationReply<TensorHistogram[]>>;
  openFile(callId: string, id: string, name: string): Promise<QuantizationReply<File>>;
  removeRun(callId: string, id: string): Promise<QuantizationReply<void>>;
  cancel(callId: string): void;
}

export interface QuantizationNews {
  quantizationNews: { callId: string; progress: Progress };
}

export function readNews(data: unknown): QuantizationNews["quantizationNews"] | null {
  return typeof data === "object" && data !== null && "quantizationNews" in data
    ? (data as QuantizationNews).quantizationNews
    : null;
}
