/** The large products of calibration: the runtime's, on all its threads, and the kernels' for symmetric ones. */

import type { Product } from "../gptq.ts";
import type { GraphRuntime, GraphSession } from "../graph-runtime.ts";
import type { CpuKernels } from "../kernels/kernels.ts";
import type { BertWeights, LinearShape } from "./bert-model.ts";
import type { StatisticsProducts } from "./calibration-input.ts";
import { buildProduct, STAGE_OUTPUT } from "./calibration-stages.ts";
import { transpose } from "./linear-node.ts";

export class CalibrationProducts {
  readonly #cross: GraphSession;
  readonly #plain: GraphSession;
  readonly #kernels: CpuKernels;

  private constructor(cross: GraphSession, plain: GraphSession, kernels: CpuKernels) {
    this.#cross = cross;
    this.#plain = plain;
    this.#kernels = kernels;
  }

  static async load(runtime: GraphRuntime, kernels: CpuKernels): Promise<CalibrationProducts> {
    return new CalibrationProducts(
      await runtime.load(buildProduct({ turned: true })),
      await runtime.load(buildProduct({ turned: false })),
      kernels,
    );
  }

  /** leftᵀ right. */
  readonly cross: Product = (left, right, { k, m, n }) =>
    run(this.#cross, { data: left, dims: [k, m] }, { data: right, dims: [k, n] });

  /** For the statistics of what reaches these layers. */
  async forLayers(
    weights: BertWeights,
    layers: readonly LinearShape[],
  ): Promise<StatisticsProducts> {
    const [{ name, rows, columns }, ...others] = layers as [LinearShape, ...LinearShape[]];
    const products: StatisticsProducts = {
      // Half of the work on one thread takes less time than all of it on two.
      gram: (inputs, sizes) => this.#kernels.crossProduct(inputs, inputs, sizes),
      cross: this.cross,
      project: null,
    };
    // Two narrow products take less than one between all inputs.
    if (others.length > 0 || 2 * rows > columns) return products;
    const turned = {
      data: transpose(await weights.read(name), rows, columns),
      dims: [columns, rows],
    };
    const project = (inputs: Float32Array, count: number): Promise<Float32Array> =>
      run(this.#plain, { data: inputs, dims: [count, columns] }, turned);
    return { ...products, project };
  }

  async close(): Promise<void> {
    await this.#cross.release();
    await this.#plain.release();
  }
}

interface Matrix {
  data: Float32Array;
  dims: number[];
}

async function run(session: GraphSession, left: Matrix, right: Matrix): Promise<Float32Array> {
  const outputs = await session.run({
    left: { type: "float32", ...left },
    right: { type: "float32", ...right },
  });
  return outputs[STAGE_OUTPUT]!.data as Float32Array;
}
