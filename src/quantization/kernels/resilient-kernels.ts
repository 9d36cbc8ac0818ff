/**
 * Kernels that do what the preferred ones can't any more with others: a lost device or a matrix that it has
 * no room for costs speed, nothing else, since codes are the same on both.
 */

import { AppError } from "../../errors.ts";
import type { QuantizationKernels } from "./kernels.ts";

export class ResilientKernels implements QuantizationKernels {
  readonly #preferred: QuantizationKernels;
  readonly #other: QuantizationKernels;
  /** Why the others took over for good. */
  #lostReason: string | null = null;

  constructor(preferred: QuantizationKernels, other: QuantizationKernels) {
    this.#preferred = preferred;
    this.#other = other;
  }

  get name(): QuantizationKernels["name"] {
    return (this.#lostReason === null ? this.#preferred : this.#other).name;
  }

  get description(): string {
    const { description } = this.#preferred;
    if (this.#lostReason === null) return description;
    return `${description}, then ${this.#other.description}: ${this.#lostReason}`;
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
    if (this.#lostReason !== null) return work(this.#other);
    try {
      return await work(this.#preferred);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      if (error.code === "too_large") return work(this.#other);
      if (error.code !== "device_lost" && error.code !== "internal") throw error;
      this.#lostReason = error.message;
      return work(this.#other);
    }
  }
}
