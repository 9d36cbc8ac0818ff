/**
 * Other processors than this thread: worker threads that compute over shared memory, and a device
 * (GPU) that computes over many queries at once. Both are upgrades: everything runs without them.
 */

/** One worker thread; messages are structured clones, listed buffers are transferred. */
export interface ComputeWorker {
  post(message: unknown, transfer?: ArrayBuffer[]): void;
  /** At most one listener each; set before the first `post`. */
  onMessage(listener: (message: unknown) => void): void;
  /** However it ended, and once: an error, a kill, `terminate`. What was asked of it gets no answer. */
  onEnd(listener: (reason: string) => void): void;
  /** Whether an answer is awaited: an idle worker doesn't keep a process alive. */
  setBusy(busy: boolean): void;
  terminate(): void;
}

export interface ComputeWorkers {
  /** Logical processors of the machine, this thread's included; at least 1. */
  readonly processors: number;
  /** Why no worker can run here, in words for the owner; null where they can. */
  readonly unavailable: string | null;
  /** Starts a worker; a failure to start comes by its `onEnd`. */
  start(): ComputeWorker;
}

/** A graphics processor, where there is one that may be used. */
export interface GpuProvider {
  /**
   * A device and its name, or why there is none, in words for the owner. Never rejects. The device gets
   * those of `features` that its adapter has.
   */
  request(
    features?: readonly GPUFeatureName[],
  ): Promise<{ device: GPUDevice; name: string } | { unavailable: string }>;
}
