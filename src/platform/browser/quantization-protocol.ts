/**
 * What crosses between the page and the quantization worker. Replies are data, because Comlink would
 * drop the codes of errors; progress is posted beside them, named by call.
 */

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
import type { StoppableReply } from "./worker-session.ts";

export interface QuantizationHostApi {
  /** Holds the lock by which the page learns that this worker ended. */
  hold(lockName: string): Promise<void>;
  sourceState(callId: string, name: string): Promise<StoppableReply<InstallState>>;
  installSource(callId: string, name: string): Promise<StoppableReply<void>>;
  removeSource(callId: string, name: string): Promise<StoppableReply<void>>;
  inspect(callId: string, source: WorkbenchSource): Promise<StoppableReply<SourceInfo>>;
  run(callId: string, request: WorkbenchRequest): Promise<StoppableReply<WorkbenchRun>>;
  runs(callId: string): Promise<StoppableReply<KeptRuns>>;
  histograms(callId: string, id: string): Promise<StoppableReply<TensorHistogram[]>>;
  openFile(callId: string, id: string, name: string): Promise<StoppableReply<File>>;
  removeRun(callId: string, id: string): Promise<StoppableReply<void>>;
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
