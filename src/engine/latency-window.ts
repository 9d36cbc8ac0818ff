/** Rolling latency of the last queries, for status. */

const WINDOW = 200;

export class LatencyWindow {
  readonly #values: number[] = [];
  #count = 0;

  add(elapsedMs: number): void {
    this.#values[this.#count++ % WINDOW] = elapsedMs;
  }

  /** Median and 99th percentile in ms over the window; null before the first value. */
  summary(): { p50: number; p99: number; count: number } | null {
    if (this.#count === 0) return null;
    const sorted = [...this.#values].sort((a, b) => a - b);
    const at = (share: number) =>
      sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!;
    return { p50: at(0.5), p99: at(0.99), count: this.#count };
  }
}
