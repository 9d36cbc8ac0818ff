/** What a vector pool is told, and what it tells. */

import type { Clock } from "../ports/clock.ts";
import type { ComputeWorkers, GpuProvider } from "../ports/compute.ts";
import type { VectorDeviceStatus } from "./vector-pool-device.ts";
import type { PoolMeasurement } from "./vector-pool-measure.ts";

export interface VectorPoolOptions {
  /** Absent or null: this platform has none. */
  workers?: ComputeWorkers | null | undefined;
  /** For batches of queries. Absent or null: this platform has none. */
  gpu?: GpuProvider | null | undefined;
  clock?: Clock;
  /** Vectors from which workers are considered. Default 20,000: below, a message costs as much as a scan. */
  minSize?: number;
  /** Vectors from which one query may be shared by several workers. Default 500,000. */
  splitSize?: number;
  /** Most workers. Default: one per processor, at most 8. */
  maxWorkers?: number;
  /** So many, without measuring whether they are faster; for benchmarks. */
  fixedWorkers?: number;
  /** Without a query for this long the workers end. Default 30 s. */
  idleMs?: number;
}

export interface VectorPoolStatus {
  /** Running now. */
  workers: number;
  /** Why so many, or why none; for people. */
  reason: string;
  /** What was measured on this machine at this size; empty before. */
  measured: PoolMeasurement[];
  /** Whether a query that is alone is shared by all workers. */
  splits: boolean;
  /** Queries answered by workers, by this thread, and of the latter those asked of a worker first. */
  answered: { byWorkers: number; here: number; again: number };
  /** Workers that ended by themselves. */
  lost: number;
  /** The graphics processor for batches; null where the platform has none. */
  device: VectorDeviceStatus | null;
}
