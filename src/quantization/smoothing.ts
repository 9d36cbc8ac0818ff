/**
 * Moves the difficulty of quantizing a layer's inputs into its weights: inputs with outliers are made
 * smaller by a factor per column, and the weights of that column larger. Xiao et al., "SmoothQuant"
 * (2022, arXiv:2211.10438); the strength is not set by hand but searched, per layer, by the noise that
 * rounding inputs (one scale for all) and weights (one a row) to 8 bits adds to the output.
 */

/** What calibration saw of each input column. */
export interface InputRanges {
  min: Float32Array;
  max: Float32Array;
  /** Mean square. */
  energy: ArrayLike<number>;
}

/** Layers with the same input share its factors. */
export interface SmoothedMatrix {
  /** Row-major [rows, columns]. */
  values: Float32Array;
  rows: number;
}

const ALPHA_STEPS = 20;
const CEILING_STEPS = 24;

/** Factors for the inputs; the weights are divided by them. Null when nothing is gained. */
export function chooseFactors(
  matrices: readonly SmoothedMatrix[],
  columns: number,
  ranges: InputRanges,
): Float32Array | null {
  const weightMax = new Float32Array(columns);
  for (const { values } of matrices)
    for (let i = 0; i < values.length; i++)
      weightMax[i % columns] = Math.max(weightMax[i % columns]!, Math.abs(values[i]!));
  const inputMax = Float32Array.from(ranges.max, (max, i) => Math.max(max, -ranges.min[i]!));
  const highest = Math.max(...inputMax);
  if (!(highest > 0)) return null;
  let best: Float32Array | null = null;
  let bestNoise = outputNoise(matrices, columns, ranges, new Float32Array(columns).fill(1));
  const consider = (factors: Float32Array): void => {
    const noise = outputNoise(matrices, columns, ranges, factors);
    if (noise < bestNoise) [best, bestNoise] = [factors, noise];
  };
  for (let step = 1; step <= ALPHA_STEPS; step++) {
    const alpha = step / ALPHA_STEPS;
    consider(
      inputMax.map((input, i) => {
        const weight = weightMax[i]!;
        return input > 0 && weight > 0 ? weight ** (1 - alpha) / input ** alpha : 1;
      }),
    );
  }
  // Only what stands out: every input is brought below a ceiling, the others stay as they are.
  for (let step = 1; step < CEILING_STEPS; step++) {
    const ceiling = highest * (1 - step / CEILING_STEPS);
    consider(inputMax.map((input) => (input > ceiling ? ceiling / input : 1)));
  }
  return best;
}

/** The weights that belong to inputs multiplied with `factors`. */
export function smoothWeights(values: Float32Array, factors: Float32Array): Float32Array {
  return values.map((value, i) => value / factors[i % factors.length]!);
}

/** Variance that rounding adds to the outputs, summed: evenly spread errors of one step, 1/12 of its square. */
function outputNoise(
  matrices: readonly SmoothedMatrix[],
  columns: number,
  { min, max, energy }: InputRanges,
  factors: Float32Array,
): number {
  let [lowest, highest, inputEnergy] = [0, 0, 0];
  for (let i = 0; i < columns; i++) {
    const factor = factors[i]!;
    lowest = Math.min(lowest, min[i]! * factor);
    highest = Math.max(highest, max[i]! * factor);
    inputEnergy += energy[i]! * factor * factor;
  }
  const inputStep = (highest - lowest) / 255;
  let noise = 0;
  for (const { values, rows } of matrices)
    for (let row = 0; row < rows; row++) {
      let [largest, energyOfRow] = [0, 0];
      for (let i = 0, at = row * columns; i < columns; i++, at++) {
        const value = values[at]! / factors[i]!;
        energyOfRow += value * value;
        if (Math.abs(value) > largest) largest = Math.abs(value);
      }
      noise += inputStep ** 2 * energyOfRow + (largest / 127) ** 2 * inputEnergy;
    }
  return noise / 12;
}
