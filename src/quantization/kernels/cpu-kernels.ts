/** The fastest kernels of this processor, made once. */

import type { CpuKernels } from "./kernels.ts";
import { referenceKernels } from "./reference-kernels.ts";
import { WasmKernels } from "./wasm-kernels.ts";

let loading: Promise<CpuKernels> | undefined;

export function cpuKernels(): Promise<CpuKernels> {
  return (loading ??= WasmKernels.create().then((kernels) => kernels ?? referenceKernels));
}
