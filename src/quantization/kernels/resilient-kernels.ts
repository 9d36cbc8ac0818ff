/**
 * Kernels that do what the preferred ones can't any more with others: a lost device or a matrix that it has
 * no room for costs speed, nothing else, since codes are the same on both.
 */

import { AppError } from "../../errors.ts";
import type { QuantizationKernels } from "./kernels.ts";

export class ResilientKernels implements QuantizationKernels {
  readonly #preferred: QuantizationKernels;
  readonly #other: QuantizationKernels;
  readonly #onFallback: (reason: string) => void;
  #isLost = false;

  /** `onFallback` hears once why the others took over for good. */
  constructor(
    preferred: QuantizationKernels,
    other: QuantizationKernels,
    onFallback: (reason: string) => void,
  ) {
    this.#preferred = preferred;
    this.#other = other;
    this.#onFallback = onFallback;
  }

  get name(): QuantizationKernels["name"] {
    return this.#isLost ? this.#other.name : this.#preferred.name;
  }

  quantize(...given: Parameters<QuantizationKernels["quantize"]>) {
    return this.#run((kernels) => kernels.quantize(...given));
  }

  dequantize(...given: Parameters<QuantizationKernels["dequantize"]>) {
    return this.#run((kernels) => kernels.dequantize(...given));
  }

  pack(...given: Parameters<QuantizationKernels["pack"]>) {
    return this.#run((kernels) => kernels.pack(...given));
  }

  multiply(...given: Parameters<QuantizationKernels["multiply"]>) {
    return this.#run((kernels) => kernels.multiply(...given));
  }

  crossProduct(...given: Parameters<QuantizationKernels["crossProduct"]>) {
    return this.#run((kernels) => kernels.crossProduct(...given));
  }

  async #run<T>(work: (kernels: QuantizationKernels) => T | Promise<T>): Promise<T> {
    if (this.#isLost) return work(this.#other);
    try {
      return await work(this.#preferred);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      if (error.code === "too_large") return work(this.#other);
      if (error.code !== "device_lost" && error.code !== "internal") throw error;
      if (!this.#isLost) this.#onFallback(error.message);
      this.#isLost = true;
      return work(this.#other);
    }
  }
}
