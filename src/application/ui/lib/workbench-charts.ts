/** Geometry of the workbench's pictures: heat map, curve of size and quality, histogram. No drawing. */

import type { TensorHistogram } from "../../../quantization/histogram.ts";
import type { QuantizationReport, TensorReport } from "../../../quantization/report.ts";
import type { WorkbenchRun } from "../../../quantization/workbench.ts";

export interface HeatMap {
  /** Kinds of matrices, in the order of the file. */
  columns: { key: string; name: string }[];
  rows: { name: string; cells: (TensorReport | null)[] }[];
  /** Quantized tensors that are no part of a numbered block. */
  others: TensorReport[];
}

const KIND_NAMES: Record<string, string> = {
  "attention.self.query": "Query",
  "attention.self.key": "Key",
  "attention.self.value": "Value",
  "attention.output.dense": "Attention out",
  "intermediate.dense": "Widen",
  "output.dense": "Narrow",
};

/** Quantized tensors by block and kind, whatever the architecture calls them. */
export function heatMapOf(report: QuantizationReport): HeatMap {
  const columns = new Map<string, string>();
  const rows = new Map<number, Map<string, TensorReport>>();
  const others: TensorReport[] = [];
  for (const tensor of report.tensors) {
    if (tensor.scheme === null) continue;
    const parts = /^(?:.*?\.)?(\d+)\.(.+?)(?:\.weight)?$/.exec(tensor.name);
    if (parts === null) {
      others.push(tensor);
      continue;
    }
    const [, layer, kind] = parts as unknown as [string, string, string];
    if (!columns.has(kind)) columns.set(kind, KIND_NAMES[kind] ?? kind);
    const row = rows.get(Number(layer)) ?? new Map<string, TensorReport>();
    rows.set(Number(layer), row.set(kind, tensor));
  }
  const order = Object.keys(KIND_NAMES);
  const rank = (key: string): number =>
    (order.indexOf(key) + order.length + 1) % (order.length + 1);
  const sorted = [...columns].sort(([a], [b]) => rank(a) - rank(b));
  return {
    columns: sorted.map(([key, name]) => ({ key, name })),
    rows: [...rows]
      .sort(([a], [b]) => a - b)
      .map(([layer, cells]) => ({
        name: `Block ${layer + 1}`,
        cells: sorted.map(([key]) => cells.get(key) ?? null),
      })),
    others,
  };
}

export const METRICS = {
  sqnr: {
    name: "Signal to noise",
    /** Larger is better. */
    better: "high",
    of: ({ error }: TensorReport) => error?.sqnrDb ?? null,
    write: (value: number) => `${value.toFixed(1)} dB`,
    short: (value: number) => value.toFixed(1),
  },
  mse: {
    name: "Squared error",
    better: "low",
    of: ({ error }: TensorReport) => error?.meanSquaredError ?? null,
    write: (value: number) => value.toExponential(1),
    short: (value: number) => value.toExponential(1),
  },
  output: {
    name: "Noise in the output",
    better: "low",
    of: ({ error }: TensorReport) => error?.outputError ?? null,
    write: (value: number) => `${(100 * value).toPrecision(2)} %`,
    short: (value: number) => `${(100 * value).toPrecision(2)} %`,
  },
} as const;
export type Metric = keyof typeof METRICS;

/** 0 (least loss of `tensors`) to 1 (most); errors by their logarithm. */
export function heatOf(
  metric: Metric,
  tensors: readonly TensorReport[],
): (tensor: TensorReport) => number {
  const { of, better } = METRICS[metric];
  const place = (tensor: TensorReport): number | null => {
    const value = of(tensor);
    if (value === null) return null;
    return better === "high" ? -value : Math.log10(Math.max(value, 1e-12));
  };
  const places = tensors.map(place).filter((value) => value !== null);
  const [least, most] = [Math.min(...places), Math.max(...places)];
  return (tensor) => {
    const value = place(tensor);
    if (value === null || most === least) return 0;
    return Math.min(1, Math.max(0, (value - least) / (most - least)));
  };
}

/** What is used of a run: its network, or the package where there is none. */
export function usedBytes({ sizes }: QuantizationReport): number {
  return sizes.networkBytes ?? sizes.packageBytes;
}

/** Times smaller than the same values at two bytes each. */
export function ratioOf(report: QuantizationReport): number {
  return report.sizes.halfPrecisionBytes / usedBytes(report);
}

export interface CurvePoint {
  run: WorkbenchRun;
  /** 0–1 of the plot, from the left and from the top. */
  x: number;
  y: number;
  sizeBytes: number;
  cosine: number;
}

export interface Curve {
  points: CurvePoint[];
  sizeTicks: { at: number; bytes: number }[];
  qualityTicks: { at: number; cosine: number }[];
}

/** Few ticks where sizes are far apart, more where they are close. */
const SIZE_STEPS = [
  [1, 2, 5],
  [1, 1.5, 2, 3, 4, 5, 6, 8],
];

/** Sizes by logarithm; quality by the logarithm of what is lost, since 0.999 and 0.99 are far apart. */
export function curveOf(runs: readonly WorkbenchRun[]): Curve {
  const measured = runs.filter(({ report }) => report.quality !== null);
  const sizes = measured.map(({ report }) => usedBytes(report));
  const low = Math.min(...sizes) / 1.25;
  const high = Math.max(...sizes) * 1.25;
  const atSize = (bytes: number): number => Math.log(bytes / low) / Math.log(high / low);
  const losses = measured.map(({ report }) => lossOf(report.quality!.cosineMean));
  const best = 10 ** Math.floor(Math.log10(Math.min(...losses)));
  const worst = Math.max(10 * best, 10 ** Math.ceil(Math.log10(Math.max(...losses) * 1.05)));
  const atLoss = (loss: number): number => Math.log(loss / best) / Math.log(worst / best);
  const ticks = (steps: readonly number[]): Curve["sizeTicks"] => {
    const found: Curve["sizeTicks"] = [];
    for (let power = 10 ** Math.floor(Math.log10(low)); power <= high; power *= 10)
      for (const step of steps)
        if (step * power >= low && step * power <= high)
          found.push({ at: atSize(step * power), bytes: step * power });
    return found;
  };
  const sizeTicks = SIZE_STEPS.map(ticks).find(({ length }) => length > 2) ?? ticks(SIZE_STEPS[1]!);
  const qualityTicks: Curve["qualityTicks"] = [];
  for (let loss = best; loss <= worst * 1.001; loss *= 10)
    qualityTicks.push({ at: atLoss(loss), cosine: 1 - loss });
  return {
    points: measured.map((run) => {
      const cosine = run.report.quality!.cosineMean;
      const sizeBytes = usedBytes(run.report);
      return { run, x: atSize(sizeBytes), y: atLoss(lossOf(cosine)), sizeBytes, cosine };
    }),
    sizeTicks,
    qualityTicks,
  };
}

/** Heights of labels in order, each at least `gap` from the others: moved down where points are close. */
export function spreadLabels(heights: readonly number[], gap: number): number[] {
  const order = heights.map((_, i) => i).sort((a, b) => heights[a]! - heights[b]!);
  const placed = [...heights];
  order.forEach((index, at) => {
    const above = order[at - 1];
    if (above !== undefined) placed[index] = Math.max(placed[index]!, placed[above]! + gap);
  });
  return placed;
}

/** Below it, float32 itself rounds. */
const SMALLEST_LOSS = 1e-6;
const lossOf = (cosine: number): number => Math.max(SMALLEST_LOSS, 1 - cosine);

/** "0.99", "0.9999": as many nines as there are. */
export function writeCosine(cosine: number): string {
  const loss = lossOf(cosine);
  const digits = Math.min(6, Math.max(2, Math.ceil(-Math.log10(loss) - 1e-9) + 1));
  return cosine.toFixed(digits);
}

export interface HistogramBar {
  x: number;
  width: number;
  /** 0–1 of half the picture, by square root: rare values stay visible. */
  before: number;
  after: number;
}

export function barsOf({ before, after }: TensorHistogram): HistogramBar[] {
  const total = before.reduce((sum, count) => sum + count, 0);
  const most = Math.max(1, ...before, ...after);
  const height = (count: number): number => (total === 0 ? 0 : Math.sqrt(count / most));
  return before.map((count, i) => ({
    x: i / before.length,
    width: 1 / before.length,
    before: height(count),
    after: height(after[i]!),
  }));
}

/** A run's title as the name of a variant: "int4-groups-of-128-gptq". */
export function variantName(title: string): string {
  const name = title
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+/, "")
    .slice(0, 40)
    .replace(/-+$/, "");
  return name === "" ? "variant" : name;
}

/** A tensor's name as it is read: "Block 3, attention.self.query". */
export function tensorTitle(name: string): string {
  const parts = /^(?:.*?\.)?(\d+)\.(.+?)(?:\.weight)?$/.exec(name);
  if (parts === null)
    return name.replace(/^embeddings\.word_embeddings\.weight$/, "Table of words");
  const kind = KIND_NAMES[parts[2]!] ?? parts[2]!;
  return `Block ${Number(parts[1]) + 1}, ${kind.toLowerCase()}`;
}
