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
    if (!(pivot > 0)) throw notInvertible();
    const root = Math.sqrt(pivot);
    a[rowJ + j] = root;
    // Four rows at a time: their sums don't wait for each other.
    let i = 0;
    for (; i + 4 <= j; i += 4) {
      const row0 = i * n;
      const row1 = row0 + n;
      const row2 = row1 + n;
      const row3 = row2 + n;
      let sum0 = a[row0 + j]!;
      let sum1 = a[row1 + j]!;
      let sum2 = a[row2 + j]!;
      let sum3 = a[row3 + j]!;
      for (let k = j + 1; k < n; k++) {
        const value = a[rowJ + k]!;
        sum0 -= a[row0 + k]! * value;
        sum1 -= a[row1 + k]! * value;
        sum2 -= a[row2 + k]! * value;
        sum3 -= a[row3 + k]! * value;
      }
      a[row0 + j] = sum0 / root;
      a[row1 + j] = sum1 / root;
      a[row2 + j] = sum2 / root;
      a[row3 + j] = sum3 / root;
    }
    for (; i < j; i++) {
      const row = i * n;
      let sum = a[row + j]!;
      for (let k = j + 1; k < n; k++) sum -= a[row + k]! * a[rowJ + k]!;
      a[row + j] = sum / root;
    }
  }
  return invertUpper(a, n);
}

export function notInvertible(): AppError {
  return new AppError("model_failed", "The calibration's statistics can't be inverted.", {
    hint: "Give more or more varied text, or a larger dampening.",
  });
}

/** R with U R = 1, row by row from the last one; four earlier rows are taken in at a time. */
function invertUpper(a: Float64Array, n: number): Float64Array {
  const inverse = new Float64Array(n * n);
  for (let i = n - 1; i >= 0; i--) {
    const rowI = i * n;
    const pivot = 1 / a[rowI + i]!;
    let k = i + 1;
    for (; k + 4 <= n; k += 4) {
      const share0 = -a[rowI + k]! * pivot;
      const share1 = -a[rowI + k + 1]! * pivot;
      const share2 = -a[rowI + k + 2]! * pivot;
      const share3 = -a[rowI + k + 3]! * pivot;
      const row0 = k * n;
      const row1 = row0 + n;
      const row2 = row1 + n;
      const row3 = row2 + n;
      // Left of their diagonals the later rows hold zeros.
      for (let j = k; j < n; j++)
        inverse[rowI + j]! +=
          share0 * inverse[row0 + j]! +
          share1 * inverse[row1 + j]! +
          share2 * inverse[row2 + j]! +
          share3 * inverse[row3 + j]!;
    }
    for (; k < n; k++) {
      const share = -a[rowI + k]! * pivot;
      const rowK = k * n;
      for (let j = k; j < n; j++) inverse[rowI + j]! += share * inverse[rowK + j]!;
    }
    inverse[rowI + i] = pivot;
  }
  return inverse;
}
