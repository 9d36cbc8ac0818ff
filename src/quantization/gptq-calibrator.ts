/** GPTQ for one linear layer at a time, for networks that `quantize` doesn't know: give it what reaches the layer. */

import { AppError } from "../errors.ts";
import { factorInputs, quantizeWithGptq, type GptqOptions } from "./gptq.ts";
import { cpuKernels } from "./kernels/cpu-kernels.ts";
import type { CpuKernels } from "./kernels/kernels.ts";
import type { QuantizationScheme, QuantizedTensor } from "./quantized-tensor.ts";

export class GptqCalibrator {
  readonly #columns: number;
  readonly #options: GptqOptions;
  readonly #kernels: CpuKernels;
  readonly #gram: Float64Array;
  #count = 0;

  private constructor(columns: number, options: GptqOptions, kernels: CpuKernels) {
    this.#columns = columns;
    this.#options = options;
    this.#kernels = kernels;
    this.#gram = new Float64Array(columns ** 2);
  }

  /** @param columns inputs of the layer; holds columns² doubles */
  static async create(columns: number, options: GptqOptions = {}): Promise<GptqCalibrator> {
    if (!Number.isInteger(columns) || columns < 1)
      throw new AppError("invalid_input", `A layer with ${columns} inputs is not possible.`, {
        hint: "Give the number of columns of its weights.",
      });
    return new GptqCalibrator(columns, options, await cpuKernels());
  }

  /** Inputs seen so far. */
  get count(): number {
    return this.#count;
  }

  /** Row-major [count, columns]: one row for each token. `invalid_input` for another size. */
  add(inputs: Float32Array): void {
    const count = inputs.length / this.#columns;
    if (!Number.isInteger(count))
      throw new AppError(
        "invalid_input",
        `${inputs.length} values are no rows of ${this.#columns} inputs.`,
      );
    const sizes = { k: count, m: this.#columns, n: this.#columns };
    const part = this.#kernels.crossProduct(inputs, inputs, sizes);
    for (let i = 0; i < part.length; i++) this.#gram[i]! += part[i]!;
    this.#count += count;
  }

  /**
   * Row-major [rows, columns] weights in few bits. `invalid_input` for another size or without inputs,
   * `model_failed` when what was seen can't be inverted. May be called for several layers with these inputs.
   */
  quantize(values: Float32Array, rows: number, scheme: QuantizationScheme): QuantizedTensor {
    const statistics = { count: this.#count, gram: this.#gram };
    const inputs = factorInputs(statistics, this.#columns, this.#kernels, this.#options);
    return quantizeWithGptq(values, rows, scheme, inputs, this.#kernels, this.#options);
  }
}
