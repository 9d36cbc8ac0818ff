/** Dense linear algebra in doubles for calibration: row-major, loops over contiguous rows. */

import { AppError } from "../errors.ts";

/**
 * The upper triangular R with A⁻¹ = Rᵀ R, for a symmetric positive definite [n, n] matrix; A is
 * overwritten. From A = U Uᵀ with U upper triangular (a Cholesky factorisation from the last row up):
 * R = U⁻¹. Costs 2/3 n³ multiplications. `model_failed` when A isn't positive definite.
 */
export function inverseUpperFactor(a: Float64Array, n: number): Float64Array {
  for (let j = n - 1; j >= 0; j--) {
    const rowJ = j * n;
    let pivot = a[rowJ + j]!;
    for (let k = j + 1; k < n; k++) pivot -= a[rowJ + k]! ** 2;
    if (!(pivot > 0))
      throw new AppError("model_failed", "The calibration's statistics can't be inverted.", {
        hint: "Give more or more varied text, or a larger dampening.",
      });
    const root = Math.sqrt(pivot);
    a[rowJ + j] = root;
    for (let i = 0; i < j; i++) {
      const rowI = i * n;
      let sum = a[rowI + j]!;
      for (let k = j + 1; k < n; k++) sum -= a[rowI + k]! * a[rowJ + k]!;
      a[rowI + j] = sum / root;
    }
  }
  const inverse = new Float64Array(n * n);
  for (let i = n - 1; i >= 0; i--) {
    const rowI = i * n;
    const pivot = 1 / a[rowI + i]!;
    for (let k = i + 1; k < n; k++) {
      const share = -a[rowI + k]! * pivot;
      const rowK = k * n;
      for (let j = k; j < n; j++) inverse[rowI + j]! += share * inverse[rowK + j]!;
    }
    inverse[rowI + i] = pivot;
  }
  return inverse;
}
