/**
 * Scale and zero point of one group of weights: from its extremes, or by searching the clipping that
 * loses least. Affine codes as in Jacob et al. (2018, arXiv:1712.05877), section 2.1; the search over
 * clipped ranges minimises the (weighted) squared error, as GPTQ's authors do. All but the choice of a
 * scale is float32 arithmetic in a fixed order, so that kernels come to the same codes bit for bit.
 */

import { AppError } from "../errors.ts";
import { roundTiesToEven } from "../model/rounding.ts";
import type { QuantizationScheme } from "./quantized-tensor.ts";

/** Float32 scale and whole zero point: value ≈ (code - zeroPoint) * scale. */
export interface AffineRange {
  scale: number;
  zeroPoint: number;
}

export interface RangeOptions {
  /** Searches a smaller range that loses less in sum. Costs about `CLIP_STEPS` times as much. */
  clipSearch?: boolean;
  /** Importance of each column for the search (the diagonal of GPTQ's Hessian); default all the same. */
  weights?: Float32Array;
}

/** Shares of the full range that the search tries, from all of it downwards. */
const CLIP_STEPS = 24;
const SMALLEST_SHARE = 0.35;

/** The lowest code: symmetric codes leave the outermost one out, so that ±max stay mirrored. */
export function lowestCode(scheme: Pick<QuantizationScheme, "symmetric">): number {
  return scheme.symmetric ? 1 : 0;
}

/** What a value is multiplied with: 1 / scale as float32, 0 for a group of zeros. Division differs between processors by an ulp; multiplication doesn't. */
export function inverseScale(scale: number): number {
  return scale === 0 ? 0 : Math.fround(1 / scale);
}

/** The code of a value, by float32 arithmetic: kernels on any device give the same. */
export function encodeValue(
  value: number,
  inverse: number,
  zeroPoint: number,
  lowest: number,
  highest: number,
): number {
  const code = roundTiesToEven(Math.fround(value * inverse)) + zeroPoint;
  return code < lowest ? lowest : code > highest ? highest : code;
}

/**
 * The range of `values[at + i * stride]`, i < count; `columnAt` is the first one's column in
 * `weights`. Zero is always inside, so that zeros stay exact. `invalid_input` for NaN, infinity and
 * what no weight can be.
 */
export function chooseRange(
  values: Float32Array,
  at: number,
  count: number,
  stride: number,
  scheme: QuantizationScheme,
  options: RangeOptions = {},
  columnAt = 0,
): AffineRange {
  let min = 0;
  let max = 0;
  for (let i = 0; i < count; i++) {
    const value = values[at + i * stride]!;
    if (!isWeight(value)) throw damagedWeight(value, at + i * stride);
    if (value < min) min = value;
    else if (value > max) max = value;
  }
  let best = rangeOf(min, max, scheme);
  if (!options.clipSearch || best.scale === 0) return best;
  let bestError = Infinity;
  const tryRange = (range: AffineRange): void => {
    const error = squaredError(values, at, count, stride, range, scheme, options.weights, columnAt);
    if (error < bestError) [best, bestError] = [range, error];
  };
  for (let step = 0; step < CLIP_STEPS; step++) {
    const share = 1 - (step * (1 - SMALLEST_SHARE)) / (CLIP_STEPS - 1);
    const range = rangeOf(min * share, max * share, scheme);
    if (range.scale === 0) break;
    tryRange(range);
    // With few codes it matters on which side of zero the spare one lies.
    if (!scheme.symmetric && scheme.bits <= 4)
      for (const zeroPoint of [range.zeroPoint - 1, range.zeroPoint + 1])
        if (zeroPoint >= 0 && zeroPoint < 2 ** scheme.bits) tryRange({ ...range, zeroPoint });
  }
  return best;
}

/** Weights beyond it are damaged. Up to it the inverse of a scale is a normal float32 on every device. */
const MAX_WEIGHT = 2 ** 126;
export const isWeight = (value: number): boolean => Math.abs(value) <= MAX_WEIGHT;

function damagedWeight(value: number, at: number): AppError {
  return new AppError("invalid_input", `The weight at ${at} is ${value}.`, {
    hint: "The weights are damaged: fetch them again.",
  });
}

/** The error of the first value from `from` on that can't be a weight. */
export function firstDamaged(values: Float32Array, from: number): AppError {
  const at = values.findIndex((value, i) => i >= from && !isWeight(value));
  return damagedWeight(values[at]!, at);
}

/** Twice the smallest normal float32: devices may take smaller numbers for 0, here they round to it. */
const MIN_SCALE = 2 ** -125;

/** The range between two extremes, zero inside. */
export function rangeOf(min: number, max: number, scheme: QuantizationScheme): AffineRange {
  const highest = 2 ** scheme.bits - 1;
  if (scheme.symmetric) {
    const middle = 2 ** (scheme.bits - 1);
    return { scale: normalScale(Math.max(-min, max) / (middle - 1)), zeroPoint: middle };
  }
  const scale = normalScale(max / highest - min / highest);
  const zeroPoint = scale === 0 ? 0 : roundTiesToEven(-min / scale);
  return { scale, zeroPoint: Math.min(highest, Math.max(0, zeroPoint)) };
}

function normalScale(scale: number): number {
  return scale < MIN_SCALE ? 0 : Math.fround(scale);
}

/** In float32, in four sums: of every fourth value from the first, second, third and fourth on. */
function squaredError(
  values: Float32Array,
  at: number,
  count: number,
  stride: number,
  { scale, zeroPoint }: AffineRange,
  scheme: QuantizationScheme,
  weights: Float32Array | undefined,
  columnAt: number,
): number {
  const { fround } = Math;
  const lowest = lowestCode(scheme);
  const highest = 2 ** scheme.bits - 1;
  const inverse = inverseScale(scale);
  const sums = new Float32Array(4);
  for (let i = 0; i < count; i++) {
    const value = values[at + i * stride]!;
    const code = encodeValue(value, inverse, zeroPoint, lowest, highest) - zeroPoint;
    const error = fround(fround(code * scale) - value);
    const weighted = weights === undefined ? error : fround(weights[columnAt + i]! * error);
    sums[i & 3]! += fround(weighted * error);
  }
  return fround(fround(sums[0]! + sums[1]!) + fround(sums[2]! + sums[3]!));
}
