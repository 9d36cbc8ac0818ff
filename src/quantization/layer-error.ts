/** What rounding did to one tensor: errors of the values, signal to noise, sizes. */

import { quantizedSize, type QuantizedTensor } from "./quantized-tensor.ts";

export interface LayerError {
  /** Mean squared error of the values. */
  meanSquaredError: number;
  maxError: number;
  /** Signal to quantization noise, dB; null when nothing was lost or nothing was there. */
  sqnrDb: number | null;
  /** Σ h (w - ŵ)² / Σ h w², h being the mean square of each input: the share of the output's energy that is noise. */
  outputError: number | null;
}

/**
 * @param original row-major values, @param rounded what the codes stand for
 * @param inputEnergy mean square of every input (column), where calibration measured it
 */
export function layerError(
  original: Float32Array,
  rounded: Float32Array,
  columns: number,
  inputEnergy?: ArrayLike<number>,
): LayerError {
  let noise = 0;
  let signal = 0;
  let maxError = 0;
  let weightedNoise = 0;
  let weightedSignal = 0;
  for (let i = 0; i < original.length; i++) {
    const value = original[i]!;
    const error = value - rounded[i]!;
    const energy = inputEnergy?.[i % columns] ?? 0;
    noise += error * error;
    signal += value * value;
    weightedNoise += energy * error * error;
    weightedSignal += energy * value * value;
    if (Math.abs(error) > maxError) maxError = Math.abs(error);
  }
  return {
    meanSquaredError: original.length === 0 ? 0 : noise / original.length,
    maxError,
    sqnrDb: noise === 0 || signal === 0 ? null : 10 * Math.log10(signal / noise),
    outputError: weightedSignal === 0 ? null : weightedNoise / weightedSignal,
  };
}

/** Bits a weight takes with its scales and zero points. */
export function bitsPerWeight(
  tensor: Pick<QuantizedTensor, "scheme" | "rows" | "columns" | "columnFactors">,
): number {
  const { rows, columns } = tensor;
  return rows * columns === 0 ? 0 : (8 * quantizedSize(tensor).totalBytes) / (rows * columns);
}
