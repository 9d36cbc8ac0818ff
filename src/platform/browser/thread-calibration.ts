/**
 * Measures how many WASM threads help, each count in a worker of its own (the runtime fixes its
 * threads when it starts), and keeps the answer beside the weights.
 */

import { createOnnxSession } from "../../processing/embedding/onnx-session.ts";
import {
  defaultThreads,
  measureTokensPerSecond,
  type StoredCalibration,
  storedThreads,
  threadCandidates,
  type ThreadMeasurement,
} from "../../processing/embedding/calibration.ts";
import { openModelsFolder } from "./model-files.ts";
import { loadWasmRuntime } from "./ort-runtime.ts";
import type { WorkerScope } from "./worker-scope.ts";

const FILE = "calibration.json";
/** A count that takes longer than this to answer is not worth using. */
const TIMEOUT_MS = 20_000;
/** Without work for this long the machine is taken for idle. */
const IDLE_MS = 10_000;
const ATTEMPTS = 3;

interface CalibrationRequest {
  threads: number;
  network: Uint8Array<ArrayBuffer>;
}

/** Threads to start with: 1 without cross-origin isolation, else as measured, else two. */
export async function usableThreads(): Promise<number> {
  const processors = navigator.hardwareConcurrency || 1;
  if (!globalThis.crossOriginIsolated) return 1;
  return storedThreads(await readStored(), processors, Date.now()) ?? defaultThreads(processors);
}

/**
 * Measures once the embedder has been idle for a while, for the next start to use; nothing happens
 * when there is an answer already. A measurement that work ran into is thrown away.
 */
export async function calibrateWhenIdle(
  embedder: { readonly activity: { calls: number; idle: boolean; closed: boolean } },
  readNetwork: () => Promise<Uint8Array<ArrayBuffer>>,
): Promise<void> {
  const processors = navigator.hardwareConcurrency || 1;
  if (!globalThis.crossOriginIsolated || processors < 2) return;
  if (storedThreads(await readStored(), processors, Date.now()) !== null) return;
  for (let attempt = 0; attempt < ATTEMPTS;) {
    const before = embedder.activity.calls;
    await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
    const { calls, idle, closed } = embedder.activity;
    if (closed) return;
    if (!idle || calls === 0 || calls !== before) continue;
    attempt += 1;
    const measurements = await measureAll(processors, await readNetwork());
    if (embedder.activity.calls !== calls) continue;
    if (measurements.length > 0)
      await writeStored({ processors, measuredAt: Date.now(), measurements });
    return;
  }
}

async function measureAll(
  processors: number,
  network: Uint8Array<ArrayBuffer>,
): Promise<ThreadMeasurement[]> {
  const measurements: ThreadMeasurement[] = [];
  for (const threads of threadCandidates(processors)) {
    const tokensPerSecond = await measureInWorker(threads, network);
    if (tokensPerSecond !== null) measurements.push({ threads, tokensPerSecond });
  }
  return measurements;
}

function measureInWorker(
  threads: number,
  network: Uint8Array<ArrayBuffer>,
): Promise<number | null> {
  return new Promise((resolve) => {
    const worker = new Worker(
      new URL("../../../workers/thread-calibration.worker.ts", import.meta.url),
      { type: "module", name: "thread-calibration" },
    );
    const finish = (tokensPerSecond: number | null) => {
      clearTimeout(timer);
      worker.terminate();
      resolve(tokensPerSecond);
    };
    const timer = setTimeout(() => finish(null), TIMEOUT_MS);
    worker.addEventListener("message", (event: MessageEvent<number | null>) => finish(event.data));
    worker.addEventListener("error", () => finish(null));
    worker.postMessage({ threads, network } satisfies CalibrationRequest);
  });
}

/** The worker's side: answers one request with tokens per second, or null when it can't run. */
export function serveCalibration(scope: WorkerScope): void {
  scope.addEventListener("message", (event) => {
    const { threads, network } = (event as MessageEvent<CalibrationRequest>).data;
    loadWasmRuntime(threads)
      .then((ort) => createOnnxSession(ort, network, { executionProvider: "wasm" }))
      .then(measureTokensPerSecond)
      .then(
        (tokensPerSecond) => scope.postMessage(tokensPerSecond),
        () => scope.postMessage(null),
      );
  });
}

async function readStored(): Promise<StoredCalibration | null> {
  try {
    const file = await (await openModelsFolder()).getFileHandle(FILE);
    const stored = JSON.parse(await (await file.getFile()).text()) as StoredCalibration;
    return Array.isArray(stored.measurements) ? stored : null;
  } catch {
    return null;
  }
}

/** Best effort: without it the next start measures again. */
async function writeStored(calibration: StoredCalibration): Promise<void> {
  try {
    const file = await (await openModelsFolder()).getFileHandle(FILE, { create: true });
    const handle = await (
      file as unknown as { createSyncAccessHandle(): Promise<SyncWriter> }
    ).createSyncAccessHandle();
    handle.truncate(0);
    handle.write(new TextEncoder().encode(JSON.stringify(calibration)), { at: 0 });
    handle.close();
  } catch {
    // Another tab is writing the same.
  }
}

interface SyncWriter {
  truncate(size: number): void;
  write(bytes: Uint8Array, options: { at: number }): number;
  close(): void;
}
