/**
 * The one rounding rule of the system: to nearest, ties to even, as WGSL's `round` and WebAssembly's
 * `nearest` do. `Math.round` takes ties up, so codes would differ between the kernels.
 */

/** 1.5 * 2^52: adding it leaves no fraction bits, so the addition itself rounds (IEEE 754, ties to even). */
const SHIFT = 6755399441055744;

/** Exact for |value| < 2^51. */
export function roundTiesToEven(value: number): number {
  return value + SHIFT - SHIFT;
}
