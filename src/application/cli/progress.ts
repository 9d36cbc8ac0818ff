/**
 * Progress of a long command, on stderr: one line redrawn on a terminal, a plain line per second
 * where it goes to a file. Shown on a terminal or with `--progress`, never with `--no-progress`.
 */

import type { Progress } from "../../model/task-control.ts";
import { formatBytes, formatCount, formatDuration, truncate } from "./format.ts";
import type { CliHost } from "./host.ts";

const TERMINAL_INTERVAL_MS = 100;
const PLAIN_INTERVAL_MS = 1000;

export interface ProgressReporter {
  readonly enabled: boolean;
  report(progress: Progress): void;
  /** Takes the line away, so that what follows starts in a clean one. */
  clear(): void;
}

export function createProgressReporter(
  stderr: CliHost["stderr"],
  option: boolean | undefined,
  now: () => number = () => performance.now(),
): ProgressReporter {
  const terminal = stderr.isTTY === true;
  const enabled = option ?? terminal;
  const started = now();
  let last = -Infinity;
  let drawn = false;
  return {
    enabled,
    report(progress) {
      if (!enabled) return;
      const time = now();
      const final = progress.total !== null && progress.done >= progress.total;
      if (!final && time - last < (terminal ? TERMINAL_INTERVAL_MS : PLAIN_INTERVAL_MS)) return;
      last = time;
      const line = describeProgress(progress, time - started);
      if (terminal) {
        stderr.write(`\r\u001b[2K${truncate(line, (stderr.columns ?? 80) - 1)}`);
        drawn = true;
      } else stderr.write(`${line}\n`);
    },
    clear() {
      if (drawn) stderr.write("\r\u001b[2K");
      drawn = false;
    },
  };
}

/** "Embedding 120/4,000 (3 %), 1.2 of 8.0 MB, 12 s, about 6 min left". */
export function describeProgress(progress: Progress, elapsedMs: number): string {
  const parts: string[] = [];
  const { done, total, doneBytes, totalBytes } = progress;
  if (total === null) parts.push(`${progress.stage} ${formatCount(done)}`);
  else {
    const percent = total === 0 ? 100 : Math.floor((done / total) * 100);
    parts.push(`${progress.stage} ${formatCount(done)}/${formatCount(total)} (${percent} %)`);
  }
  if (doneBytes !== undefined)
    parts.push(
      totalBytes === undefined
        ? formatBytes(doneBytes)
        : `${formatBytes(doneBytes)} of ${formatBytes(totalBytes)}`,
    );
  parts.push(formatDuration(elapsedMs));
  const share =
    doneBytes !== undefined && totalBytes ? doneBytes / totalBytes : total ? done / total : 0;
  if (share > 0.02 && share < 1 && elapsedMs > 2000)
    parts.push(`about ${formatDuration(elapsedMs / share - elapsedMs)} left`);
  return parts.join(", ");
}
