/**
 * Scale and zero point of one group of weights: from its extremes, or by searching the clipping that
 * loses least. Affine codes as in Jacob et al. (2018, arXiv:1712.05877), section 2.1; the search over
 * clipped ranges minimises the (weighted) squared error, as GPTQ's authors do.
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
  weights?: ArrayLike<number>;
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
 * `weights`. Zero is always inside, so that zeros stay exact. `invalid_input` for NaN and infinity.
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
    if (!(Math.abs(value) <= MAX_FLOAT))
      throw new AppError("invalid_input", `The weight at ${at + i * stride} is ${value}.`, {
        hint: "The weights are damaged: fetch them again.",
      });
    if (value < min) min = value;
    else if (value > max) max = value;
  }
  if (!options.clipSearch) return rangeOf(min, max, scheme);
  let best = rangeOf(min, max, scheme);
  let bestError = Infinity;
  const tryRange = (range: AffineRange): void => {
    const error = squaredError(
      values,
      at,
      count,
      stride,
      range,
      scheme,
      bestError,
      options.weights,
      columnAt,
    );
    if (error < bestError) [best, bestError] = [range, error];
  };
  for (let step = 0; step < CLIP_STEPS; step++) {
    const share = 1 - (step * (1 - SMALLEST_SHARE)) / (CLIP_STEPS - 1);
    const range = rangeOf(min * share, max * share, scheme);
    if (range.scale === 0) return range;
    tryRange(range);
    // With few codes it matters on which side of zero the spare one lies.
    if (!scheme.symmetric && scheme.bits <= 4)
      for (const zeroPoint of [range.zeroPoint - 1, range.zeroPoint + 1])
        if (zeroPoint >= 0 && zeroPoint < 2 ** scheme.bits) tryRange({ ...range, zeroPoint });
  }
  return best;
}

/** Largest float32; beyond lies infinity. */
const MAX_FLOAT = 3.4028234663852886e38;
/** Smallest normal float32: devices may take smaller scales for 0, and their inverse is infinite. */
const MIN_SCALE = 2 ** -126;

function rangeOf(min: number, max: number, scheme: QuantizationScheme): AffineRange {
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

function squaredError(
  values: Float32Array,
  at: number,
  count: number,
  stride: number,
  { scale, zeroPoint }: AffineRange,
  scheme: QuantizationScheme,
  limit: number,
  weights: ArrayLike<number> | undefined,
  columnAt: number,
): number {
  const lowest = lowestCode(scheme);
  const highest = 2 ** scheme.bits - 1;
  const inverse = inverseScale(scale);
  let sum = 0;
  for (let i = 0; i < count && sum < limit; i++) {
    const value = values[at + i * stride]!;
    const error =
      (encodeValue(value, inverse, zeroPoint, lowest, highest) - zeroPoint) * scale - value;
    sum += (weights === undefined ? 1 : weights[columnAt + i]!) * error * error;
  }
  return sum;
}
