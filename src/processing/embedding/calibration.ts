/**
 * How many threads the network should run on. More are not always faster (busy cores, wide but weak
 * machines), so the platform measures while it is idle and keeps the answer: in Node at set-up, in
 * the browser after the first use.
 */

import type { OnnxSession } from "./onnx-session.ts";

export interface ThreadMeasurement {
  threads: number;
  tokensPerSecond: number;
}

/**
 * Fewer threads must be this much faster to win. On a machine that was busy while it was measured
 * more threads look worse than they are: wrongly taking fewer costs up to half of the speed for
 * long, wrongly taking more costs little and only while the machine is busy.
 */
const MIN_GAIN = 1.15;
const ROWS = 8;
const COLUMNS = 32;
/** The first runs compile and allocate. */
const WARM_UP_RUNS = 3;
const MEASURED_RUNS = 3;
/** An answer below the most threads is asked again after a week. */
const RECHECK_MS = 7 * 24 * 3600 * 1000;

/** Threads while nothing was measured. */
export function defaultThreads(processors: number): number {
  return Math.max(1, Math.min(2, processors));
}

/** Thread counts worth measuring on a machine with that many processors. */
export function threadCandidates(processors: number): number[] {
  return [1, 2, 4].filter((threads) => threads <= Math.max(1, processors));
}

/** Best of a few runs over one typical batch. */
export async function measureTokensPerSecond(session: OnnxSession): Promise<number> {
  const batch = {
    rows: ROWS,
    columns: COLUMNS,
    inputIds: new BigInt64Array(ROWS * COLUMNS).fill(2000n),
    attentionMask: new BigInt64Array(ROWS * COLUMNS).fill(1n),
    lengths: Array.from({ length: ROWS }, () => COLUMNS),
  };
  let bestMs = Infinity;
  for (let run = 0; run < WARM_UP_RUNS + MEASURED_RUNS; run++) {
    const started = performance.now();
    await session.run(batch);
    if (run >= WARM_UP_RUNS) bestMs = Math.min(bestMs, performance.now() - started);
  }
  return (ROWS * COLUMNS * 1000) / bestMs;
}

/** The thread count to use; 1 when nothing was measured. */
export function chooseThreads(measurements: readonly ThreadMeasurement[]): number {
  const [most, ...fewer] = [...measurements].sort((a, b) => b.threads - a.threads);
  let chosen = most ?? { threads: 1, tokensPerSecond: 0 };
  for (const measurement of fewer)
    if (measurement.tokensPerSecond >= chosen.tokensPerSecond * MIN_GAIN) chosen = measurement;
  return chosen.threads;
}

/** What the platform keeps of a calibration. */
export interface StoredCalibration {
  processors: number;
  /** ms since epoch. */
  measuredAt: number;
  measurements: ThreadMeasurement[];
}

/** The stored answer, or null when it is of another machine or due again. */
export function storedThreads(
  stored: StoredCalibration | null,
  processors: number,
  nowMs: number,
): number | null {
  if (stored?.processors !== processors || stored.measurements.length === 0) return null;
  const threads = chooseThreads(stored.measurements);
  const most = Math.max(...stored.measurements.map((measurement) => measurement.threads));
  return threads < most && nowMs - stored.measuredAt > RECHECK_MS ? null : threads;
}
